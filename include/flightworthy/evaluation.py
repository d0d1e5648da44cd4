"""Evaluation: what is known about a model on the holdout, with intervals, in whole and per slice."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Protocol, Self

from flightworthy.errors import Refused

__all__ = [
    "MINIMUM_SLICE_ROWS",
    "Calibration",
    "Estimate",
    "Evaluation",
    "Method",
    "Metrics",
    "Scored",
    "SliceEvaluation",
    "check",
    "estimates",
    "evaluate",
    "is_evidence",
    "percentile",
    "rows_of",
]

MINIMUM_SLICE_ROWS = 20
"""A slice value with fewer holdout rows says nothing: at 20 rows a share still moves by 5 % with a single row."""

_CALIBRATION_BINS = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Scored:
    """Holdout rows with their labels (1 = positive), predicted probabilities, and the values they are sliced by.

    ``slices`` maps a feature to its value per row, as text; a missing value is "(missing)".
    """

    labels: Sequence[int]
    predictions: Sequence[float]
    slices: Mapping[str, Sequence[str]]


class Metrics(Protocol):
    """The arithmetic of metrics. NaN where a metric is not defined for the rows given."""

    def measure(self, labels: Sequence[int], predictions: Sequence[float], *, threshold: float) -> Mapping[str, float]:
        """Each metric's value."""
        ...

    def bootstrap(
        self, labels: Sequence[int], predictions: Sequence[float], *, threshold: float, resamples: int, seed: int
    ) -> Mapping[str, Sequence[float]]:
        """Each metric's value on ``resamples`` resamples, drawn within each class so that none vanishes.

        The same labels, seed and number draw the same rows: two models' resamples are paired.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """A value with its 95 % bootstrap interval (percentiles 2.5 and 97.5)."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True, kw_only=True)
class SliceEvaluation:
    """One value of a slice. ``metrics`` is empty where there is no evidence: too few rows, or one class only."""

    rows: int
    positives: int
    metrics: Mapping[str, Estimate]


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    """Rows of similar predictions: what was predicted on average, and what share was positive."""

    predicted: float
    observed: float
    rows: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluation:
    """One model on the holdout."""

    rows: int
    positives: int
    metrics: Mapping[str, Estimate]
    slices: Mapping[str, Mapping[str, SliceEvaluation]]
    calibration: tuple[Calibration, ...]

    def pack(self) -> dict[str, Any]:
        """As JSON types."""
        return {**asdict(self), "calibration": [asdict(part) for part in self.calibration]}

    @classmethod
    def unpack(cls, packed: Mapping[str, Any]) -> Self:
        """What ``pack`` made."""
        return cls(
            rows=packed["rows"],
            positives=packed["positives"],
            metrics=estimates(packed["metrics"]),
            slices={
                name: {
                    value: SliceEvaluation(**{**found, "metrics": estimates(found["metrics"])})
                    for value, found in values.items()
                }
                for name, values in packed["slices"].items()
            },
            calibration=tuple(Calibration(**part) for part in packed["calibration"]),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Method:
    """How to measure. ``resamples`` are behind every interval; ``seed`` makes them repeatable."""

    metrics: Metrics
    threshold: float
    resamples: int
    seed: int


def evaluate(scored: Scored, method: Method) -> Evaluation:
    """Measure one model. Raises Refused where a prediction is not a probability, or where the rows are of one class."""
    check(scored)
    return Evaluation(
        rows=len(scored.labels),
        positives=sum(scored.labels),
        metrics=_measure(scored.labels, scored.predictions, method),
        slices={
            name: {value: _evaluate_slice(scored, rows, method) for value, rows in rows_of(values).items()}
            for name, values in scored.slices.items()
        },
        calibration=_calibration(scored),
    )


def check(scored: Scored) -> None:
    """Raise Refused unless every prediction is a probability and both classes are there."""
    rows = len(scored.labels)
    bad = [place for place, value in enumerate(scored.predictions) if not 0.0 <= value <= 1.0]
    if bad:
        raise Refused(
            f"{len(bad)} of {rows} predictions are not probabilities; the first is {scored.predictions[bad[0]]} in row "
            f"{bad[0]}. Such a model cannot be evaluated; look at missing values and at convergence in its train.py.",
            rows=rows,
            bad=len(bad),
        )
    if len(scored.predictions) != rows or not 0 < sum(scored.labels) < rows:
        raise Refused(
            f"The holdout has {rows} rows, {sum(scored.labels)} of them positive, and {len(scored.predictions)} "
            "predictions: nothing can be measured. Both classes are needed; widen dataset.window or dataset.holdout.",
            rows=rows,
            positives=sum(scored.labels),
        )


def rows_of(values: Sequence[str]) -> dict[str, list[int]]:
    """Which rows have which value; values in their order as text."""
    rows: dict[str, list[int]] = {}
    for place, value in enumerate(values):
        rows.setdefault(value, []).append(place)
    return dict(sorted(rows.items()))


def is_evidence(labels: Sequence[int]) -> bool:
    """True where rows with these labels are enough, and of both classes."""
    return len(labels) >= MINIMUM_SLICE_ROWS and 0 < sum(labels) < len(labels)


def _evaluate_slice(scored: Scored, rows: Sequence[int], method: Method) -> SliceEvaluation:
    labels = [scored.labels[row] for row in rows]
    predictions = [scored.predictions[row] for row in rows]
    metrics = _measure(labels, predictions, method) if is_evidence(labels) else {}
    return SliceEvaluation(rows=len(rows), positives=sum(labels), metrics=metrics)


def _measure(labels: Sequence[int], predictions: Sequence[float], method: Method) -> dict[str, Estimate]:
    values = method.metrics.measure(labels, predictions, threshold=method.threshold)
    drawn = bootstrap(labels, predictions, method)
    return {
        name: Estimate(value=value, low=percentile(drawn[name], 2.5), high=percentile(drawn[name], 97.5))
        for name, value in values.items()
        if math.isfinite(value)
    }


def bootstrap(labels: Sequence[int], predictions: Sequence[float], method: Method) -> Mapping[str, Sequence[float]]:
    return method.metrics.bootstrap(
        labels, predictions, threshold=method.threshold, resamples=method.resamples, seed=method.seed
    )


def percentile(values: Sequence[float], percent: float) -> float:
    """Linear interpolation between the closest ranks (Hyndman and Fan's type 7); NaN as soon as one value is NaN."""
    if not values or any(math.isnan(value) for value in values):
        return math.nan
    ordered = sorted(values)
    place = (len(ordered) - 1) * percent / 100.0
    below = math.floor(place)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (ordered[above] - ordered[below]) * (place - below)


def _calibration(scored: Scored) -> tuple[Calibration, ...]:
    """Bins of about equally many rows; rows of equal prediction stay together, whatever their labels."""
    ordered = sorted(zip(scored.predictions, scored.labels, strict=True))
    size = len(ordered) / _CALIBRATION_BINS
    bins: list[list[tuple[float, int]]] = []
    for _, tied in itertools.groupby(ordered, key=lambda row: row[0]):
        if not bins or len(bins[-1]) >= size:
            bins.append([])
        bins[-1] += tied
    return tuple(
        Calibration(
            predicted=math.fsum(prediction for prediction, _ in part) / len(part),
            observed=sum(label for _, label in part) / len(part),
            rows=len(part),
        )
        for part in bins
    )


def estimates(packed: Mapping[str, Mapping[str, float]]) -> dict[str, Estimate]:
    """Each metric's estimate again, of what ``asdict`` made."""
    return {name: Estimate(**estimate) for name, estimate in packed.items()}
