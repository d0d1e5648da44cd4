from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pytest

from flightworthy.adapters.dataset_files import DatasetFiles
from flightworthy.adapters.partition_counts import DuckdbCounts
from flightworthy.adapters.spec_files import load, read
from flightworthy.dataset import PartitionVersion, version_of
from flightworthy.errors import SpecError
from flightworthy.expectations import (
    COMPARISONS,
    FailedExpectation,
    Instruments,
    Suite,
    SuiteResult,
    check_expectations,
    standing_expectations,
    suite_from,
)

NOW = datetime(2026, 1, 5, tzinfo=UTC)
MODELS = Path(__file__).parents[2] / "include" / "models"
EMPTY = Suite(comparisons={}, engine="duckdb", minimum_rows=1, maximum_rows=None, other_columns=(), expectations=())


@pytest.fixture
def suite(tmp_path):
    """The suite that a text makes."""

    def suite(text: str) -> Suite:
        (tmp_path / "suite.yaml").write_text(text)
        return suite_from(read(tmp_path / "suite.yaml", {}), folder=tmp_path)

    return suite


@pytest.fixture(scope="module")
def diagnosis():
    return load(MODELS / "diagnosis", {})


@pytest.fixture(scope="module")
def claims():
    return load(MODELS / "claims", {})


def test_a_suite_reads_like_one_of_great_expectations(suite):
    """Type, kwargs, severity and meta; rows and other columns beside them."""
    read = suite(
        "rows: {minimum: 20, maximum: 50}\nother_columns: [site]\nexpectations:\n"
        "  - {type: expect_column_values_to_be_unique, kwargs: {column: id}, severity: warning, meta: {why: twins}}\n"
        "  - type: expect_column_pair_values_to_be_equal\n    kwargs: {column_A: a, column_B: b}\n"
    )
    assert (read.minimum_rows, read.maximum_rows, read.other_columns) == (20, 50, ("site",))
    first, second = read.expectations
    assert (first.severity, first.line, first.columns, dict(first.meta)) == ("warning", 4, ("id",), {"why": "twins"})
    assert (second.severity, second.line, second.columns) == ("critical", 5, ("a", "b"))


