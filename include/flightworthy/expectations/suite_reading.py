"""What suite.yaml says, and everything that is wrong with it at once.

The file has the form of Great Expectations' own suites, in YAML::

    engine: duckdb                              # or pandas, which holds all rows in memory, or spark, on a cluster
    rows: {minimum: 20, keep_at_least: 95%}     # of one partition; at least one row unless it says otherwise
    comparisons: {slice_label_rate: {severity: critical, slices: [region]}, leak: null}
    other_columns: [Year, Month]                # in the source, but neither feature, target nor entity
    expectations:
      - type: expect_column_values_to_be_between
        kwargs: {column: age, min_value: 16}
        severity: warning                       # reported; without it (critical) the partition is refused
      - type: expect_column_values_to_not_be_in_set
        kwargs: {column: site, value_set: [test]}
        rows: quarantine                        # these rows wait in quarantine, and the rest goes on
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Final, get_args

from flightworthy.expectations.suite import (
    COMPARISONS,
    CRITICAL,
    EXPECTATIONS,
    ROW_EXPECTATIONS,
    SEVERITIES,
    Comparison,
    Engine,
    Expectation,
    OnRows,
    Suite,
    foreign_row_condition,
    unknown_type,
)
from flightworthy.spec.quantities import read_share
from flightworthy.spec.reading import spec_error
from flightworthy.spec.written import At, Problem, Written

__all__ = ["NOTHING", "suite_from"]

_COLUMNS: Final = {"slice_label_rate": "slices", "distribution": "apart", "leak": "apart"}
"""Which comparisons take a list of columns, and under which name."""
_SECTIONS: Final = ("engine", "rows", "comparisons", "other_columns", "expectations")
_KEYS: Final = ("type", "kwargs", "severity", "meta", "rows")
_OF_ROWS: Final = ("minimum", "maximum", "keep_at_least", "out_of_spec")
_COUNTS: Final = ("minimum", "maximum")


NOTHING: Final = Suite(
    engine="duckdb", minimum_rows=1, maximum_rows=None, other_columns=(), comparisons=COMPARISONS, expectations=(),
)  # fmt: skip
"""What holds where no suite.yaml says anything: the spec's own expectations, and the comparisons as usual."""


def suite_from(written: Written, *, folder: Path) -> Suite:
    """Make a suite of a file that was read; raises `SpecError` with the line of everything that is wrong."""
    problems = [*written.problems, *_problems(written)]
    if problems:
        raise spec_error(written.file, problems, folder=folder)
    rows = written.values.get("rows") or {}
    return Suite(
        engine=written.values.get("engine", "duckdb"),
        minimum_rows=rows.get("minimum", 1),
        maximum_rows=rows.get("maximum"),
        other_columns=tuple(written.values.get("other_columns") or ()),
        keep_at_least=None if "keep_at_least" not in rows else read_share(rows["keep_at_least"]),
        out_of_spec=rows.get("out_of_spec", "refuse"),
        comparisons=dict(_comparisons(written.values.get("comparisons") or {})),
        expectations=tuple(
            Expectation(
                type=said["type"],
                kwargs=said["kwargs"],
                severity=said.get("severity", CRITICAL),
                meta=said.get("meta", {}),
                line=written.line(("expectations", place)),
                on_rows=said.get("rows", "refuse"),
            )
            for place, said in enumerate(written.values["expectations"])
        ),
    )


def _comparisons(written: Mapping[str, Any]) -> Iterator[tuple[str, Comparison]]:
    for name, usual in COMPARISONS.items():
        said = written.get(name, {})
        if said is not None:
            columns = said.get(_COLUMNS.get(name, ""))
            given = {key: said[key] for key in ("severity", "at_most") if key in said}
            yield name, replace(usual, **given, columns=None if columns is None else tuple(columns))


def _problems(written: Written) -> Iterator[Problem]:
    if not isinstance(written.values, Mapping) or not isinstance(written.values.get("expectations"), list):
        message = "must have a list of expectations; an empty one, [], adds nothing to the spec's own"
        yield written.problem((), message, show=False)
        return
    for key in written.values:
        if key not in _SECTIONS:
            yield written.problem((key,), f"unknown key; known are {', '.join(_SECTIONS)}", show=False)
    if written.values.get("engine", "duckdb") not in get_args(Engine):
        yield written.problem(("engine",), f"must be {' or '.join(get_args(Engine))}")
    yield from _problems_of_rows(written, written.values.get("rows") or {})
    others = written.values.get("other_columns") or []
    if not isinstance(others, list) or not all(isinstance(name, str) for name in others):
        yield written.problem(("other_columns",), "must be a list of column names")
    yield from _problems_of_comparisons(written, written.values.get("comparisons") or {})
    for place, said in enumerate(written.values["expectations"]):
        yield from _problems_of_expectation(written, ("expectations", place), said)
    yield from _problems_of_quarantine(written)


