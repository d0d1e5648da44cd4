"""What only shows beside other partitions, or in how columns go together; decided over counts, so without any rows.

The reference is what the window holds from before: partitions that were checked and stand.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from statistics import NormalDist, median
from typing import Any, Final, Protocol

from flightworthy.expectations.ranking import Rank, leak_among
from flightworthy.expectations.suite import Comparison, FailedExpectation
from flightworthy.partition import start_of
from flightworthy.spec import Spec

__all__ = ["Asked", "Counts", "PartitionCounter", "Times", "asked_of", "compare", "times_of"]

_OF_TIME: Final = ("freshness", "future")
_CHANCE: Final = 0.001
"""How often a partition may be objected to though nothing is the matter, over all groups or features together."""
_USUAL: Final = 3
"""Of fewer partitions than this nobody can say how many rows are usual."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What has to be counted."""

    target: str
    positive: object
    features: Mapping[str, str]
    """Name → type, as model.yaml says it."""
    slices: tuple[str, ...]
    times: tuple[str, ...]
    """Columns that say when a row happened, or since when it is known."""
    suspect_above: float | None
    """How well a feature must rank the label for a look at how it did before; None: no feature is ranked."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """What was counted in a partition and in its reference."""

    rows: int
    reference_rows: int
    reference_partitions: int
    labels: Mapping[str, tuple[int, int]]
    """Group (``""`` is everybody, else ``Sex=Male``) → how many labels are positive, of how many."""
    reference_labels: Mapping[str, tuple[int, int]]
    bins: Mapping[str, tuple[Sequence[int], Sequence[int]]]
    """Feature → rows per bin, here and in the reference; a bin is an equal share of the reference, or a category."""
    ranks: Mapping[str, Sequence[Rank]]
    """Feature → how well it tells the label alone: in the partition, then in more and more of the latest ones with it,
    until they are enough."""
    duplicates: int
    """Rows that repeat another row of the partition in every column."""
    repeats: int
    """Rows that stand in the reference already, in every column."""
    retimed: int
    """Rows that stand in the reference already, in every column but those that say when; 0 where none does."""


class PartitionCounter(Protocol):
    """Whoever counts."""

    def count(self, files: Sequence[object], reference: Sequence[object], asked: Asked) -> Counts:
        """Counts of the Parquet files of a partition, and of those of its reference (there may be none)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Times:
    """Where a partition stands in time."""

    ahead: float
    """Days from now until it begins; negative for the past."""
    gap: float | None
    """Days since the partition before it, as a multiple of the window's median; None if nothing is usual yet."""


def times_of(key: str, before: Sequence[str], *, pattern: str, now: datetime) -> Times:
    """Of a partition's key and the keys before it in its window, in time order."""
    begins = [start_of(each, pattern) for each in (*before, key)]
    gaps = [(later - earlier) / timedelta(days=1) for earlier, later in pairwise(begins)]
    usual = median(gaps[:-1]) if len(gaps) > 2 else 0.0
    return Times(ahead=(begins[-1] - now) / timedelta(days=1), gap=gaps[-1] / usual if usual else None)


def asked_of(spec: Spec, comparisons: Mapping[str, Comparison]) -> Asked:
    """What the comparisons of a model need counted."""
    slices = comparisons["slice_label_rate"].columns if "slice_label_rate" in comparisons else ()
    times, leak = (spec.source.event_time, spec.source.known_since), comparisons.get("leak")
    return Asked(
        target=spec.target,
        positive=spec.positive,
        features={name: feature.type for name, feature in spec.features.items()},
        slices=slices if slices is not None else spec.evaluation.slices,
        times=tuple(column for said in times if said is not None for column in said.columns),
        suspect_above=None if leak is None else leak.at_most,
    )


def compare(counts: Counts, times: Times, comparisons: Mapping[str, Comparison]) -> tuple[FailedExpectation, ...]:
    """Every comparison that the partition does not stand, with the numbers it rests on."""
    rules: dict[str, Callable[[Any, float], Iterator[tuple[str | None, str]]]] = {
        "distribution": _distribution,
        "label_rate": _label_rate,
        "slice_label_rate": _slice_label_rate,
        "leak": _leak,
        "duplicates": _duplicates,
        "repeats": _repeats,
        "retimed": _retimed,
        "volume": _volume,
        "freshness": _freshness,
        "future": _future,
    }
    return tuple(
        FailedExpectation(expectation=name, column=column, observed=observed, severity=comparison.severity)
        for name, comparison in comparisons.items()
        for column, observed in rules[name](times if name in _OF_TIME else counts, comparison.at_most)
        if column is None or name == "slice_label_rate" or column not in (comparison.columns or ())
    )


def _distribution(counts: Counts, at_most: float) -> Iterator[tuple[str | None, str]]:
    for feature, (here, before) in counts.bins.items():
        if not sum(here) or not sum(before):
            continue
        distance = sum(abs(a / sum(here) - b / sum(before)) for a, b in zip(here, before, strict=True)) / 2
        # Few rows leave bins empty: this much distance two samples of the same thing have by chance, three sigma.
        noise = 1.5 * math.sqrt(len(here) / sum(here)) * math.sqrt(2 / math.pi)
        if not distance <= max(at_most, min(noise, 0.95)):
            yield (
                feature,
                f"{distance:.0%} of the {sum(here)} rows lie elsewhere than in the {sum(before)} before them",
            )