@pytest.mark.parametrize(
    "text, said",
    [
        ("rows: {minimum: 1}\n", "suite.yaml:1: must have a list of expectations"),
        (
            "expectations: []\nrow: 1\n",
            "suite.yaml:2: row: unknown key; known are engine, rows, comparisons, other_columns",
        ),
        ("engine: polars\nexpectations: []\n", "suite.yaml:1: engine=polars: must be duckdb or pandas or spark"),
        (
            "expectations:\n - {type: expect_table_row_count_to_equal, kwargs: {value: 1, row_condition: a > 1}}\n",
            "kwargs.row_condition=a > 1: is in one engine's own language",
        ),
        (
            "expectations: []\ncomparisons: {drift: {}}\n",
            "comparisons.drift: unknown comparison; known are distribution",
        ),
        ("expectations: []\ncomparisons: {leak: {at_most: x}}\n", "comparisons.leak.at_most=x: must be a number"),
        (
            "expectations: []\ncomparisons: {leak: {slices: [a]}}\n",
            "leak.slices: unknown key; known are severity, at_most, apart",
        ),
        ("expectations: []\nrows: {minimum: 0}\n", "suite.yaml:2: rows.minimum=0: must be a whole number, 1 or more"),
        ("expectations: []\nrows: {minimum: 9, maximum: 3}\n", "rows.maximum=3: must not be below the minimum"),
        ("expectations: []\nrows: {least: 9}\n", "rows.least: unknown key"),
        ("expectations: []\nrows: {keep_at_least: 95}\n", "rows.keep_at_least=95: must be between 0% and 100%"),
        ("expectations: []\nrows: {keep_at_least: 0%}\n", "rows.keep_at_least=0%: must be more than 0%"),
        ("expectations: []\nrows: {out_of_spec: drop}\n", "rows.out_of_spec=drop: must be refuse or quarantine"),
        (
            "expectations: []\nrows: {out_of_spec: quarantine}\n",
            "rows.out_of_spec=quarantine: needs rows.keep_at_least, the share of a partition that must be left",
        ),
        (
            "expectations:\n - {type: expect_column_to_exist, kwargs: {column: a}, rows: quarantine}\n",
            "expectations[0].rows=quarantine: expect_column_to_exist is not about single rows",
        ),
        (
            "expectations:\n - {type: expect_column_values_to_be_null, kwargs: {column: a}, rows: drop}\n",
            "expectations[0].rows=drop: must be refuse or quarantine",
        ),
        (
            (
                "expectations:\n - {type: expect_column_values_to_be_null, kwargs: {column: a}, rows: quarantine,"
                " severity: info}\n"
            ),
            "expectations[0].rows=quarantine: is for what is critical; an expectation of info leaves every row in",
        ),
        (
            (
                "rows: {keep_at_least: 95%}\nexpectations:\n - {type: expect_column_values_to_be_null,"
                " kwargs: {column: a, mostly: 0.9}, rows: quarantine}\n"
            ),
            "expectations[0].kwargs.mostly=0.9: must not be: every row that does not meet it is set aside",
        ),
        ("expectations: []\nother_columns: site\n", "other_columns=site: must be a list of column names"),
        ("expectations:\n - expect_x\n", "suite.yaml:2: expectations[0]=expect_x: must be {type: …, kwargs: …}"),
        (
            "expectations:\n - type: expect_column_value_to_be_between\n   kwargs: {column: a}\n",
            "works on a partition; did you mean expect_column_values_to_be_between?",
        ),
        ("expectations:\n - kwargs: {column: a}\n", "suite.yaml:2: expectations[0].type: is missing"),
        ("expectations:\n - {type: expect_column_to_exist}\n", "expectations[0].kwargs: must be a mapping, like"),
        (
            "expectations:\n - {type: expect_column_to_exist, kwargs: {column: a}, severity: error}\n",
            "severity=error: must be one of critical, warning, info",
        ),
        (
            "expectations:\n - {type: expect_column_to_exist, kwargs: {column: a}, severty: info}\n",
            "expectations[0].severty: unknown key; known are type, kwargs, severity, meta",
        ),
    ],
)
def test_a_wrong_suite_is_refused_with_its_line(suite, text, said):
    """Like model.yaml: file, line, key, what is wrong, what would do."""
    with pytest.raises(SpecError) as caught:
        suite(text)
    assert said in caught.value.message


def test_a_comparison_is_as_the_suite_says_and_else_as_usual(suite):
    """Null leaves one out; what is not named stands."""
    read = suite(
        "expectations: []\ncomparisons: {leak: null, slice_label_rate: {severity: critical, slices: [sex]}}\n"
    ).comparisons
    assert "leak" not in read
    assert (read["slice_label_rate"].severity, read["slice_label_rate"].columns) == ("critical", ("sex",))
    assert read["slice_label_rate"].at_most == COMPARISONS["slice_label_rate"].at_most
    assert read["distribution"] == COMPARISONS["distribution"]


def test_the_digest_of_a_suite_is_of_what_it_says(suite):
    """Comments and layout are nobody's business."""
    one = suite("expectations: [{type: expect_column_to_exist, kwargs: {column: a}}]\n")
    same = suite("# said\nexpectations:\n  - type: expect_column_to_exist\n    kwargs:\n      column: a\n")
    other = suite("expectations: [{type: expect_column_to_exist, kwargs: {column: b}}]\n")
    assert one.digest == same.digest != other.digest


@pytest.mark.parametrize("model", ["diagnosis", "claims"])
def test_the_suites_that_ship_are_right(model):
    """Every expectation is known, and looks at columns that the model knows."""
    folder = MODELS / model
    spec, suite = load(folder, {}), suite_from(read(folder / "suite.yaml", {}), folder=folder)
    known = set(standing_expectations(spec, suite)[0].kwargs["column_set"])
    assert {column for each in suite.expectations for column in each.columns} <= known


