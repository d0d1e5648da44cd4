"""Rules that run beside the rows, in the executors' Python, on a batch of one column: true, false, or missing.

They take pyarrow, and nothing else that an executor need not have: no pandas, no Great Expectations, no Flightworthy.
They are sent to it by value. Each says of a value what the library's own rule for pandas says.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

__all__ = ["Rule", "is_date", "is_json", "is_of_format", "is_of_schema", "lengths", "matches"]

Rule = Callable[[pa.Array], pa.Array]


def matches(patterns: Iterable[tuple[str, bool]], *, every: bool) -> Rule:
    """Whether a value, as text, matches any or every pattern: by RE2, or by Python where the second says so."""
    asked = list(patterns)

    def told(values: pa.Array) -> pa.Array:
        text = _as_text(values)
        said = [_found(text, pattern, by_python=by_python) for pattern, by_python in asked]
        together = said[0]
        for each in said[1:]:
            together = (pc.and_kleene if every else pc.or_kleene)(together, each)
        return together

    return told


def _as_text(values: pa.Array) -> pa.Array:
    if pa.types.is_string(values.type) or pa.types.is_large_string(values.type):
        return values
    return pa.array([None if value is None else str(value) for value in values.to_pylist()], pa.string())


def _found(text: pa.Array, pattern: str, *, by_python: bool) -> pa.Array:
    if not by_python:
        return pc.match_substring_regex(text, pattern)
    search = re.compile(pattern).search
    return pa.array([None if value is None else search(value) is not None for value in text.to_pylist()], pa.bool_())


def lengths(values: pa.Array) -> pa.Array:
    """How long a value is as text."""
    return pc.cast(pc.utf8_length(_as_text(values)), pa.int64())


def is_json(values: pa.Array) -> pa.Array:
    """Whether text is JSON."""

    def told(value: Any) -> bool:
        try:
            json.loads(value)
        except (ValueError, TypeError, RecursionError):
            return False
        return True

    return _each(values, told)


def is_of_schema(schema: dict[str, Any]) -> Rule:
    """Whether JSON meets a schema. Executors need jsonschema."""

    def told(value: Any) -> bool:
        import jsonschema

        try:
            jsonschema.validate(json.loads(value), schema)
        except (jsonschema.ValidationError, ValueError):
            return False
        return True

    def of_schema(values: pa.Array) -> pa.Array:
        return _each(values, told)

    return of_schema


def is_of_format(written: str) -> Rule:
    """Whether text is a time in this `strftime` format; what is no text raises."""

    def told(value: Any) -> bool:
        try:
            datetime.strptime(value, written)  # noqa: DTZ007 # whether it can be read is all
        except ValueError:
            return False
        return True

    def of_format(values: pa.Array) -> pa.Array:
        return _each(values, told)

    return of_format


def is_date(values: pa.Array) -> pa.Array:
    """Whether text is a date of any form that dateutil reads; what is no text raises. Executors need dateutil."""
    from dateutil.parser import parse

    def told(value: Any) -> bool:
        if type(value) is not str:
            raise TypeError("dates are read from text")
        try:
            parse(value)
        except (ValueError, OverflowError):
            return False
        return True

    return _each(values, told)


def _each(values: pa.Array, told: Callable[[Any], bool]) -> pa.Array:
    return pa.array([None if value is None else told(value) for value in values.to_pylist()], pa.bool_())