def _label_rate(counts: Counts, at_most: float) -> Iterator[tuple[str | None, str]]:
    (positive, rows), (positive_before, rows_before) = (
        labels.get("", (0, 0)) for labels in (counts.labels, counts.reference_labels)
    )
    if not rows or not rows_before:
        return
    rate, before = positive / rows, positive_before / rows_before
    pooled = (positive + positive_before) / (rows + rows_before)
    error = math.sqrt(pooled * (1 - pooled) * (1 / rows + 1 / rows_before))
    if abs(rate - before) > at_most and not abs(rate - before) <= _beyond_chance(1) * error:
        yield None, f"{rate:.1%} of {rows} labels are positive, of the {rows_before} before them {before:.1%}"


def _slice_label_rate(counts: Counts, at_most: float) -> Iterator[tuple[str | None, str]]:
    """A group against everybody else, then and now: what moves all labels alike moves no group away from the rest.

    The odds ratio of two 2 x 2 tables, with half a row added to each cell (Haldane), on the log scale (Woolf).
    """
    groups = [group for group in counts.labels if group and counts.reference_labels.get(group, (0, 0))[1]]
    for group in groups:
        odds = [_log_odds_ratio(labels[group], labels[""]) for labels in (counts.labels, counts.reference_labels)]
        (now, variance), (before, variance_before) = odds
        apart, error = abs(now - before), math.sqrt(variance + variance_before)
        if apart > at_most and not apart <= _beyond_chance(len(groups)) * error:
            yield (
                group.partition("=")[0],
                _moved(group, counts.labels[group], counts.reference_labels[group]),
            )


def _moved(group: str, here: tuple[int, int], before: tuple[int, int]) -> str:
    now = f"{here[0] / here[1]:.1%} of {here[1]}" if here[1] else "none of 0"
    then = f"{before[0] / before[1]:.1%} of {before[1]}"
    return f"where {group}, {now} labels are positive, before {then}; the others did not move so"


def _log_odds_ratio(group: tuple[int, int], everybody: tuple[int, int]) -> tuple[float, float]:
    (positive, rows), (all_positive, all_rows) = group, everybody
    cells = (positive, rows - positive, all_positive - positive, all_rows - all_positive - rows + positive)
    a, b, c, d = (cell + 0.5 for cell in cells)
    return math.log(a * d / (b * c)), 1 / a + 1 / b + 1 / c + 1 / d


def _beyond_chance(tests: int) -> float:
    """How many standard errors, so that all the tests together object by chance as seldom as one (Bonferroni)."""
    return NormalDist().inv_cdf(1 - _CHANCE / 2 / tests)


def _leak(counts: Counts, at_most: float) -> Iterator[tuple[str | None, str]]:
    sigmas = _beyond_chance(max(1, sum(map(len, counts.ranks.values()))))
    for feature, ranks in counts.ranks.items():
        if (leak := leak_among(ranks, at_most, sigmas=sigmas)) is not None:
            yield feature, _leaked(leak)


def _leaked(leak: Rank) -> str:
    latest = f" of the latest {leak.partitions} partitions" if leak.partitions > 1 else ""
    rows = f"{leak.positives + leak.negatives} rows{latest}, {leak.positives} of them positive"
    usual = f"; in the partitions before, {leak.before.best:.3f}" if leak.before is not None else ""
    return f"tells the label alone, with a ROC AUC of {leak.best:.3f} on {rows}{usual}"


def _duplicates(counts: Counts, at_most: float) -> Iterator[tuple[str | None, str]]:
    if not counts.duplicates <= at_most * counts.rows:
        yield None, f"{counts.duplicates} of {counts.rows} rows repeat another row in every column"


def _repeats(counts: Counts, at_most: float) -> Iterator[tuple[str | None, str]]:
    if not counts.repeats <= at_most * counts.rows:
        yield None, f"{counts.repeats} of {counts.rows} rows stand in an earlier partition already, in every column"


def _retimed(counts: Counts, at_most: float) -> Iterator[tuple[str | None, str]]:
    if not counts.retimed <= at_most * counts.rows:
        yield None, f"{counts.retimed} of {counts.rows} rows stand in an earlier partition already, but for their time"


def _volume(counts: Counts, at_most: float) -> Iterator[tuple[str | None, str]]:
    if counts.reference_partitions < _USUAL:
        return
    usual = counts.reference_rows / counts.reference_partitions
    if not usual <= at_most * counts.rows:
        yield None, f"{counts.rows} rows, and the {counts.reference_partitions} partitions before have {usual:.0f} each"


def _freshness(times: Times, at_most: float) -> Iterator[tuple[str | None, str]]:
    if times.gap is not None and not times.gap <= at_most:
        yield None, f"the partition before it is {times.gap:.1f} times as old as is usual in its window"


def _future(times: Times, at_most: float) -> Iterator[tuple[str | None, str]]:
    if not times.ahead <= at_most:
        yield None, f"it begins {times.ahead:.1f} days from now"
