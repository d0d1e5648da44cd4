from __future__ import annotations

import os
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from great_expectations.exceptions.exceptions import MetricResolutionError
from great_expectations.execution_engine.execution_engine import MetricComputationConfiguration
from great_expectations.validator.metric_configuration import MetricConfiguration

from flightworthy.adapters.dataset_files import DatasetFiles
from flightworthy.adapters.gx_suites import GxSuites
from flightworthy.adapters.gx_suites.answered import AnsweredOnce
from flightworthy.adapters.partition_counts import DuckdbCounts
from flightworthy.adapters.partition_files import PartitionFiles
from flightworthy.adapters.spec_files import load, read
from flightworthy.dataset import ingest
from flightworthy.errors import SpecError
from flightworthy.expectations import (
    EXPECTATIONS,
    Expectation,
    FailedExpectation,
    Instruments,
    Suite,
    check_expectations,
    standing_expectations,
    suite_from,
)
from flightworthy.known import Ask

NOW = datetime(2026, 1, 5, tzinfo=UTC)
MODELS = Path(__file__).parents[3] / "include" / "models"
CLAIMS = Path(os.environ.get("FLIGHTWORTHY_DATA_DIR", "data")) / "vehicle_claims.csv"


def suite_of(model: str) -> Suite:
    return suite_from(read(MODELS / model / "suite.yaml", {}), folder=MODELS / model)


@pytest.fixture(scope="module")
def expectations():
    """Those of the diagnosis model."""
    suite = suite_of("diagnosis")
    return (*standing_expectations(load(MODELS / "diagnosis", {}), suite), *suite.expectations)


@pytest.fixture(scope="module")
def records():
    from sklearn.datasets import load_breast_cancer

    bunch = load_breast_cancer(as_frame=True)
    frame = bunch.data.rename(columns=lambda name: name.replace(" ", "_"))
    return frame.assign(malignant=1 - bunch.target, record_id=np.arange(len(frame)))


@pytest.fixture(params=["duckdb", "pandas"])
def validate(tmp_path, expectations, request):
    store = DatasetFiles(root=tmp_path / "datasets")

    def validate(frame, expected=expectations, *, key="2026-01-05", now=NOW, **more):
        content = pa.Table.from_pandas(frame, preserve_index=False)
        rows = store.rows(store.write("diagnosis", key, content, sources=[], now=now))
        suites = GxSuites(reports=tmp_path)
        result = suites.validate(rows, expected, engine=request.param, model="diagnosis", key=key, now=now)
        return suites.publish(replace(result, **more), [])

    validate.engine = request.param
    return validate


def expect(name: str, *, severity: str = "critical", **kwargs) -> Expectation:
    return Expectation(type=f"expect_{name}", kwargs=kwargs, severity=severity, meta={}, line=7)


def about(result, column: str) -> list[str]:
    return [each.told for each in result.failures if each.column == column]


def test_a_good_partition_passes_and_has_its_page(validate, records, tmp_path, expectations):
    """The page is named relative to the reports folder, and stays when the next result gets its own."""
    first = validate(records[:100])
    second = validate(records[100:200], key="2026-01-12", now=NOW + timedelta(days=7))
    assert first.passed
    assert first.checked == len(expectations)
    assert first.docs.startswith("diagnosis/data_docs/validations/diagnosis/2026-01-05/")
    for page in (first.docs, second.docs):
        assert "mean_fractal_dimension" in (tmp_path / page).read_text()
    index = (tmp_path / "diagnosis/data_docs/index.html").read_text()
    assert index.index("2026-01-12") < index.index("2026-01-05")


def test_a_broken_partition_is_refused_for_every_reason_at_once(validate, records):
    """A column missing, one too many, text for numbers, nothing but gaps, one label, a negative length."""
    frame = records[:100].drop(columns="mean_area").assign(extra=1, malignant=1, worst_radius=np.nan)
    frame["mean_texture"] = ["1,234.5", *map(str, range(99))]
    frame.loc[3, "mean_perimeter"] = -4.0
    result = validate(frame)
    assert result.objections[0] == "table columns to match set: missing mean_area; unexpected extra"
    assert "mean_area: values to not be null: the column is not there" in about(result, "mean_area")
    assert "mean_area: median to be between: the column is not there" in about(result, "mean_area")
    assert about(result, "worst_radius")[0] == "worst_radius: values to not be null: 100 of 100 are not"
    of_type = {"pandas": "100 of 100 are not, such as '1,234.5'", "duckdb": "observed str"}[validate.engine]
    assert about(result, "mean_texture")[0].startswith(f"mean_texture: values to be in type list: {of_type}")
    assert "mean_perimeter: values to be between: 1 of 100 are not, such as -4.0" in result.objections
    assert "malignant: unique value count to be between: observed 1; min_value is 2" in result.warnings
    assert all("\n" not in told and len(told) < 300 for told in result.objections)


