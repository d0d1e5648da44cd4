"""The expectations that follow from the spec and come before the author's.

An all-missing column passes every range, an empty partition every uniqueness, and the column ``AGE`` says nothing of
``age``: hence the exact columns first, then the rows, then what is missing, and only then what the values are.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any, Final

from flightworthy.expectations.suite import CRITICAL, ROW_EXPECTATIONS, Expectation, Suite
from flightworthy.spec import Feature, Spec

__all__ = ["standing_expectations"]

_SOME: Final = 1e-9
_TYPES: Final = {
    "number": ["float64", "int64"],
    "integer": ["int64", "Int64", "uint64"],
    "category": ["str"],
    "boolean": ["bool"],
}


def standing_expectations(spec: Spec, suite: Suite) -> tuple[Expectation, ...]:
    """What the spec says of every partition; all of it critical but that both classes are there."""
    return tuple(
        replace(each, on_rows=suite.out_of_spec) if _is_of_rows(each) else each for each in _standing(spec, suite)
    )


def _is_of_rows(expectation: Expectation) -> bool:
    """A column in which everything is missing is no matter of single rows."""
    return expectation.type in ROW_EXPECTATIONS and "mostly" not in expectation.kwargs


def _standing(spec: Spec, suite: Suite) -> tuple[Expectation, ...]:
    return (
        _expect("table_columns_to_match_set", column_set=list(_columns(spec, suite)), exact_match=True),
        _expect("table_row_count_to_be_between", min_value=suite.minimum_rows, max_value=suite.maximum_rows),
        _expect("column_values_to_not_be_null", column=spec.entity),
        *_of_target(spec),
        *(each for name, feature in spec.features.items() for each in _of_feature(name, feature)),
    )


def _columns(spec: Spec, suite: Suite) -> dict[str, None]:
    """Each once, in a steady order."""
    said = (spec.source.event_time, spec.source.known_since)
    times = [column for each in said if each is not None for column in each.columns]
    return dict.fromkeys((spec.entity, spec.target, *spec.features, *times, *suite.other_columns))


def _of_target(spec: Spec) -> Iterator[Expectation]:
    # A label that is not known yet may be missing; `dating` asks for it once it is.
    is_due = spec.source.known_since is None
    if is_due:
        yield _expect("column_values_to_not_be_null", column=spec.target)
    # A third class would silently count as not positive.
    yield _expect("column_unique_value_count_to_be_between", column=spec.target, min_value=int(is_due), max_value=2)
    # Of a rare event some partitions have none; `check_expectations` refuses a whole window that has none, or others.
    one_class = _expect("column_unique_value_count_to_be_between", column=spec.target, min_value=2)
    yield replace(one_class, severity="warning")


def _of_feature(name: str, feature: Feature) -> Iterator[Expectation]:
    some = {"mostly": _SOME} if feature.nullable else {}
    yield _expect("column_values_to_not_be_null", column=name, **some)
    # pandas stores whole numbers and booleans with a gap as floats and objects.
    gap = {"integer": ["float64"], "boolean": ["object"]}.get(feature.type, []) if feature.nullable else []
    yield _expect("column_values_to_be_in_type_list", column=name, type_list=[*_TYPES[feature.type], *gap])
    if feature.minimum is not None or feature.maximum is not None:
        yield _expect("column_values_to_be_between", column=name, min_value=feature.minimum, max_value=feature.maximum)
    if feature.values is not None:
        yield _expect("column_values_to_be_in_set", column=name, value_set=list(feature.values))


def _expect(name: str, **kwargs: Any) -> Expectation:
    given = {key: value for key, value in kwargs.items() if value is not None}
    return Expectation(type=f"expect_{name}", kwargs=given, severity=CRITICAL, meta={}, line=None)
