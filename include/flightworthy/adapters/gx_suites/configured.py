"""Expectations as Great Expectations' own, or what is wrong with how they are written; no rows are needed to know."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from great_expectations.exceptions.exceptions import GreatExpectationsError
from great_expectations.expectations.expectation_configuration import ExpectationConfiguration
from great_expectations.expectations.metadata_types import FailureSeverity

from flightworthy.errors import SpecError
from flightworthy.expectations import Engine, Expectation

__all__ = ["configured", "misunderstood"]


def misunderstood(expectations: Sequence[Expectation]) -> list[str]:
    """What is wrong with each that cannot be asked of any rows, with its line."""
    said = []
    for each in expectations:
        try:
            configured(each, "pandas")
        except SpecError as error:
            said.append(error.message)
    return said


def configured(expectation: Expectation, engine: Engine) -> Any:
    """The library's own expectation. Raises `SpecError` where it does not take the kwargs, or no row can meet them."""
    kwargs = dict(expectation.kwargs)
    if engine == "duckdb" and kwargs.get("column_set"):
        # On databases the library takes AGE for age, unless a name is quoted.
        kwargs["column_set"] = [f'"{name}"' for name in kwargs["column_set"]]
    configuration = ExpectationConfiguration(
        type=expectation.type,
        kwargs=kwargs,
        meta=dict(expectation.meta),
        severity=FailureSeverity(expectation.severity),
    )
    try:
        asked = configuration.to_domain_obj()
    except (ValueError, TypeError, GreatExpectationsError) as error:
        raise _wrong(expectation, f"Great Expectations does not take these kwargs: {_sentence(error)}") from error
    if why := _unmeetable(kwargs):
        raise _wrong(expectation, why)
    return asked


def _unmeetable(kwargs: dict[str, Any]) -> str | None:
    """Why no rows can meet it: the library would ask, and refuse every partition."""
    low, high = kwargs.get("min_value"), kwargs.get("max_value")
    if isinstance(low, int | float) and isinstance(high, int | float) and low > high:
        return f"min_value ({low}) is above max_value ({high}); no value is between them"
    for expression in [kwargs.get("regex"), *(kwargs.get("regex_list") or ())]:
        try:
            re.compile(expression or "")
        except (re.error, TypeError) as error:
            return f"{expression!r} is no regular expression: {error}"
    return None


def _wrong(expectation: Expectation, why: str) -> SpecError:
    place = f"{expectation.file}:{expectation.line}" if expectation.line else "the spec"
    return SpecError(
        f"{place}: {expectation.type}: {why}",
        file=expectation.file,
        line=expectation.line,
        key=expectation.type,
    )


def _sentence(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    # pydantic begins with a count; the fields and what is wrong with them follow.
    return " ".join(lines[1:]) if len(lines) > 1 else " ".join(lines)