def test_too_few_rows_are_refused(validate, records):
    """A source truncated to a fraction of the usual."""
    told = validate(records[:3]).objections[0]
    assert told.startswith("table row count to be between: observed 3; min_value is 20")


def test_another_unit_is_refused(validate, records):
    """Every single value of a column times 100 may be possible; its median is not."""
    result = validate(records[:100].assign(mean_radius=lambda frame: frame["mean_radius"] * 100))
    assert result.objections[0].startswith("mean_radius: median to be between: observed 1433.5; min_value is ")


def test_what_the_comparisons_said_stands_on_the_page_once(validate, records, tmp_path):
    """Below the suite's own results, as text; a task that is run again leaves no second copy."""
    alone = (tmp_path / validate(records[:100]).docs).read_text(encoding="utf-8")
    seen = FailedExpectation(expectation="leak", column="<b>", observed="tells the label", severity="critical")
    for _ in range(2):
        result = validate(records[:100], failures=(seen,), besides=("leak", "future"))
        told = (tmp_path / result.docs).read_text(encoding="utf-8")
        assert told.count("<td>leak</td><td>critical</td><td>&lt;b&gt;: leak: tells the label</td>") == 1
        assert told.count("<td>future</td><td>met</td><td></td>") == 1
    assert told.endswith(alone[alone.rindex("</body>") :])
    assert len(told) > len(alone)


def test_a_column_that_is_gone_stands_on_the_page(validate, records, tmp_path):
    """No engine was asked of it, and the library would show nothing."""
    asked = [
        expect("column_max_to_be_between", column="mean_area", max_value=5000),
        expect("column_values_to_be_between", column="mean_radius", min_value=0),
    ]
    result = validate(records[:100].drop(columns="mean_area"), asked)
    told = (tmp_path / result.docs).read_text(encoding="utf-8")
    assert "mean_area" in told
    assert "the column is not there" in told


@pytest.mark.parametrize(
    "column, expected, told",
    [
        (["a", "b", None], expect("column_values_to_be_in_type_list", column="x", type_list=["str"]), None),
        (["a", "b"], expect("column_values_to_be_in_set", column="x", value_set=["a"]), "1 of 2 are not, such as 'b'"),
        (["a", "b"], expect("column_values_to_match_regex", column="x", regex="^a$"), "1 of 2 are not, such as 'b'"),
        ([True, False], expect("column_values_to_be_in_type_list", column="x", type_list=["bool"]), None),
        ([1.0, None], expect("column_values_to_not_be_null", column="x", mostly=1e-9), None),
        ([1, 2], expect("column_distinct_values_to_contain_set", column="x", value_set=[3]), "expected [3]"),
        ([None, None], expect("column_values_to_not_be_null", column="x", mostly=1e-9), "2 of 2 are not"),
    ],
)
def test_expectations_say_what_they_saw(validate, column, expected, told):
    """In words that need no knowledge of Great Expectations' result shapes."""
    failures = validate(pd.DataFrame({"x": column}), [expected]).failures
    assert [each.observed for each in failures] == ([told] if told else [])


def test_a_warning_refuses_nothing(validate):
    """And is reported."""
    result = validate(
        pd.DataFrame({"x": [1, 9]}), [expect("column_max_to_be_between", column="x", max_value=5, severity="warning")]
    )
    assert (result.passed, result.warnings) == (True, ("x: max to be between: observed 9; max_value is 5.0",))


def test_arguments_that_great_expectations_does_not_know_are_refused_with_their_line(validate):
    """A misspelt kwarg is the author's mistake, told with the line of suite.yaml."""
    wrong = expect("column_values_to_be_between", column="x", min_valeu=3)
    with pytest.raises(SpecError, match=r"suite.yaml:7: expect_column_values_to_be_between: .*min_valeu"):
        validate(pd.DataFrame({"x": [1]}), [wrong])


def test_the_known_expectations_are_those_of_the_library():
    """A name that a new version drops or adds shows here; left out is what asks a database or fails by itself."""
    from great_expectations.expectations.registry import list_registered_expectation_implementations

    theirs = set(list_registered_expectation_implementations())
    assert theirs >= EXPECTATIONS
    assert {name for name in theirs - EXPECTATIONS if "like_pattern" not in name} == {
        "expect_column_quantile_values_to_be_between",
        "expect_query_results_to_match_comparison",
        "expect_table_row_count_to_equal_other_table",
        "unexpected_rows_expectation",
    }


