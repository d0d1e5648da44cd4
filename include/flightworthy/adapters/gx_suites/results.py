"""What was seen where an expectation failed, in a line that needs no knowledge of Great Expectations' shapes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from flightworthy.expectations import Expectation, FailedExpectation

__all__ = ["absent", "failure", "untold"]

_LONGEST: Final = 160
_QUOTE: Final = '"'
_WANTED: Final = ("min_value", "max_value", "value", "type_", "type_list")
"""In the author's own words, since nobody should have to look them up beside what was seen."""


def absent(expectation: Expectation, present: set[str]) -> FailedExpectation:
    """An expectation about a column that is not there; the library would show a traceback."""
    missing = [name for name in expectation.columns if name not in present]
    return FailedExpectation(
        expectation=expectation.type,
        column=missing[0],
        observed="the column is not there",
        severity=expectation.severity,
    )


def untold(expectation: Expectation, why: str) -> FailedExpectation:
    """An expectation that no engine was asked, and why."""
    return FailedExpectation(
        expectation=expectation.type,
        column=next(iter(expectation.columns), None),
        observed=f"could not be evaluated: {why}",
        severity=expectation.severity,
    )


def failure(result: Mapping[str, Any]) -> FailedExpectation:
    """A failed result of the library's, as JSON holds it."""
    configuration = result["expectation_config"]
    kwargs = configuration["kwargs"]
    return FailedExpectation(
        expectation=configuration["type"],
        column=kwargs.get("column") or kwargs.get("column_A"),
        observed=_observed(result),
        severity=configuration.get("severity") or "critical",
    )


def _observed(result: Mapping[str, Any]) -> str:
    """What was seen, in a line; the shapes are Great Expectations', one per kind of expectation."""
    said = result["result"]
    raised = result.get("exception_info") or {}
    if raised.get("raised_exception") or not said:
        each = (
            [raised] if "raised_exception" in raised else [one for one in raised.values() if isinstance(one, Mapping)]
        )
        messages = sorted({str(one.get("exception_message")) for one in each}) or ["it gave no result"]
        return _in_a_line(f"could not be evaluated: {'; '.join(messages)}")
    if mismatched := (said.get("details") or {}).get("mismatched"):
        return _in_a_line(_mismatched(mismatched))
    if said.get("unexpected_count"):
        return _in_a_line(_unexpected(said))
    if said.get("observed_value") is None:
        return _in_a_line(f"expected {result['expectation_config']['kwargs'].get('value_set', 'otherwise')}")
    kwargs = result["expectation_config"]["kwargs"]
    wanted = ", ".join(f"{name} is {kwargs[name]}" for name in _WANTED if kwargs.get(name) is not None)
    return _in_a_line(f"observed {said['observed_value']}{wanted and f'; {wanted}'}")


def _mismatched(said: Any) -> str:
    if isinstance(said, Mapping):
        return "; ".join(f"{what} {', '.join(str(name).strip(_QUOTE) for name in said[what])}" for what in sorted(said))
    first = said[0]
    return f"column {first['Expected Column Position']} is {first['Found']}, expected {first['Expected']}"


def _unexpected(said: Mapping[str, Any]) -> str:
    examples = dict.fromkeys(_example(value) for value in said.get("partial_unexpected_list", []) if value is not None)
    counted = (
        f"{said['unexpected_count']} of {said['element_count']} are not"
        if "element_count" in said
        else "there are others"
    )
    return f"{counted}, such as {', '.join(examples)}" if examples else counted


def _example(value: Any) -> str:
    if isinstance(value, list | tuple):
        return f"({', '.join(_example(each) for each in value)})"
    return repr(value.item() if hasattr(value, "item") else value)


def _in_a_line(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _LONGEST else f"{line[: _LONGEST - 1]}…"