def _problems_of_rows(written: Written, rows: Any) -> Iterator[Problem]:
    if not isinstance(rows, Mapping):
        yield written.problem(("rows",), "must be {minimum: …, maximum: …}")
        return
    for name, said in rows.items():
        if name not in _OF_ROWS:
            yield written.problem(("rows", name), f"unknown key; known are {', '.join(_OF_ROWS)}", show=False)
        elif name in _COUNTS and (type(said) is not int or said < 1):
            # Zero rows would pass every expectation there is.
            yield written.problem(("rows", name), "must be a whole number, 1 or more")
        elif name == "keep_at_least":
            yield from _problems_of_floor(written, said)
        elif name == "out_of_spec" and said not in get_args(OnRows):
            yield written.problem(("rows", name), f"must be {' or '.join(get_args(OnRows))}")
    counts = [rows[name] for name in _COUNTS if name in rows]
    if len(counts) > 1 and all(type(each) is int for each in counts) and counts[1] < counts[0]:
        yield written.problem(("rows", "maximum"), "must not be below the minimum: nothing would pass")


def _problems_of_floor(written: Written, said: Any) -> Iterator[Problem]:
    try:
        share = read_share(said)
    except ValueError as error:
        yield written.problem(("rows", "keep_at_least"), str(error))
        return
    if not share > 0:
        yield written.problem(("rows", "keep_at_least"), "must be more than 0%: nothing would be left to go on")


def _problems_of_quarantine(written: Written) -> Iterator[Problem]:
    """Rows wait alone only above a floor that somebody has named."""
    rows = written.values.get("rows")
    rows = rows if isinstance(rows, Mapping) else {}
    asking = [
        ("expectations", place, "rows")
        for place, said in enumerate(written.values["expectations"])
        if isinstance(said, Mapping) and said.get("rows") == "quarantine"
    ] + ([("rows", "out_of_spec")] if rows.get("out_of_spec") == "quarantine" else [])
    if asking and "keep_at_least" not in rows:
        message = "needs rows.keep_at_least, the share of a partition that must be left, such as 95%"
        yield written.problem(asking[0], message)


def _problems_of_comparisons(written: Written, comparisons: Any) -> Iterator[Problem]:
    if not isinstance(comparisons, Mapping):
        yield written.problem(("comparisons",), f"must be a mapping of {', '.join(COMPARISONS)}")
        return
    for name, said in comparisons.items():
        at = ("comparisons", name)
        if name not in COMPARISONS:
            yield written.problem(at, f"unknown comparison; known are {', '.join(COMPARISONS)}", show=False)
        elif said is not None and not isinstance(said, Mapping):
            yield written.problem(at, "must be {severity: …, at_most: …}, or null to leave it out")
        elif said is not None:
            yield from _problems_of_comparison(written, at, said)


def _problems_of_comparison(written: Written, at: At, said: Mapping[str, Any]) -> Iterator[Problem]:
    lists = _COLUMNS.get(str(at[-1]))
    known = ("severity", "at_most", *([lists] if lists else ()))
    for key, value in said.items():
        if key not in known:
            yield written.problem((*at, key), f"unknown key; known are {', '.join(known)}", show=False)
        elif key == "severity" and value not in SEVERITIES:
            yield written.problem((*at, key), f"must be one of {', '.join(SEVERITIES)}")
        elif key == "at_most" and (type(value) not in {int, float} or not value >= 0):
            yield written.problem((*at, key), "must be a number, 0 or more")
        elif key == lists and (not isinstance(value, list) or not all(isinstance(each, str) for each in value)):
            yield written.problem((*at, key), "must be a list of column names")


def _problems_of_expectation(written: Written, at: At, said: Any) -> Iterator[Problem]:
    if not isinstance(said, Mapping):
        yield written.problem(at, "must be {type: …, kwargs: …}")
        return
    yield from _unknown_keys(written, at, said)
    kind = said.get("type")
    if kind not in EXPECTATIONS:
        yield written.problem((*at, "type"), unknown_type(kind))
    if not isinstance(said.get("kwargs"), Mapping):
        yield written.problem((*at, "kwargs"), "must be a mapping, like {column: age, min_value: 0}")
    elif (why := foreign_row_condition(said["kwargs"])) is not None:
        yield written.problem((*at, "kwargs", "row_condition"), why)
    if said.get("severity", CRITICAL) not in SEVERITIES:
        yield written.problem((*at, "severity"), f"must be one of {', '.join(SEVERITIES)}")
    if not isinstance(said.get("meta", {}), Mapping):
        yield written.problem((*at, "meta"), "must be a mapping")
    if "rows" in said:
        yield from _problems_of_its_rows(written, at, said)


def _unknown_keys(written: Written, at: At, said: Mapping[str, Any]) -> Iterator[Problem]:
    for key in said:
        if key not in _KEYS:
            yield written.problem((*at, key), f"unknown key; known are {', '.join(_KEYS)}", show=False)


def _problems_of_its_rows(written: Written, at: At, said: Mapping[str, Any]) -> Iterator[Problem]:
    where, kind = (*at, "rows"), said.get("type")
    if said["rows"] not in get_args(OnRows):
        yield written.problem(where, f"must be {' or '.join(get_args(OnRows))}")
    if said["rows"] != "quarantine":
        return
    if kind in EXPECTATIONS and kind not in ROW_EXPECTATIONS:
        yield written.problem(where, f"{kind} is not about single rows, so that none of them could be set aside")
    if said.get("severity", CRITICAL) != CRITICAL:
        yield written.problem(
            where, f"is for what is critical; an expectation of {said['severity']} leaves every row in"
        )
    if isinstance(said.get("kwargs"), Mapping) and "mostly" in said["kwargs"]:
        message = "must not be: every row that does not meet it is set aside; rows.keep_at_least says how many may be"
        yield written.problem((*at, "kwargs", "mostly"), message)
