"""Trainings that are done: what is recorded of one, where, and which of several is the best."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Protocol, Self

from flightworthy.errors import Refused
from flightworthy.spec import LOWER_IS_BETTER
from flightworthy.training.order import Lineage, Param, TrainingOrder

__all__ = ["RunStore", "TrainingRun", "choose"]


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingRun:
    """A finished, recorded training. ``metrics`` are those of the validation rows, with the model as it is served."""

    model: str
    run_id: str
    key: str
    params: Mapping[str, Param]
    seed: int
    metrics: Mapping[str, float]
    lineage: Lineage
    artifact_uri: str
    artifact_digest: str
    runtime: Mapping[str, str]
    """What serves it and why, as tags: ``runtime.Choice.facts``."""
    reused: bool = field(default=False, compare=False)
    """Whether it was found rather than trained. Says nothing about the run itself."""

    def pack(self) -> dict[str, Any]:
        """As JSON types, for the way between processes."""
        return asdict(self)

    @classmethod
    def unpack(cls, packed: Mapping[str, Any]) -> Self:
        """What ``pack`` made. Raises TypeError on a missing or unknown field."""
        return cls(**{**packed, "lineage": Lineage(**packed["lineage"])})


class RunStore(Protocol):
    """Where training runs are recorded. A run counts once it is finished, and one finished run remains per key."""

    def find(self, model: str, key: str) -> TrainingRun | None:
        """The finished run with this key, or None. Raises Unavailable."""
        ...

    def log(self, order: TrainingOrder, metrics: Mapping[str, float], folder: Path) -> TrainingRun:
        """Seal ``folder`` as the run's artifact and record the run; killed anywhere, calling again repairs.

        Unfinished runs with the same key are marked as killed. Raises Unavailable.
        """
        ...

    def download(self, run: TrainingRun, folder: Path) -> Path:
        """The run's artifact, verified against its digest. Raises ArtifactRefused, Unavailable."""
        ...


def choose(runs: Iterable[TrainingRun], metric: str) -> TrainingRun:
    """The run with the best ``metric``; of equals the one with the smallest key. A run without a number never wins.

    Raises Refused when no run has a finite value.
    """
    known = list(runs)
    sign = 1.0 if metric in LOWER_IS_BETTER else -1.0
    measured = [run for run in known if math.isfinite(run.metrics.get(metric, math.nan))]
    if not measured:
        raise Refused(
            f"None of {len(known)} trials has a finite {metric} on the validation rows, so none can be chosen. "
            "Look at the runs in MLflow; then change the search or the model's train.py.",
            metric=metric,
            runs=[run.run_id for run in known],
        )
    return min(measured, key=lambda run: (sign * run.metrics[metric], run.key))
