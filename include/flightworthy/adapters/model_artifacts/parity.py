"""The parity gate: whether what was packaged answers what the fitted model does, on held rows and on probes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from flightworthy.adapters.model_artifacts.fitted import FittedModel, answers_or_nan, calmly
from flightworthy.adapters.model_artifacts.probes import probes
from flightworthy.adapters.model_artifacts.rows import rows_of
from flightworthy.runtime import Parity
from flightworthy.training import Frames

__all__ = ["Evidence", "Predictor", "evidence_of", "measure"]

_ONE_BY_ONE = 8
"""Rows that are also asked for alone: most runtimes have a way of their own for one."""


class Predictor(Protocol):
    """A packaged model as a server loads it."""

    def predict(self, rows: NDArray[Any], /) -> NDArray[np.float64]: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """Groups of rows, as a server makes them of requests, with the fitted model's answers: NaN is a refusal.

    The first group are rows of the data, all of which the fitted model answers.
    """

    threshold: float
    groups: tuple[tuple[str, NDArray[Any], NDArray[np.float64]], ...]


def evidence_of(fitted: FittedModel, frames: Frames) -> Evidence:
    """Ask the fitted model for all that packaged ones will be held against. Raises ModelCodeError where it fails."""
    spec = fitted.spec
    held = pd.concat([frames.training[list(spec.features)], frames.validation[list(spec.features)]], ignore_index=True)
    groups = [("rows of the data", rows_of(spec, held), fitted.predict_all(held))]
    for title, frame in probes(spec, held, fitted.predict):
        groups.append((title, rows_of(spec, frame), fitted.answers(frame)))
    return Evidence(threshold=spec.evaluation.threshold, groups=tuple(groups))


def measure(packaged: Predictor, evidence: Evidence) -> Parity | str:
    """How the packaged model's answers compare; or why it has none."""
    (_, held, expected), *odd = evidence.groups
    some = range(0, len(held), max(1, len(held) // _ONE_BY_ONE))
    try:
        answers = calmly(lambda: packaged.predict(held))
        alone = calmly(lambda: [packaged.predict(held[at : at + 1]) for at in some])
    # Each runtime has its own errors for rows that it cannot take; one is enough to know.
    except Exception as error:  # noqa: BLE001
        return f"does not predict ({type(error).__name__}: {' '.join(str(error).split())[:160]})"
    found = [("rows of the data", np.concatenate([answers, *alone]), np.concatenate([expected, expected[some]]))]
    for title, rows, theirs in odd:
        mine = answers_or_nan(packaged.predict, rows, lambda asked, at: asked[at : at + 1])
        found.append((title, mine, theirs))
    return _parity(found, evidence.threshold)


def _parity(found: list[tuple[str, NDArray[np.float64], NDArray[np.float64]]], threshold: float) -> Parity:
    unlike, rows, flipped, worst = "", 0, 0, 0.0
    for title, mine, theirs in found:
        answered, expected = ~np.isnan(mine), ~np.isnan(theirs)
        if not unlike and bool(np.any(answered != expected)):
            more = int(np.sum(answered & ~expected))
            fewer = int(np.sum(expected & ~answered))
            unlike = f"answers {more} rows that the fitted model refuses, and refuses {fewer} that it answers ({title})"
        both = answered & expected
        rows += int(np.sum(both))
        flipped += int(np.sum((mine[both] >= threshold) != (theirs[both] >= threshold)))
        worst = max(worst, float(np.max(np.abs(mine[both] - theirs[both]), initial=0.0)))
    return Parity(rows=rows, flipped=flipped, worst_difference=worst, unlike=unlike)
