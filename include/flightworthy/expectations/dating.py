"""What follows from `source.known_since` of each row's times; it is asked of the store, since no engine knows it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

from flightworthy.expectations.suite import CRITICAL, Expectation, FailedExpectation, Suite
from flightworthy.known import KnownSince, Odd, RowTimes
from flightworthy.partition import start_of
from flightworthy.spec import Spec

__all__ = ["dating_expectations", "dating_failures", "row_times"]

_TYPES: Final = ("expect_known_since_to_be_a_time", "expect_known_since_to_be_no_earlier_than_the_event")
_LABELLED: Final = "expect_label_to_be_there_once_it_is_known"


def row_times(spec: Spec, key: str, now: datetime) -> RowTimes | None:
    """What the rows of a partition are held to; None where they do not say since when they are known."""
    if (since := spec.rows_known_since) is None:
        return None
    event = spec.source.event_time
    return RowTimes(
        known_since=since,
        happened=None if event is None else KnownSince(columns=event.columns, written=event.format),
        begins=start_of(key, spec.source.partition),
        now=now,
    )


def dating_expectations(spec: Spec, suite: Suite, times: RowTimes) -> tuple[Expectation, ...]:
    """One for each answer of `flightworthy.expectations.CheckedStore.odd_times`, in its order."""
    since = times.known_since
    said: dict[str, Any] = {"column_list": list(since.columns), **({"written": since.written} if since.written else {})}
    asked = [*((kind, said) for kind in _TYPES), (_LABELLED, {"column": spec.target})]
    return tuple(
        Expectation(type=kind, kwargs=kwargs, severity=CRITICAL, meta={}, line=None, on_rows=suite.out_of_spec)
        for kind, kwargs in asked
    )


def dating_failures(expectations: Sequence[Expectation], odd: Sequence[Odd], *, rows: int) -> list[FailedExpectation]:
    """Those that are not met, each with the first row that does not meet it, counted from 0."""
    return [
        FailedExpectation(
            expectation=expectation.type,
            column=" ".join(expectation.columns),
            observed=f"{len(found.places)} of {rows} rows do not, such as row {found.places[0]}, known since "
            f"{found.example!r}",
            severity=expectation.severity,
        )
        for expectation, found in zip(expectations, odd, strict=True)
        if found.places
    ]
