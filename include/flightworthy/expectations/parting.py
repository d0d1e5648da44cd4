"""Which rows of a refused partition are set aside, so that the rest can go on."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from typing import Any, Final

from flightworthy.expectations.suite import Expectation, FailedExpectation
from flightworthy.quarantine import RefusedRows

__all__ = ["asking", "refused_rows", "too_few"]

_LONGEST: Final = 120
_KWARGS: Final = ("column", "column_A", "column_B", "column_list")


def asking(expectations: Sequence[Expectation], columns: Sequence[str]) -> tuple[Expectation, ...]:
    """Those whose rows are to be set aside; of columns that are there."""
    present = set(columns)
    return tuple(each for each in expectations if each.on_rows == "quarantine" and present.issuperset(each.columns))


def refused_rows(expectations: Sequence[Expectation], places: Sequence[Sequence[int]], *, rows: int) -> RefusedRows:
    """Every row at one of the ``places`` of an expectation, with each of its reasons; of ``rows`` in all."""
    reasons: dict[int, list[str]] = {}
    objections = []
    for expectation, unmet in zip(expectations, places, strict=True):
        if not unmet:
            continue
        told = _told(expectation)
        objections.append(_counted(expectation, len(unmet), rows).told)
        for place in unmet:
            reasons.setdefault(place, []).append(told)
    ordered = sorted(reasons)
    return RefusedRows(
        places=tuple(ordered), reasons=tuple(tuple(reasons[each]) for each in ordered), objections=tuple(objections)
    )


def too_few(refused: RefusedRows, *, rows: int, keep_at_least: float) -> str | None:
    """Why the rest may not go on, if too little is left."""
    left = rows - len(refused.places)
    if left >= keep_at_least * rows and left > 0:
        return None
    return (
        f"{len(refused.places)} of {rows} rows would go to quarantine, which leaves {left / rows:.1%}; "
        f"rows.keep_at_least is {keep_at_least:.1%}"
    )


def _counted(expectation: Expectation, unmet: int, rows: int) -> FailedExpectation:
    return FailedExpectation(
        expectation=expectation.type,
        column=next(iter(expectation.columns), None),
        observed=f"{unmet} of {rows} rows do not",
        severity=expectation.severity,
    )


def _told(expectation: Expectation) -> str:
    """``age: values to be between (min_value 16, max_value 100)``: what is asked, since the row shows what is there."""
    words = expectation.type.removeprefix("expect_").removeprefix("column_").replace("_", " ")
    asked = _arguments({name: said for name, said in expectation.kwargs.items() if name not in _KWARGS})
    columns = ", ".join(expectation.columns)
    return f"{columns}: {words}{asked}" if columns else f"{words}{asked}"


def _arguments(kwargs: Mapping[str, Any]) -> str:
    said = ", ".join(f"{name} {said}" for name, said in kwargs.items())
    return f" ({textwrap.shorten(said, _LONGEST, placeholder=' …')})" if said else ""
