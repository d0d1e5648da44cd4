"""A suite that somebody has already, as Great Expectations saves it."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from flightworthy.adapters.dataset_files import DatasetFiles
from flightworthy.adapters.gx_suites import GxSuites
from flightworthy.adapters.spec_files.suites import load_suite
from flightworthy.errors import SpecError
from flightworthy.expectations import COMPARISONS, Suite

NOW = datetime(2026, 1, 5, tzinfo=UTC)
OF_BEFORE = {
    "data_asset_type": None,
    "expectation_suite_name": "claims.warning",
    "expectations": [
        {
            "expectation_type": "expect_column_values_to_be_in_set",
            "kwargs": {"column": "sex", "value_set": ["f", "m"], "result_format": "SUMMARY"},
            "meta": {"notes": {"format": "markdown", "content": "from the form"}},
        }
    ],
    "ge_cloud_id": None,
    "meta": {"great_expectations_version": "0.18.19"},
}


@pytest.fixture
def drop_in(tmp_path: Path) -> Any:
    """Put a suite.json, and a suite.yaml if there is one, into a folder and read them."""

    def drop_in(said: object, yaml: str | None = None) -> Suite:
        text = said if isinstance(said, str) else json.dumps(said, indent="\t")
        (tmp_path / "suite.json").write_text(text)
        if yaml is not None:
            (tmp_path / "suite.yaml").write_text(yaml)
        return load_suite(tmp_path, {})

    return drop_in


def test_what_great_expectations_saves_is_read_and_gives_its_verdict(drop_in: Any, tmp_path: Path) -> None:
    """The very library writes the file, into a file context; severity and bounds arrive."""
    import great_expectations as gx
    from great_expectations.expectations import ExpectColumnValuesToBeBetween, ExpectColumnValuesToMatchRegex

    context = gx.get_context(mode="file", project_root_dir=tmp_path / "theirs")
    suite = context.suites.add(gx.ExpectationSuite(name="mine", notes="ours for years"))
    between = ExpectColumnValuesToBeBetween(
        column="age", min_value=16, max_value=99, notes="people", severity="warning"
    )
    suite.add_expectation(between)
    suite.add_expectation(ExpectColumnValuesToMatchRegex(column="code", regex=r"^\d{3}$", mostly=0.5))
    suite.save()
    (saved,) = (tmp_path / "theirs").rglob("expectations/*.json")

    read = drop_in(saved.read_text())
    assert [(each.type, each.severity, each.file) for each in read.expectations] == [
        ("expect_column_values_to_be_between", "warning", "suite.json"),
        ("expect_column_values_to_match_regex", "critical", "suite.json"),
    ]
    assert (read.engine, read.minimum_rows, read.comparisons) == ("duckdb", 1, COMPARISONS)

    store = DatasetFiles(root=tmp_path / "datasets")
    table = pa.table({"age": [15, 20, 30], "code": ["123", "12", "x"]})
    rows = store.rows(store.write("m", "2026-01-05", table, sources=[], now=NOW))
    result = GxSuites(reports=tmp_path).validate(
        rows, read.expectations, engine=read.engine, model="m", key="2026-01-05", now=NOW
    )
    assert result.warnings == ("age: values to be between: 1 of 3 are not, such as 15",)
    assert result.objections == ("code: values to match regex: 2 of 3 are not, such as '12', 'x'",)


def test_the_form_of_before_is_read_too(drop_in: Any) -> None:
    """Its name for the type; how a run is told of is no part of what is expected."""
    (read,) = drop_in(OF_BEFORE).expectations
    assert (read.type, dict(read.kwargs)) == (
        "expect_column_values_to_be_in_set",
        {"column": "sex", "value_set": ["f", "m"]},
    )
    assert (read.severity, read.line) == ("critical", 5)


def test_beside_suite_yaml_it_adds_to_it(drop_in: Any) -> None:
    """Rows, engine and comparisons are said there; both lists are expected."""
    yaml = "rows: {minimum: 20}\nexpectations:\n  - {type: expect_column_to_exist, kwargs: {column: a}}\n"
    read = drop_in(OF_BEFORE, yaml)
    assert read.minimum_rows == 20
    assert [(each.file, each.line) for each in read.expectations] == [("suite.yaml", 3), ("suite.json", 5)]


def test_nothing_in_it_refers_to_the_environment(drop_in: Any) -> None:
    """A pattern of theirs means what it says."""
    said = {
        "expectations": [{"type": "expect_column_values_to_match_regex", "kwargs": {"column": "a", "regex": "^${x}"}}]
    }
    assert drop_in(said).expectations[0].kwargs["regex"] == "^${x}"


def one(**said: Any) -> dict[str, Any]:
    return {"expectations": [{"type": "expect_column_to_exist", "kwargs": {"column": "a"}, **said}]}


@pytest.mark.parametrize(
    "said, told",
    [
        ('{"expectations": [,]}', "suite.json:1: column 19: is not JSON: Expecting value"),
        ('{"expectations": [\n{"type" 1}]}', "suite.json:2: column 9: is not JSON: Expecting ':' delimiter"),
        ('{"expectations": [{"kwargs": {"min_value": NaN}}]}', "suite.json:1: is not JSON: NaN is no number in JSON"),
        ('{"expectations": [], "expectations": []}', "expectations: is a duplicate key; it stands on line 1 already"),
        ("[]", "suite.json:1: has no list of expectations; save a suite with Great Expectations' own"),
        ({"expectations": [], "checkpoint": {}}, "checkpoint: is no part of a suite that is read here; take it out"),
        (
            one(type="expect_column_to_exists"),
            "type=expect_column_to_exists: is no expectation that works on a partition",
        ),
        (one(type="expect_queried_table_row_count_to_be"), "suite.json:4: expectations[0].type=expect_queried_table"),
        (one(type=None), "expectations[0].type=null: is missing"),
        (one(kwargs=[]), "expectations[0].kwargs=[]: must be a mapping, like"),
        (one(severity="fatal"), "expectations[0].severity=fatal: must be one of critical, warning, info"),
        (one(profiler_config={}), "expectations[0].profiler_config: is not read here, and might change the meaning"),
        (
            one(kwargs={"column": "a", "min_value": {"$PARAMETER": "low"}}),
            "expectations[0].kwargs.min_value: is a parameter of a run; write the value out",
        ),
        (
            one(kwargs={"column": "a", "row_condition": "a > 1", "condition_parser": "pandas"}),
            "expectations[0].kwargs.row_condition=a > 1: is in one engine's own language",
        ),
        ({"expectations": [7]}, 'suite.json:3: expectations[0]=7: must be {"type": …, "kwargs": …}'),
    ],
)
def test_what_is_not_understood_is_named_with_its_line(drop_in: Any, said: object, told: str) -> None:
    """Rather than passed over: the suite would say less than its author believes."""
    with pytest.raises(SpecError) as caught:
        drop_in(said)
    assert told in caught.value.message


def test_both_files_are_told_of_at_once(drop_in: Any) -> None:
    """One round of mending, not two."""
    with pytest.raises(SpecError) as caught:
        drop_in(one(severity="fatal"), "rows: {minimum: 0}\nexpectations: []\n")
    assert [line.split(":")[0] for line in caught.value.facts["problems"]] == ["suite.yaml", "suite.json"]


def test_what_the_library_does_not_take_is_told_with_the_place_in_its_file(drop_in: Any, tmp_path: Path) -> None:
    """Arguments of an older version."""
    read = drop_in(one(type="expect_column_values_to_be_between", kwargs={"column": "a", "min_value": {}}))
    store = DatasetFiles(root=tmp_path / "datasets")
    rows = store.rows(store.write("m", "k", pa.table({"a": [1]}), sources=[], now=NOW))
    with pytest.raises(
        SpecError, match=r"suite\.json:3: expect_column_values_to_be_between: Great Expectations does not"
    ):
        GxSuites(reports=tmp_path).validate(rows, read.expectations, engine="duckdb", model="m", key="k", now=NOW)