def test_the_exact_columns_and_the_rows_come_before_everything(claims):
    """An empty partition passes every uniqueness, and a column AGE says nothing of age."""
    first, second, *_ = standing_expectations(claims, replace(EMPTY, minimum_rows=20, other_columns=("RepNumber",)))
    assert first.type == "expect_table_columns_to_match_set"
    columns = first.kwargs["column_set"]
    assert columns[:2] == ["PolicyNumber", "FraudFound_P"]
    assert columns[-3:] == ["Year", "Month", "RepNumber"]
    assert len(columns) == len(set(columns))
    assert second.kwargs == {"min_value": 20}


def test_every_feature_is_held_to_what_the_spec_says_of_it(claims):
    """What may be missing, of which type, between which bounds; a nullable column still needs some values."""
    said = {(each.type, each.columns[0]): each.kwargs for each in standing_expectations(claims, EMPTY) if each.columns}
    assert "mostly" not in said["expect_column_values_to_not_be_null", "Fault"]
    assert 0 < said["expect_column_values_to_not_be_null", "Sex"]["mostly"] < 0.0001
    assert said["expect_column_values_to_be_between", "Age"] == {"column": "Age", "min_value": 0, "max_value": 120}
    assert said["expect_column_values_to_be_in_type_list", "Age"]["type_list"] == ["int64", "Int64", "uint64"]
    assert said["expect_column_values_to_not_be_null", "PolicyNumber"] == {"column": "PolicyNumber"}


def failed(severity="critical", column="age"):
    return FailedExpectation(
        expectation="expect_column_values_to_be_between", column=column, observed="3 of 9 are not", severity=severity
    )


def result(*failures, checked=9, key="2026-01"):
    return SuiteResult(model="m", key=key, checked=checked, failures=failures, docs=None)


def test_a_warning_is_reported_and_refuses_nothing():
    """Only what is critical is an objection."""
    assert result(failed("warning")).passed
    assert result(failed("warning")).warnings == ("age: values to be between: 3 of 9 are not",)
    assert result(failed(), failed("info")).objections == ("age: values to be between: 3 of 9 are not",)
    assert failed(column=None).told == "values to be between: 3 of 9 are not"


def test_nothing_checked_is_an_objection():
    """Missing evidence is a no."""
    assert result(checked=0).objections == ("no expectation was checked",)


@dataclass
class Prepared:
    """A validator whose answers a test prepared, by partition key; it passes the others."""

    answers: dict[str, SuiteResult] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    shown: list[SuiteResult] = field(default_factory=list)

    def validate(self, rows, expectations, *, engine, model, key, now):
        self.asked.append(key)
        return self.answers.get(key, result(key=key))

    def publish(self, result, actions):
        self.shown.append(result)
        return result


@pytest.fixture
def store(tmp_path):
    return DatasetFiles(root=tmp_path / "datasets")


@pytest.fixture
def check(store, diagnosis):
    def check(validator, **labels):
        for key, values in labels.items():
            rows = pa.table({"record_id": list(range(len(values))), "malignant": list(values)})
            store.write("diagnosis", key, rows, sources=[], now=NOW)
        partitions = store.current("diagnosis").values()
        version = version_of("diagnosis", max(each.key for each in partitions), partitions, window=9)
        return check_expectations(
            store,
            Instruments(validator=validator, counter=DuckdbCounts()),
            version=version,
            spec=diagnosis,
            suite=EMPTY,
            now=NOW,
        )

    return check


def test_a_partition_is_checked_once(check, store):
    """What passed is not asked again; a new partition is, and one whose run died before its check too."""
    validator = Prepared()
    assert check(validator, a=[0, 1]).result.key == "a"
    checked = check(validator, b=[0, 1])
    assert validator.asked == ["a", "b"]
    assert [each.key for each in checked.version.partitions] == ["a", "b"]
    assert check(validator).result is None


@pytest.mark.parametrize("answer", ["passes", "refuses"])
def test_a_check_that_died_while_it_was_published_is_done_again(check, store, answer):
    """Word goes out before the verdict is written: it may be told twice, and is never kept back."""

    class Killed(BaseException):
        pass

    class Dying(Prepared):
        def publish(self, result, actions):
            super().publish(result, actions)
            raise Killed

    answers = {} if answer == "passes" else {"a": result(failed(), key="a")}
    with pytest.raises(Killed):
        check(Dying(answers), a=[0, 1])
    assert store.quarantined("diagnosis") == []
    again = Prepared(answers)
    checked = check(again)
    assert [each.key for each in again.shown] == ["a"]
    assert bool(checked.objections) is (answer == "refuses")


