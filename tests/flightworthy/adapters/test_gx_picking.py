"""Which rows do not meet an expectation, told alike by both engines."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from flightworthy.adapters.dataset_files import DatasetFiles
from flightworthy.adapters.gx_suites import GxSuites
from flightworthy.dataset import PartitionVersion
from flightworthy.expectations import ROW_EXPECTATIONS, Expectation

NOW = datetime(2026, 1, 5, tzinfo=UTC)
ROWS = pa.table(
    {
        "a": [1, 2, 2, None, 9, 2, None, 5],
        "c": [1, 3, 2, 4, 9, 3, None, None],
        "at": [1, 1, 1, 1, 1, 1, 1, 1],
        "text": ["x", "yy", None, "x", "z", "yy", None, "ä"],
        "day": ["2026-01-05", "5.1.26", None, "2026-13-01", "", "2026-01-05", "x", "1"],
        "json": ['{"n": 1}', '{"n": "x"}', None, "[]", "7", '{"n": 2}', "{}", '{"n": null}'],
        "broken": ['{"n": 1}', "{", None, "[]", "nan", "", "{}", "x"],
    }
)
"""Gaps, repetitions, a column named like a word of SQL's, and text that is not what it seems."""


def expect(name: str, **kwargs: Any) -> Expectation:
    return Expectation(type=f"expect_{name}", kwargs=kwargs, severity="critical", meta={}, line=7)


SCHEMA = {"type": "object", "properties": {"n": {"type": "number"}}}
ASKED: list[tuple[Expectation, list[int]]] = [
    (expect("column_values_to_be_between", column="a", min_value=2, max_value=5), [0, 4]),
    (expect("column_values_to_not_be_null", column="a"), [3, 6]),
    (expect("column_values_to_be_null", column="text"), [0, 1, 3, 4, 5, 7]),
    (expect("column_values_to_be_unique", column="a"), [1, 2, 5]),
    (expect("column_values_to_be_unique", column="at"), [0, 1, 2, 3, 4, 5, 6, 7]),
    (expect("column_values_to_be_in_set", column="text", value_set=["x", "ä"]), [1, 4, 5]),
    (expect("column_values_to_not_be_in_set", column="a", value_set=[2, 9]), [1, 2, 4, 5]),
    (expect("column_values_to_match_regex", column="text", regex="^.$"), [1, 5]),
    (expect("column_values_to_not_match_regex", column="text", regex="^.$"), [0, 3, 4, 7]),
    (expect("column_values_to_match_regex_list", column="text", regex_list=["^x$", "^y+$"]), [4, 7]),
    (expect("column_values_to_not_match_regex_list", column="text", regex_list=["^x$", "^z"]), [0, 3, 4]),
    (expect("column_value_lengths_to_equal", column="text", value=1), [1, 5]),
    (expect("column_value_lengths_to_be_between", column="text", min_value=2), [0, 3, 4, 7]),
    (expect("column_pair_values_a_to_be_greater_than_b", column_A="c", column_B="a"), [0, 2, 3, 4, 7]),
    (expect("column_pair_values_a_to_be_greater_than_b", column_A="c", column_B="a", or_equal=True), [3, 7]),
    (expect("column_pair_values_to_be_equal", column_A="c", column_B="a"), [1, 3, 5, 7]),
    (
        expect("column_pair_values_to_be_in_set", column_A="c", column_B="a", value_pairs_set=[(1, 1)]),
        [1, 2, 3, 4, 5, 7],
    ),
    (expect("compound_columns_to_be_unique", column_list=["a", "text"]), [1, 5]),
    (expect("multicolumn_sum_to_equal", column_list=["a", "c"], sum_total=5), [0, 2, 3, 4, 7]),
    (expect("multicolumn_values_to_be_equal", column_list=["a", "c"]), [1, 3, 5, 7]),
    (expect("select_column_values_to_be_unique_within_record", column_list=["a", "c"]), [0, 2, 4]),
    (expect("column_values_to_be_dateutil_parseable", column="day"), [3, 4, 6]),
    (expect("column_values_to_match_strftime_format", column="day", strftime_format="%Y-%m-%d"), [1, 3, 4, 6, 7]),
    (expect("column_values_to_be_json_parseable", column="broken"), [1, 4, 5, 7]),
    (expect("column_values_to_match_json_schema", column="json", json_schema=SCHEMA), [1, 3, 4, 7]),
]


@pytest.fixture
def store(tmp_path: Path) -> DatasetFiles:
    return DatasetFiles(root=tmp_path / "datasets")


@pytest.fixture
def partition(store: DatasetFiles) -> PartitionVersion:
    return store.write("m", "2026-01-05", ROWS, sources=[], now=NOW)


def test_every_expectation_about_single_rows_is_asked_here() -> None:
    """One that is added is held to this too."""
    assert {each.type for each, _ in ASKED} == ROW_EXPECTATIONS


@pytest.mark.parametrize("engine", ["duckdb", "pandas"])
def test_both_engines_tell_the_same_rows(
    store: DatasetFiles, partition: PartitionVersion, tmp_path: Path, engine: Any
) -> None:
    """Places in the order of the file, those that are missing left out where the expectation says nothing of them."""
    picked = GxSuites(reports=tmp_path).pick(store.rows(partition), [each for each, _ in ASKED], engine=engine)
    for (expectation, places), found in zip(ASKED, picked, strict=True):
        assert found == places, expectation


def test_without_these_rows_each_expectation_is_met_and_with_them_it_is_not(
    store: DatasetFiles, partition: PartitionVersion, tmp_path: Path
) -> None:
    """So that the rest may go on: the verdict and the picked rows are of one mind."""
    suites = GxSuites(reports=tmp_path)

    def failed(rows: Any, expectations: list[Expectation]) -> int:
        result = suites.validate(rows, expectations, engine="duckdb", model="m", key="k", now=NOW)
        return len(result.failures)

    assert failed(store.rows(partition), [each for each, _ in ASKED]) == len(ASKED)
    for number, (expectation, places) in enumerate(ASKED):
        kept = store.part(partition, places)
        if kept.rows:
            assert failed(store.rows(kept), [expectation]) == 0, (number, expectation)
        store.forget(kept)


@pytest.mark.parametrize("engine", ["duckdb", "pandas"])
def test_what_cannot_be_evaluated_names_no_row(
    store: DatasetFiles, partition: PartitionVersion, tmp_path: Path, engine: Any
) -> None:
    """A schema over text that is no JSON: the expectation fails as a whole, and so does the partition."""
    unable = expect("column_values_to_match_json_schema", column="broken", json_schema=SCHEMA)
    assert GxSuites(reports=tmp_path).pick(store.rows(partition), [unable], engine=engine) == [[]]