@pytest.mark.slow
@pytest.mark.skipif(not CLAIMS.exists(), reason=f"{CLAIMS} is not there; FLIGHTWORTHY_DATA_DIR says where it is")
def test_all_months_of_the_real_claims_pass_and_their_dirt_is_reported(tmp_path):
    """36 months, with unknown ages, a claim without a date, claims that are there twice, months without any fraud."""
    spec = load(MODELS / "claims", {"FLIGHTWORTHY_DATA_DIR": str(CLAIMS.parent)})
    store, source = DatasetFiles(root=tmp_path), PartitionFiles.of(spec)
    ask = Ask(model="claims", key=None, window=36, as_of=None, known_since=None)
    version = ingest(source, store, ask, now=NOW).version
    checked = check_expectations(
        store,
        Instruments(validator=GxSuites(reports=tmp_path), counter=DuckdbCounts()),
        version=version,
        spec=spec,
        suite=suite_of("claims"),
        now=NOW,
    )
    warnings = {result.key: " ".join(result.warnings) for result in checked.results}
    assert len(warnings) == 36
    assert (checked.objections, checked.quarantined) == ((), ())
    assert "Age: values to be between: 34 of 608 are not, such as 0" in warnings["1994-01"]
    assert "MonthClaimed: values to be in set: 1 of 495 are not, such as '0'" in warnings["1994-07"]
    assert "PolicyNumber: values to be unique" in warnings["1996-12"]
    assert "FraudFound_P: unique value count to be between: observed 1" in warnings["1995-07"]
    assert len(source.unplaced()) == 2


def test_what_an_engine_answered_is_not_asked_again_because_something_else_failed():
    """The library asks a whole round anew for each thing that cannot be told; each reason stays with its question."""
    asked: Counter[str] = Counter()

    def configuration(name: str, answer: object) -> MetricComputationConfiguration:
        def told(**_: object) -> object:
            asked[name] += 1
            if isinstance(answer, Exception):
                raise answer
            return answer

        metric = MetricConfiguration(name, {})
        return MetricComputationConfiguration(metric_configuration=metric, metric_fn=told, metric_provider_kwargs={})

    class Bundles:
        def resolve_metric_bundle(self, bundle):
            return {each.metric_configuration.id: each.metric_fn() for each in bundle}

    class Engine(AnsweredOnce, Bundles):
        pass

    engine = Engine()
    direct = [configuration("direct", 1), configuration("text", TypeError("holds no numbers"))]
    bundled = [configuration("bundled", 2), configuration("pattern", ValueError("no pattern"))]
    resolve = engine._process_direct_and_bundled_metric_computation_configurations
    reasons = []
    for _ in range(3):
        with pytest.raises(MetricResolutionError) as raised:
            resolve(direct, bundled)
        reasons.append((str(raised.value), raised.value.failed_metrics[0].metric_name))
    assert reasons == [("no pattern", "pattern")] * 3
    with pytest.raises(MetricResolutionError, match="holds no numbers"):
        resolve(direct, bundled[:1])
    assert resolve(direct[:1], bundled[:1]) == {
        direct[0].metric_configuration.id: 1,
        bundled[0].metric_configuration.id: 2,
    }
    assert asked == {"direct": 1, "text": 1, "bundled": 2, "pattern": 2}


def test_rows_may_have_a_column_called_filename(validate):
    """It is theirs, and not what DuckDB would say of its files."""
    frame = pd.DataFrame({"filename": ["a.png", "b.png"], "file_index": [3, 4]})
    met = (
        expect("column_values_to_be_in_set", column="filename", value_set=["a.png", "b.png"]),
        expect("column_values_to_be_increasing", column="file_index"),
        expect("table_columns_to_match_set", column_set=["filename", "file_index"]),
    )
    assert validate(frame, met).failures == ()


def test_text_where_whole_numbers_are_expected_is_said_to_be_text(validate):
    """Fault 6: `34y` for 34; on DuckDB in a word, on pandas by its values."""
    asked = expect("column_values_to_be_in_type_list", column="age", type_list=["int64", "Int64", "uint64"])
    (told,) = validate(pd.DataFrame({"age": ["34y", "51y"]}), (asked,)).objections
    said = {
        "duckdb": "observed str; type_list is ['int64', 'Int64', 'uint64']",
        "pandas": "2 of 2 are not, such as '34y', '51y'",
    }
    assert told.startswith(f"age: values to be in type list: {said[validate.engine]}")
