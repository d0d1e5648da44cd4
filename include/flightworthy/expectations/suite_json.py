"""A suite as Great Expectations saves it, dropped beside suite.yaml or in its stead.

Both forms are read: that of 1.x (``type``, ``severity``) and that of before (``expectation_type``). What the library
notes for itself, such as ids, is passed over; what would change the meaning and is not read here is refused.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from flightworthy.expectations.suite import (
    CRITICAL,
    EXPECTATIONS,
    SEVERITIES,
    Expectation,
    foreign_row_condition,
    unknown_type,
)
from flightworthy.spec.reading import spec_error
from flightworthy.spec.written import At, Problem, Written

__all__ = ["FILE", "expectations_from"]

FILE: Final = "suite.json"
_OF_SUITE: Final = frozenset(
    {
        "expectations", "name", "expectation_suite_name", "id", "ge_cloud_id", "meta", "notes", "data_asset_type",
        "suite_parameters", "evaluation_parameters",
    }
)  # fmt: skip
_TYPE: Final = ("type", "expectation_type")
_READ: Final = frozenset({*_TYPE, "kwargs", "meta", "severity"})
_PASSED_OVER: Final = frozenset(
    {
        "id", "ge_cloud_id", "notes", "description", "rendered_content", "success_on_last_run", "expectation_context",
        "windows",
    }
)  # fmt: skip
_OF_A_RUN: Final = frozenset({"batch_id", "result_format", "include_config", "catch_exceptions"})
"""Arguments that say how a run is told of, not what is expected."""
_PARAMETERS: Final = ("$PARAMETER", "$SUITE_PARAMETER")


def expectations_from(written: Written, *, folder: Path) -> tuple[Expectation, ...]:
    """The expectations of a file that was read; raises `SpecError` with the line of everything that is wrong."""
    problems = [*written.problems, *_problems(written)]
    if problems:
        raise spec_error(written.file, problems, folder=folder)
    return tuple(
        Expectation(
            type=_type_of(said),
            kwargs={name: value for name, value in said["kwargs"].items() if name not in _OF_A_RUN},
            severity=said.get("severity") or CRITICAL,
            meta=said.get("meta") or {},
            line=written.line(("expectations", place)),
            file=written.file,
        )
        for place, said in enumerate(written.values["expectations"])
    )


def _type_of(said: Mapping[str, Any]) -> Any:
    return next((said[name] for name in _TYPE if name in said), None)


def _problems(written: Written) -> Iterator[Problem]:
    if not isinstance(written.values, Mapping) or not isinstance(written.values.get("expectations"), list):
        message = "has no list of expectations; save a suite with Great Expectations' own `suite.to_json_dict()`"
        yield written.problem((), message, show=False)
        return
    for key in written.values:
        if key not in _OF_SUITE:
            yield written.problem((key,), "is no part of a suite that is read here; take it out", show=False)
    for place, said in enumerate(written.values["expectations"]):
        at: At = ("expectations", place)
        if isinstance(said, Mapping):
            yield from _problems_of(written, at, said)
        else:
            yield written.problem(at, 'must be {"type": …, "kwargs": …}')


def _problems_of(written: Written, at: At, said: Mapping[str, Any]) -> Iterator[Problem]:
    for key in said.keys() - _READ - _PASSED_OVER:
        yield written.problem((*at, key), "is not read here, and might change the meaning; take it out", show=False)
    kind, named = _type_of(said), next((name for name in _TYPE if name in said), _TYPE[0])
    if kind not in EXPECTATIONS:
        yield written.problem((*at, named), unknown_type(kind))
    if (said.get("severity") or CRITICAL) not in SEVERITIES:
        yield written.problem((*at, "severity"), f"must be one of {', '.join(SEVERITIES)}")
    kwargs = said.get("kwargs")
    if not isinstance(kwargs, Mapping):
        yield written.problem((*at, "kwargs"), 'must be a mapping, like {"column": "age", "min_value": 0}')
        return
    if (why := foreign_row_condition(kwargs)) is not None:
        yield written.problem((*at, "kwargs", "row_condition"), why)
    for name, value in kwargs.items():
        if isinstance(value, Mapping) and any(key in value for key in _PARAMETERS):
            message = "is a parameter of a run; write the value out"
            yield written.problem((*at, "kwargs", name), message, show=False)