def test_a_refused_partition_is_quarantined_and_ends_its_run(check, store):
    """Every objection is kept; the version to learn from is without it, and recorded."""
    checked = check(Prepared({"b": result(failed(), failed("warning"), key="b")}), a=[0, 1], b=[1, 0])
    assert checked.objections == ("age: values to be between: 3 of 9 are not",)
    assert [each.key for each in store.quarantined("diagnosis")] == ["b"]
    assert "1 expectation of 9 not met: age: values" in store.quarantined("diagnosis")[0].reason
    assert [each.key for each in checked.version.partitions] == ["a"]
    assert store.version("diagnosis", checked.version.digest).partitions == checked.version.partitions


def test_a_check_that_died_after_its_quarantine_gives_the_same_answer_again(check, store, diagnosis):
    """Airflow retries with the dataset version of before, whose partition has moved by then."""
    validator = Prepared({"a": result(failed(), key="a")})
    first = check(validator, a=[0, 1])
    partition = first.quarantined[0]
    before = version_of(
        "diagnosis",
        "a",
        [PartitionVersion(model="diagnosis", key="a", digest=partition.digest, rows=2)],
        window=9,
    )
    again = check_expectations(
        store,
        Instruments(validator=validator, counter=DuckdbCounts()),
        version=before,
        spec=diagnosis,
        suite=EMPTY,
        now=NOW,
    )
    assert again.objections == first.objections
    assert validator.asked == ["a"]


def test_an_older_refused_partition_freezes_the_run(check):
    """It is left out of the version, and nobody learns from the rest of its window while it waits."""
    checked = check(Prepared({"a": result(failed(), key="a")}), a=[0, 1], b=[1, 0])
    (objection,) = checked.objections
    assert objection.startswith(
        "partition a of diagnosis waits in quarantine since 2026-01-05 00:00 UTC: 1 expectation"
    )
    assert [each.key for each in checked.frozen] == ["a"]
    assert [each.key for each in checked.version.partitions] == ["b"]
    assert [each.key for each in checked.quarantined] == ["a"]


def test_a_window_of_one_class_ends_the_run_and_quarantines_nothing(check, store):
    """Bad input 30: of a rare event a partition may have none, but nobody learns from one class."""
    checked = check(Prepared(), a=[0, 0], b=[0, 0])
    (objection,) = checked.objections
    assert objection.startswith("malignant: every label of the 2 partitions up to b is 0; nothing can be learnt")
    assert store.quarantined("diagnosis") == []
    assert check(Prepared(), c=[0, 1]).objections == ()


@pytest.mark.parametrize(
    "labels, told",
    [
        ({"a": [0, 2], "b": [2, 0]}, "the labels of the 2 partitions up to b are 0, 2, and none is 1, which positive"),
        ({"a": ["no", "yes"], "b": ["no", "no"]}, "are 'no', 'yes', and none is 1, which positive in model.yaml"),
        # Each of two classes, and the window of three: the 2 of b would be no.
        ({"a": [0, 1], "b": [0, 2]}, "are 0, 1, 2, and all but 1, which positive in model.yaml declares, would count"),
        ({"a": [2, 2], "b": [2, 2]}, "every label of the 2 partitions up to b is 2; nothing can be learnt from one"),
    ],
)
def test_labels_among_which_is_not_the_declared_positive_one_end_the_run(check, store, labels, told):
    """A target of 0 and 2, or of yes and no, beside `positive: 1`: every row would count as not positive."""
    (objection,) = check(Prepared(), **labels).objections
    assert told in objection
    assert "positive in model.yaml" in objection
    assert store.quarantined("diagnosis") == []


@pytest.mark.parametrize("labels", [[0, 1], [0.0, 1.0], [False, True]])
def test_a_positive_label_is_known_however_its_number_is_stored(check, labels):
    """1, 1.0 and true are one."""
    assert check(Prepared(), a=labels).objections == ()
