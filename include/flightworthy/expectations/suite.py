"""Suites: one checkable statement about data, a named set of them, and what became of it on one partition."""

from __future__ import annotations

import difflib
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from flightworthy.expectations.checkpoint import Action, ActionOutcome

__all__ = [
    "COMPARISONS",
    "CRITICAL",
    "EXPECTATIONS",
    "ROW_EXPECTATIONS",
    "SEVERITIES",
    "Comparison",
    "Engine",
    "Expectation",
    "FailedExpectation",
    "OnRows",
    "Suite",
    "SuiteResult",
    "foreign_row_condition",
    "unknown_type",
]

Engine = Literal["duckdb", "pandas", "spark"]
"""Who counts. The same suite gives the same verdict on each."""

OnRows = Literal["refuse", "quarantine"]
"""``refuse``: the partition is refused as a whole. ``quarantine``: these rows are, and the rest of it goes on."""

CRITICAL: Final = "critical"
SEVERITIES: Final = (CRITICAL, "warning", "info")

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

_OF_ROWS = (
    "column_pair_values_a_to_be_greater_than_b column_pair_values_to_be_equal column_pair_values_to_be_in_set "
    "column_value_lengths_to_be_between column_value_lengths_to_equal column_values_to_be_between "
    "column_values_to_be_dateutil_parseable column_values_to_be_in_set column_values_to_be_json_parseable "
    "column_values_to_be_null column_values_to_be_unique column_values_to_match_json_schema "
    "column_values_to_match_regex column_values_to_match_regex_list column_values_to_match_strftime_format "
    "column_values_to_not_be_in_set column_values_to_not_be_null column_values_to_not_match_regex "
    "column_values_to_not_match_regex_list compound_columns_to_be_unique multicolumn_sum_to_equal "
    "multicolumn_values_to_be_equal select_column_values_to_be_unique_within_record"
)
ROW_EXPECTATIONS: Final = frozenset(f"expect_{name}" for name in _OF_ROWS.split())
"""Those about single rows: without the rows that do not meet it, each is met."""


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
    "retimed": _comparison("warning", 0.5),
    "volume": _comparison(CRITICAL, 10.0),
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
    """Where in its file it stands; None for what follows from the spec."""
    file: str = "suite.yaml"
    """Where that is."""
    on_rows: OnRows = "refuse"
    """What becomes of the rows that do not meet it, where it is one about single rows."""

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
    keep_at_least: float | None = None
    """The share of a partition's rows, 0 to 1, below which it is refused as a whole; None: no row waits alone."""
    out_of_spec: OnRows = "refuse"
    """What becomes of rows with a value that model.yaml does not allow."""
    actions: tuple[Action, ...] = ()
    """What is done with a result once it stands."""

    @property
    def digest(self) -> str:
        """sha256 of what the suite says, whatever its comments and layout. Actions make no other verdict of it."""
        said = [[each.type, each.kwargs, each.severity, each.on_rows] for each in self.expectations]
        compared = [
            [name, each.severity, each.at_most, each.columns] for name, each in sorted(self.comparisons.items())
        ]
        rows = [self.minimum_rows, self.maximum_rows, self.keep_at_least, self.out_of_spec]
        whole = [rows, self.other_columns, compared, said]
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
    """The Data Docs page of this result, relative to the reports folder; None until, and if, there is one."""
    besides: tuple[str, ...] = ()
    """What else was asked, of times of rows and by comparisons; failures of it are among the others, by these names."""
    parting: str | None = None
    """Why not even some of its rows could go on, where single rows would have been set aside."""
    set_aside: str | None = None
    """Which rows of the partition wait, where this is said of the rest."""
    actions: tuple[ActionOutcome, ...] = ()
    """What became of the suite's actions; none of them changes the verdict."""
    evidence: Any = field(default=None, repr=False, compare=False)
    """What the validator keeps of it until it is published."""

    @property
    def objections(self) -> tuple[str, ...]:
        """Every reason to refuse the partition. Nothing checked is a reason."""
        critical = tuple(each.told for each in self.failures if each.severity == CRITICAL)
        also = (self.parting,) if self.parting else ()
        return (*critical, *also) if self.checked else ("no expectation was checked", *critical, *also)

    @property
    def warnings(self) -> tuple[str, ...]:
        """What is reported without refusing."""
        return tuple(each.told for each in self.failures if each.severity != CRITICAL)

    @property
    def passed(self) -> bool:
        return not self.objections


def foreign_row_condition(kwargs: Mapping[str, Any]) -> str | None:
    """Why a row condition is refused: what one engine alone understands means something else on another."""
    if not isinstance(kwargs.get("row_condition"), str) or kwargs.get("condition_parser") == "great_expectations":
        return None
    return "is in one engine's own language; say condition_parser: great_expectations, which all of them read"


def unknown_type(kind: object) -> str:
    """What is said of a type that is not one of `EXPECTATIONS`."""
    close = difflib.get_close_matches(str(kind), EXPECTATIONS, n=1, cutoff=0.6)
    if kind is None:
        return "is missing"
    hint = f"did you mean {close[0]}?" if close else "docs/model-yaml.md lists them"
    return f"is no expectation that works on a partition; {hint}"
