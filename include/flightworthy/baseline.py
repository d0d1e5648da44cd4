"""The baseline: what the single best feature knows. A model that does not beat it has learnt nothing worth serving."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Protocol, Self

from flightworthy.evaluation import Estimate, Scored, estimates
from flightworthy.spec import Spec
from flightworthy.training import Frames

__all__ = ["Baseline", "Baselines", "Worth"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Baseline:
    """``feature`` is None where no feature alone says more than the share of positives does, which is then predicted.

    ``scored`` holds no slices: it answers how good the whole is.
    """

    feature: str | None
    scored: Scored

    @property
    def name(self) -> str:
        """As a reader sees it."""
        return "the share of positives" if self.feature is None else f"{self.feature} alone"


class Baselines(Protocol):
    """Makes the baseline of a model's own rows."""

    def score(self, spec: Spec, frames: Frames, holdout: Any) -> Baseline:
        """Learn from the training rows, choose the feature by the validation rows, predict the holdout.

        The same rows give the same predictions.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Worth:
    """What a version was worth on the holdout before it was registered, and its baseline on the same rows."""

    metrics: Mapping[str, Estimate]
    baseline: str
    """By its name: the feature, or that there was none."""
    baseline_metrics: Mapping[str, Estimate]

    def pack(self) -> dict[str, Any]:
        """As JSON types."""
        return asdict(self)

    @classmethod
    def unpack(cls, packed: Mapping[str, Any]) -> Self:
        """What ``pack`` made. Raises TypeError on a missing or unknown field."""
        found = {name: estimates(packed[name]) for name in ("metrics", "baseline_metrics")}
        return cls(**{**packed, **found})
