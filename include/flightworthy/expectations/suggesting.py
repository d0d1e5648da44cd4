"""A first suite from real partitions: bounds that they keep, with a margin for what chance alone would move.

Where the partitions are too few or too small to tell chance from change, an expectation only warns. A person edits it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import mean, stdev
from typing import Any, Final

from flightworthy.expectations.profile import Column, Profile
from flightworthy.expectations.suite import CRITICAL
from flightworthy.spec import Feature, Spec

__all__ = ["Suggested", "Suggestion", "suggested"]

_SIGMAS: Final = 4.0
"""How many standard errors a bound lies beyond what was seen: beyond chance over hundreds of partitions and columns."""
_FEW_PARTITIONS: Final = 3
_FEW_ROWS: Final = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Suggestion:
    """One expectation, and what it rests on."""

    type: str
    kwargs: Mapping[str, Any]
    severity: str
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Suggested:
    """A first suite."""

    partitions: int
    rows: int
    minimum_rows: int
    maximum_rows: int
    why_rows: str
    other_columns: tuple[str, ...]
    expectations: tuple[Suggestion, ...]
    unlisted: tuple[str, ...]
    """Categories of which nothing is suggested, since they have too many values to list."""


def suggested(profile: Profile, spec: Spec, *, hidden: frozenset[str]) -> Suggested:
    """What model.yaml says of columns already is not suggested again; values of ``hidden`` columns are not listed."""
    low, high = _of_counts(profile.rows)
    columns = {column.name: column for column in profile.columns}
    times = spec.source.event_time.columns if spec.source.event_time else ()
    known = {spec.entity, spec.target, *spec.features, *times}
    columns |= {name: replace(columns[name], values=None) for name in hidden & columns.keys()}
    features = [(columns[name], feature) for name, feature in spec.features.items() if name in columns]
    return Suggested(
        partitions=len(profile.keys),
        rows=sum(profile.rows),
        minimum_rows=low,
        maximum_rows=high,
        why_rows=f"{min(profile.rows)} to {max(profile.rows)} in {_partitions(profile.keys)}",
        other_columns=tuple(name for name in columns if name not in known),
        expectations=tuple(
            each
            for found in (
                _of_target(columns[spec.target]) if spec.target in columns else (),
                _of_entity(columns[spec.entity]) if spec.entity in columns else (),
                *(_of_feature(column, feature) for column, feature in features),
            )
            for each in found
        ),
        unlisted=tuple(c.name for c, feature in features if feature.type == "category" and c.values is None),
    )


def _of_counts(rows: Sequence[int]) -> tuple[int, int]:
    """Between half of the fewest and twice the most, wider where partitions differ more."""
    spread = _SIGMAS * stdev(rows) * math.sqrt(1 + 1 / len(rows)) if len(rows) > 1 else 0.0
    low, high = min(min(rows) / 2, mean(rows) - spread), max(max(rows) * 2, mean(rows) + spread)
    # Half of the fewest is what a truncated upload must not reach, however much they differ.
    return max(1, math.floor(max(low, min(rows) / 4))), math.ceil(high)


def _of_target(column: Column) -> Iterator[Suggestion]:
    if column.values is not None:
        values = list(column.values)
        yield _suggest(column, "values_to_be_in_set", f"{len(values)} values were seen", value_set=values)
    if column.is_number:
        yield from _of_mean(column, least=_least(column))


def _of_entity(column: Column) -> Iterator[Suggestion]:
    shares = [part.distinct / part.rows for part in column.parts if part.rows]
    rows = min((part.rows for part in column.parts if part.rows), default=1)
    least = min(shares, default=1.0)
    margin = _SIGMAS * math.sqrt(max(least * (1 - least), 1 / rows) / rows)
    yield _suggest(
        column,
        "proportion_of_unique_values_to_be_between",
        f"at least {least:.1%} were different",
        min_value=_down(max(0.0, least - margin), 3),
    )


def _of_feature(column: Column, feature: Feature) -> Iterator[Suggestion]:
    if feature.nullable:
        yield from _of_missing(column)
    if column.is_number:
        yield from _of_mean(column, least=_least(column) if feature.minimum is None else float(feature.minimum))
    elif feature.type == "category" and feature.values is None and column.values:
        yield from _of_categories(column)


def _of_missing(column: Column) -> Iterator[Suggestion]:
    """The largest share that was missing, and what chance adds to it (Wilson's upper bound)."""
    most = max((_wilson(part.missing, part.rows) for part in column.parts if part.rows), default=1.0)
    if most < 1:
        seen = max(part.missing / part.rows for part in column.parts if part.rows)
        why = f"up to {seen:.1%} were missing" if seen else "none was missing"
        yield _suggest(column, "values_to_not_be_null", why, mostly=_down(1 - most, 3))


def _of_mean(column: Column, *, least: float | None) -> Iterator[Suggestion]:
    """Another unit moves a whole partition's mean; by itself it moves by its error, and by what partitions differ."""
    means = [part.mean for part in column.parts if part.mean is not None]
    errors = [
        (part.deviation or 0.0) / math.sqrt(part.rows - part.missing) for part in column.parts if part.mean is not None
    ]
    spread = stdev(means) * math.sqrt(1 + 1 / len(means)) if len(means) > 1 else 0.0
    margin = _SIGMAS * math.hypot(max(errors), spread)
    low, high = min(means) - margin, max(means) + margin
    if min(means) > 0 >= low:
        # What was always positive is not let be zero by its spread: that is what a broken column looks like.
        low = min(means) / 10
    elif least is not None:
        low = max(low, least)
    yield _suggest(
        column,
        "mean_to_be_between",
        f"means were {_shown(min(means))} to {_shown(max(means))}",
        min_value=_rounded(low, math.floor),
        max_value=_rounded(high, math.ceil),
    )


def _of_categories(column: Column) -> Iterator[Suggestion]:
    """The values that were seen. Of others there may be few: fewer than 3 in all that was seen (the rule of three)."""
    filled = column.rows - column.missing
    smallest = min(part.rows for part in column.parts if part.rows)
    expected = smallest * 3 / filled
    allowed = (expected + _SIGMAS * math.sqrt(expected) + 1) / smallest
    values = list(column.values or ())
    yield _suggest(
        column,
        "values_to_be_in_set",
        f"{len(values)} values in {filled} rows, so that others are rarer than 1 in {max(1, filled // 3)}",
        value_set=values,
        mostly=_down(max(0.8, 1 - allowed), 3),
    )


def _least(column: Column) -> float | None:
    """The smallest value, where all of them were listed."""
    numbers = [float(value) for value in column.values or () if isinstance(value, int | float)]
    return min(numbers, default=None)


def _suggest(column: Column, name: str, why: str, **kwargs: Any) -> Suggestion:
    is_thin = len(column.parts) < _FEW_PARTITIONS or column.rows - column.missing < _FEW_ROWS
    return Suggestion(
        type=f"expect_column_{name}",
        kwargs={"column": column.name, **kwargs},
        severity="warning" if is_thin else CRITICAL,
        why=f"{why}; too little data to refuse by" if is_thin else why,
    )


def _wilson(count: int, rows: int) -> float:
    share, square = count / rows, _SIGMAS**2
    centre = share + square / (2 * rows)
    half = _SIGMAS * math.sqrt(share * (1 - share) / rows + square / (4 * rows**2))
    return min(1.0, (centre + half) / (1 + square / rows))


def _rounded(value: float, towards: Callable[[float], int]) -> float:
    """To three digits, outwards."""
    if not value:
        return 0.0
    scale = 10.0 ** (2 - math.floor(math.log10(abs(value))))
    return float(f"{towards(value * scale) / scale:.6g}")


def _down(share: float, digits: int) -> float:
    return float(math.floor(share * 10**digits) / 10**digits)


def _shown(value: float) -> str:
    return f"{value:.4g}"


def _partitions(keys: Sequence[str]) -> str:
    return f"partition {keys[0]}" if len(keys) == 1 else f"{len(keys)} partitions, {keys[0]} to {keys[-1]}"
