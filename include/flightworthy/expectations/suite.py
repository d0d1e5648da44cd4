"""Suites: what suite.yaml says, and what became of it on one partition.

The file has the form of Great Expectations' own suites, in YAML::

    engine: duckdb                              # or pandas, which holds all rows in memory, or spark, on a cluster
    rows: {minimum: 20, maximum: 5000}          # of one partition; at least one row unless it says otherwise
    comparisons: {slice_label_rate: {severity: critical, slices: [region]}, leak: null}
    other_columns: [Year, Month]                # in the source, but neither feature, target nor entity
    expectations:
      - type: expect_column_values_to_be_between
        kwargs: {column: age, min_value: 16}
        severity: warning                       # reported; without it (critical) the partition is refused
"""

from __future__ import annotations

import difflib
import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final, Literal, get_args

from flightworthy.spec.reading import spec_error
from flightworthy.spec.written import At, Problem, Written

__all__ = [
    "COMPARISONS",
    "EXPECTATIONS",
    "Comparison",
    "Engine",
    "Expectation",
    "FailedExpectation",
    "Suite",
    "SuiteResult",
    "suite_from",
]

Engine = Literal["duckdb", "pandas", "spark"]
"""Who counts. The same suite gives the same verdict on each."""

CRITICAL: Final = "critical"
_COLUMNS: Final = {"slice_label_rate": "slices", "distribution": "apart", "leak": "apart"}
"""Which comparisons take a list of columns, and under which name."""
_SEVERITIES = (CRITICAL, "warning", "info")
_SECTIONS = ("engine", "rows", "comparisons", "other_columns", "expectations")
_KEYS = ("type", "kwargs", "severity", "meta")

