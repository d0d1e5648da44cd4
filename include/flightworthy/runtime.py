"""Which runtime serves a model: the first, of the fastest first, that is proven to answer what the fitted model does.

A runtime's name is its parts, joined by ``+``: the last one predicts, one before it prepares the rows. ``lightgbm`` is
a booster in its library's own format; ``skops+lightgbm`` is that booster behind scikit-learn's transformers.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

from flightworthy.artifact import read_json
from flightworthy.errors import ArtifactRefused, ModelCodeError

__all__ = [
    "PARTS",
    "RUNTIME",
    "Candidate",
    "Choice",
    "Parity",
    "choice_in",
    "choose_runtime",
    "parts_of",
    "server_extras",
]

RUNTIME = "runtime.json"
PARTS = ("onnx", "lightgbm", "xgboost", "skops")
"""What a runtime's name may be made of. Each has an adapter, ``adapters/<part>_models``, and an extra of its packages,
``flightworthy[serving-<part>]``."""

_BEFORE_THERE_WAS_A_CHOICE = "skops"
_LONGEST_WHY = 400


@dataclass(frozen=True, slots=True, kw_only=True)
class Parity:
    """How the answers of a packaged model and of the fitted one compare on the same rows."""

    rows: int
    flipped: int
    """Rows whose label, at the model's threshold, is another one."""
    worst_difference: float
    unlike: str
    """Which rows one of the two answers and the other refuses; empty where there are none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """One form of one runtime, and what came of it. Without ``parity`` there is a ``why``."""

    runtime: str
    form: str
    tolerance: float
    parity: Parity | None
    why: str

    @property
    def objection(self) -> str:
        """Why it may not serve; empty where it may."""
        if self.parity is None:
            return self.why or "was not measured"
        if self.parity.unlike:
            return self.parity.unlike
        # Written so that NaN, which compares false with everything, is an objection.
        if self.parity.flipped or not self.parity.worst_difference <= self.tolerance or not self.parity.rows:
            return (
                f"answers otherwise than the fitted model: {self.parity.flipped} of {self.parity.rows} labels flip, "
                f"predictions differ by up to {self.parity.worst_difference:.3g} where {self.tolerance:g} is allowed"
            )
        return ""

    @property
    def name(self) -> str:
        """The runtime, and its form where it has several."""
        return f"{self.runtime} ({self.form})" if self.form else self.runtime


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """What is kept in the artifact. ``rejected``: each candidate before it, with its objection."""

    runtime: str
    form: str
    rows: int
    worst_difference: float
    tolerance: float
    rejected: tuple[Mapping[str, Any], ...]

    def pack(self) -> dict[str, Any]:
        """As JSON types: what runtime.json holds."""
        return {**asdict(self), "rejected": [dict(each) for each in self.rejected]}

    @classmethod
    def unpack(cls, packed: Mapping[str, Any]) -> Self:
        """What ``pack`` made. Raises TypeError on a missing or unknown field."""
        return cls(**{**packed, "rejected": tuple(packed["rejected"])})

    def facts(self) -> dict[str, str]:
        """As tags of a run and of a version."""
        why = f"equal to the fitted model on {self.rows} rows, within {self.tolerance:g}"
        rejected = "; ".join(f"{each['runtime']} {each['why']}" for each in self.rejected)
        return {
            "runtime": self.runtime,
            "runtime_form": self.form,
            "runtime_why": why,
            "runtime_worst_difference": f"{self.worst_difference:.3g}",
            "runtime_rejected": rejected,
        }


def choose_runtime(model: str, candidates: Iterable[Candidate]) -> Choice:
    """The first candidate without an objection; those after it are not asked for.

    Raises ModelCodeError, with every objection, where none is without.
    """
    rejected: list[dict[str, Any]] = []
    for candidate in candidates:
        if not candidate.objection and candidate.parity is not None:
            return Choice(
                runtime=candidate.runtime,
                form=candidate.form,
                rows=candidate.parity.rows,
                worst_difference=candidate.parity.worst_difference,
                tolerance=candidate.tolerance,
                rejected=tuple(rejected),
            )
        rejected.append(_rejection(candidate))
    told = "; ".join(f"{each['runtime']} {each['why']}" for each in rejected)
    raise ModelCodeError(
        f"{model}: no runtime serves the model that train.py returned as it was fitted: {told}. What is served must be "
        "what was evaluated; build it from scikit-learn's own transformers and classifiers, LightGBM's LGBMClassifier "
        "or XGBoost's XGBClassifier.",
        model=model,
        rejected=rejected,
    )


def choice_in(folder: Path) -> Choice:
    """What was chosen for the artifact in ``folder``. Raises ArtifactRefused for a runtime that nobody knows.

    An artifact without runtime.json was sealed when skops was all there was.
    """
    if not (folder / RUNTIME).is_file():
        return Choice(
            runtime=_BEFORE_THERE_WAS_A_CHOICE, form="", rows=0, worst_difference=0.0, tolerance=0.0, rejected=()
        )
    try:
        choice = Choice.unpack(read_json(folder / RUNTIME))
    except (KeyError, TypeError) as error:
        raise _unknown(folder, f"cannot be read ({error})") from error
    if not set(str(choice.runtime).split("+")) <= set(PARTS):
        raise _unknown(folder, f"names the runtime {choice.runtime!r}, which this server does not know")
    return choice


def parts_of(runtime: str) -> tuple[str, ...]:
    """What a runtime consists of, in the order in which rows go through it."""
    return tuple(runtime.split("+"))


def server_extras(runtime: str) -> str:
    """The extras of our own distribution that a server of this runtime needs installed, and no others."""
    return f"flightworthy[{','.join(['serving', *(f'serving-{part}' for part in parts_of(runtime))])}]"


def _rejection(candidate: Candidate) -> dict[str, Any]:
    worst = None if candidate.parity is None else candidate.parity.worst_difference
    return {
        "runtime": candidate.name,
        "why": candidate.objection[:_LONGEST_WHY],
        "worst_difference": worst if worst is not None and math.isfinite(worst) else None,
    }


def _unknown(folder: Path, why: str) -> ArtifactRefused:
    return ArtifactRefused(
        f"{folder}: {RUNTIME} {why}. Nothing was loaded; train and register the model again.",
        folder=str(folder),
        file=RUNTIME,
        why=why,
    )