_OF_COLUMN = (
    "distinct_values_to_be_in_set distinct_values_to_contain_set distinct_values_to_equal_set "
    "kl_divergence_to_be_less_than max_to_be_between mean_to_be_between median_to_be_between min_to_be_between "
    "most_common_value_to_be_in_set pair_values_a_to_be_greater_than_b pair_values_to_be_equal "
    "pair_values_to_be_in_set proportion_of_non_null_values_to_be_between "
    "proportion_of_unique_values_to_be_between stdev_to_be_between sum_to_be_between to_exist type_to_be "
    "unique_value_count_to_be_between value_lengths_to_be_between value_lengths_to_equal "
    "value_z_scores_to_be_less_than values_to_be_between values_to_be_dateutil_parseable values_to_be_decreasing "
    "values_to_be_in_set values_to_be_in_type_list values_to_be_increasing values_to_be_json_parseable "
    "values_to_be_null values_to_be_of_type values_to_be_unique values_to_match_json_schema values_to_match_regex "
    "values_to_match_regex_list values_to_match_strftime_format values_to_not_be_in_set values_to_not_be_null "
    "values_to_not_be_outliers values_to_not_match_regex values_to_not_match_regex_list"
)
_OF_TABLE = (
    "compound_columns_to_be_unique multicolumn_sum_to_equal multicolumn_values_to_be_equal "
    "select_column_values_to_be_unique_within_record table_column_count_to_be_between table_column_count_to_equal "
    "table_columns_to_match_ordered_list table_columns_to_match_set table_row_count_to_be_between "
    "table_row_count_to_equal"
)
EXPECTATIONS: Final = frozenset(
    [f"expect_column_{name}" for name in _OF_COLUMN.split()] + [f"expect_{name}" for name in _OF_TABLE.split()]
)
"""Those of Great Expectations that work on a partition; the others ask a database, or fail in 1.24 on any rows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """A rule about a partition beside those before it, or about how its columns go together."""

    severity: str
    at_most: float
    """What is still let pass; `COMPARISONS` says of what."""
    columns: tuple[str, ...] | None
    """``slices`` of slice_label_rate: whose values make the groups (None: the spec's evaluation.slices);
    ``apart`` of distribution and leak: which features it leaves alone."""


def _comparison(severity: str, at_most: float) -> Comparison:
    return Comparison(severity=severity, at_most=at_most, columns=None)


COMPARISONS: Final[Mapping[str, Comparison]] = {
    "distribution": _comparison(CRITICAL, 0.8),
    "label_rate": _comparison("warning", 0.03),
    "slice_label_rate": _comparison("warning", 0.5),
    "leak": _comparison(CRITICAL, 0.98),
    "duplicates": _comparison(CRITICAL, 0.05),
    "repeats": _comparison(CRITICAL, 0.5),
    "freshness": _comparison("warning", 3.0),
    "future": _comparison(CRITICAL, 0.0),
}
"""What every partition is held to beside the others, unless its suite says otherwise."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Expectation:
    """One checkable statement; ``type`` and ``kwargs`` are Great Expectations'."""

    type: str
    kwargs: Mapping[str, Any]
    severity: str
    meta: Mapping[str, Any]
    line: int | None
    """Where in suite.yaml it stands; None for what follows from the spec."""

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns whose values it looks at."""
        single = [self.kwargs[name] for name in ("column", "column_A", "column_B") if name in self.kwargs]
        several = self.kwargs.get("column_list", []) if "table_columns" not in self.type else []
        return tuple(str(name) for name in (*single, *several))


@dataclass(frozen=True, slots=True, kw_only=True)
class Suite:
    """suite.yaml parsed."""

    engine: Engine
    minimum_rows: int
    maximum_rows: int | None
    other_columns: tuple[str, ...]
    comparisons: Mapping[str, Comparison]
    """By name; what is not there is not looked at."""
    expectations: tuple[Expectation, ...]

    @property
    def digest(self) -> str:
        """sha256 of what the suite says, whatever its comments and layout."""
        said = [[each.type, each.kwargs, each.severity] for each in self.expectations]
        compared = [
            [name, each.severity, each.at_most, each.columns] for name, each in sorted(self.comparisons.items())
        ]
        whole = [self.minimum_rows, self.maximum_rows, self.other_columns, compared, said]
        return hashlib.sha256(json.dumps(whole, sort_keys=True, default=str).encode()).hexdigest()


@dataclass(frozen=True, slots=True, kw_only=True)
class FailedExpectation:
    """An expectation that a partition did not meet, and what was seen instead."""

    expectation: str
    column: str | None
    observed: str
    severity: str

    @property
    def told(self) -> str:
        """In one line: ``age: values to be between: 3 of 100 are not, such as -1``."""
        words = self.expectation.removeprefix("expect_").removeprefix("column_").replace("_", " ")
        return f"{self.column}: {words}: {self.observed}" if self.column else f"{words}: {self.observed}"


@dataclass(frozen=True, slots=True, kw_only=True)
class SuiteResult:
    """What the expectations said of one partition."""

    model: str
    key: str
    checked: int
    failures: tuple[FailedExpectation, ...]
    docs: str | None
    """The Data Docs page of this result, relative to the reports folder; None if it could not be written."""

    @property
    def objections(self) -> tuple[str, ...]:
        """Every reason to refuse the partition. Nothing checked is a reason."""
        critical = tuple(each.told for each in self.failures if each.severity == CRITICAL)
        return critical if self.checked else ("no expectation was checked", *critical)

    @property
    def warnings(self) -> tuple[str, ...]:
        """What is reported without refusing."""
        return tuple(each.told for each in self.failures if each.severity != CRITICAL)

    @property
    def passed(self) -> bool:
        return not self.objections


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
        comparisons=dict(_comparisons(written.values.get("comparisons") or {})),
        expectations=tuple(
            Expectation(
                type=said["type"],
                kwargs=said["kwargs"],
                severity=said.get("severity", CRITICAL),
                meta=said.get("meta", {}),
                line=written.line(("expectations", place)),
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


def _problems_of_rows(written: Written, rows: Any) -> Iterator[Problem]:
    if not isinstance(rows, Mapping):
        yield written.problem(("rows",), "must be {minimum: …, maximum: …}")
        return
    for name, bound in rows.items():
        if name not in {"minimum", "maximum"}:
            yield written.problem(("rows", name), "unknown key; known are minimum, maximum", show=False)
        elif type(bound) is not int or bound < 1:
            # Zero rows would pass every expectation there is.
            yield written.problem(("rows", name), "must be a whole number, 1 or more")
    if not all(type(bound) is int for bound in rows.values()):
        return
    if "maximum" in rows and rows["maximum"] < rows.get("minimum", 1):
        yield written.problem(("rows", "maximum"), "must not be below the minimum: nothing would pass")


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
        elif key == "severity" and value not in _SEVERITIES:
            yield written.problem((*at, key), f"must be one of {', '.join(_SEVERITIES)}")
        elif key == "at_most" and (type(value) not in {int, float} or not value >= 0):
            yield written.problem((*at, key), "must be a number, 0 or more")
        elif key == lists and (not isinstance(value, list) or not all(isinstance(each, str) for each in value)):
            yield written.problem((*at, key), "must be a list of column names")


def _problems_of_expectation(written: Written, at: At, said: Any) -> Iterator[Problem]:
    if not isinstance(said, Mapping):
        yield written.problem(at, "must be {type: …, kwargs: …}")
        return
    for key in said:
        if key not in _KEYS:
            yield written.problem((*at, key), f"unknown key; known are {', '.join(_KEYS)}", show=False)
    kind = said.get("type")
    if kind not in EXPECTATIONS:
        yield written.problem((*at, "type"), _unknown_type(kind))
    if not isinstance(said.get("kwargs"), Mapping):
        yield written.problem((*at, "kwargs"), "must be a mapping, like {column: age, min_value: 0}")
    else:
        yield from _problems_of_row_condition(written, (*at, "kwargs"), said["kwargs"])
    if said.get("severity", CRITICAL) not in _SEVERITIES:
        yield written.problem((*at, "severity"), f"must be one of {', '.join(_SEVERITIES)}")
    if not isinstance(said.get("meta", {}), Mapping):
        yield written.problem((*at, "meta"), "must be a mapping")


def _problems_of_row_condition(written: Written, at: At, kwargs: Mapping[str, Any]) -> Iterator[Problem]:
    """What pandas, Spark or a database alone understands would mean something else on another engine."""
    if isinstance(kwargs.get("row_condition"), str) and kwargs.get("condition_parser") != "great_expectations":
        message = "is in one engine's own language; say condition_parser: great_expectations, which all of them read"
        yield written.problem((*at, "row_condition"), message)


def _unknown_type(kind: Any) -> str:
    close = difflib.get_close_matches(str(kind), EXPECTATIONS, n=1, cutoff=0.6)
    if kind is None:
        return "is missing"
    hint = f"did you mean {close[0]}?" if close else "docs/model-yaml.md lists them"
    return f"is no expectation that works on a partition; {hint}"
