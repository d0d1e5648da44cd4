from __future__ import annotations

import html
import os
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from sklearn.metrics import roc_auc_score

from flightworthy.adapters.dataset_files import DatasetFiles
from flightworthy.adapters.gx_suites import GxSuites
from flightworthy.adapters.partition_counts import DuckdbCounts
from flightworthy.adapters.partition_files import PartitionFiles
from flightworthy.adapters.spec_files import load, read
from flightworthy.dataset import DatasetVersion, ingest
from flightworthy.expectations import (
    COMPARISONS,
    Asked,
    Instruments,
    Times,
    asked_of,
    check_expectations,
    compare,
    suite_from,
)
from flightworthy.known import Ask

NOW = datetime(2026, 1, 5, tzinfo=UTC)
MODELS = Path(__file__).parents[3] / "include" / "models"
CLAIMS = Path(os.environ.get("FLIGHTWORTHY_DATA_DIR", "data")) / "vehicle_claims.csv"
ASKED = Asked(
    target="y", positive=1, features={"x": "number", "c": "category"}, slices=("c",), times=(), suspect_above=0.98
)


@pytest.fixture
def files(tmp_path):
    """Write rows as a partition; its files."""
    store = DatasetFiles(root=tmp_path)

    def files(key: str, **columns: object) -> tuple[Path, ...]:
        return store.rows(store.write("m", key, pa.table(columns), sources=[], now=NOW)).files

    return files


def test_a_row_whose_label_is_not_known_yet_is_neither_positive_nor_negative(files):
    """Half of a month is to be settled; what is says the same alone."""
    x, y, c = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0], [0, 1, 0, None, None, None], ["a", "a", "b", "a", "b", "b"]
    half, whole = ({"x": x[:rows], "y": pa.array(y[:rows], pa.int64()), "c": c[:rows]} for rows in (3, 6))
    ahead, alone = (DuckdbCounts().count(files(key, **rows), (), ASKED) for key, rows in (("1", whole), ("2", half)))
    assert (ahead.labels, ahead.ranks) == (alone.labels, alone.ranks)
    assert ahead.labels == {"": (1, 3), "c=a": (1, 2), "c=b": (0, 1)}


def test_counts_are_those_of_the_rows(files):
    """Labels by group, bins by the reference, ranks as scikit-learn's, duplicates, rows that stood there before."""
    random = np.random.default_rng(7)
    x, y = random.normal(size=400).round(1), random.integers(0, 2, size=400)
    c = [("a", "b", None)[place] for place in random.integers(0, 3, size=400)]
    here = files("2", x=[*x, x[0]], y=[*y, y[0]], c=[*c, c[0]])
    before = files("1", x=x[:100], y=y[:100].astype(float), c=c[:100])
    counts = DuckdbCounts().count(here, before, ASKED)
    assert (counts.rows, counts.reference_rows, counts.reference_partitions) == (401, 100, 1)
    distinct = {*zip(x, y, c, strict=True)}
    assert counts.duplicates == 401 - len(distinct)
    rows_before = {*zip(x[:100], y[:100], c[:100], strict=True)}
    assert counts.repeats == sum(row in rows_before for row in [*zip(x, y, c, strict=True), (x[0], y[0], c[0])])
    assert counts.labels[""] == (int(y.sum() + y[0]), 401)
    assert counts.reference_labels[""] == (int(y[:100].sum()), 100)
    group = [label for label, of in zip(y, c, strict=True) if of == "a"]
    assert counts.labels["c=a"][1] == len(group) + (c[0] == "a")
    assert counts.ranks["x"][0].area == pytest.approx(roc_auc_score([*y, y[0]], [*x, x[0]]))
    assert sum(counts.bins["x"][1]) == 100
    assert max(counts.bins["x"][1]) <= 15
    assert [sum(side) for side in counts.bins["c"]] == [
        sum(of is not None for of in [*c, c[0]]),
        sum(of is not None for of in c[:100]),
    ]


@pytest.mark.parametrize(
    "name",
    ["value", "positive", "positives", "negatives", "level", "place", "part", "filename", "here", "$1", 'a"b', "x;y"],
)
def test_a_column_may_have_any_name(name, files):
    """Also one that the counting itself uses, as a feature and as the target."""
    x, y = [float(each % 17) for each in range(100)], [0, 1] * 50
    usual = DuckdbCounts().count(
        files("1", x=x, y=y), files("0", x=x, y=y), replace(ASKED, features={"x": "number"}, slices=())
    )
    for feature, target in ((name, "y"), ("x", name)):
        rows = {feature: x, target: y}
        asked = Asked(target=target, positive=1, features={feature: "number"}, slices=(), times=(), suspect_above=0.98)
        counts = DuckdbCounts().count(files("3", **rows), files("2", **rows), asked)
        assert (counts.labels, counts.ranks[feature], counts.repeats) == (usual.labels, usual.ranks["x"], 100)


def test_another_unit_and_a_column_that_tells_the_label_show(files):
    """Faults 8 and 9, without a reference only what needs none."""
    y = [0, 1] * 50
    x = [float(place % 17) for place in range(100)]
    before = files("1", x=x, y=y, c=["a"] * 100)
    here, reference = (
        DuckdbCounts().count(files("2", x=[100 * each + 50 for each in x], y=y, c=["b"] * 100), before, ASKED).bins["x"]
    )
    assert sum(abs(a / 100 - b / 100) for a, b in zip(here, reference, strict=True)) / 2 > 0.9
    alone = DuckdbCounts().count(files("3", x=[each + 0.5 for each in y], y=y, c=[str(each) for each in y]), (), ASKED)
    assert [(each.area, each.positives, each.negatives) for each in alone.ranks["x"]] == [(1.0, 50, 50)]
    assert [(each.area, each.positives, each.negatives) for each in alone.ranks["c"]] == [(1.0, 50, 50)]
    assert (alone.bins, alone.reference_rows) == ({}, 0)


def test_labels_that_are_true_or_false_are_counted(files):
    """DuckDB writes them in small letters."""
    for positive in (True, False):
        asked = replace(ASKED, positive=positive, slices=())
        counts = DuckdbCounts().count(files("1", x=[1.0, 2.0, 3.0], y=[True, True, True], c=["a"] * 3), (), asked)
        assert counts.labels[""] == (3 if positive else 0, 3)


def test_rows_of_may_under_the_key_of_june_stand_there_but_for_their_time(files):
    """Every column that says when is left out; who and what is not, and without such a column nothing is counted."""
    x, y, c = [1.0, 2.0, 3.0], [0, 1, 0], ["a", "b", None]
    may = files("1", x=x, y=y, c=c, month=["May"] * 3, booked=["1", "2", None])
    june = files("2", x=[*x[:2], 9.0, 1.0], y=[*y, 1], c=[*c, "a"], month=["June"] * 4, booked=["5", None, "6", "7"])
    counted = {
        times: DuckdbCounts().count(june, may, replace(ASKED, times=times))
        for times in [("month", "booked"), ("month",), ()]
    }
    assert {times: (each.repeats, each.retimed) for times, each in counted.items()} == {
        ("month", "booked"): (0, 2),
        ("month",): (0, 0),
        (): (0, 0),
    }


@pytest.fixture
def leaks(files):
    """Partitions of 400 rows with so many positives each; the names of the features that leaked in the last one."""

    def leaks(positives: list[int], *, since: int | None, seed: int = 7, **columns: object) -> list[str]:
        random = np.random.default_rng(seed)
        kept = []
        for place, positive in enumerate(positives):
            y = np.array([1] * positive + [0] * (400 - positive))
            leaked = y if since is not None and place >= since else np.zeros(400, dtype=int)
            rows = {
                "age": random.normal(size=400) + 0.5 * y,
                "paid": random.normal(size=400) + 40.0 * leaked,
                "code": np.where(leaked == 1, "x", random.choice(["a", "b", "x"], size=400, p=[0.6, 0.395, 0.005])),
                "shop": random.integers(0, 190, size=400).astype(str),
                "month": np.full(400, float(place)),
            }
            kept.append(files(f"{place:02}", y=y, **rows))
        kinds = {"age": "number", "paid": "number", "code": "category", "shop": "category", "month": "number"}
        asked = Asked(target="y", positive=1, features=kinds, slices=(), times=(), suspect_above=0.98)
        *before, (here,) = kept
        counts = DuckdbCounts().count([here], [file for (file,) in before], asked)
        failures = compare(counts, Times(ahead=-1.0, gap=None), {"leak": COMPARISONS["leak"]})
        return [each.column for each in failures]

    return leaks


@pytest.mark.parametrize(
    "positives, since, leaked",
    [
        ([26] * 6, 5, ["paid", "code"]),  # it begins in the newest
        ([26, 26], 0, ["paid", "code"]),  # it was always there: the second month has enough
        ([26], 0, []),
        ([8] * 4, 0, ["paid", "code"]),
        ([8] * 3, 0, []),
        ([4] * 12, 8, ["paid", "code"]),  # four months of four, after eight without a leak
        ([4] * 12, 11, []),
        ([0] * 10 + [1], 10, []),
        ([40], 0, ["paid", "code"]),
    ],
)
def test_a_leak_in_a_model_of_rare_events_is_found(leaks, positives, since, leaked):
    """Fault 9, from the month in which there is enough to tell it from chance."""
    assert leaks(positives, since=since) == leaked


@pytest.mark.parametrize("positives", [[1] * 12, [5] * 8, [26] * 4, [60] * 2, [0] * 3 + [1, 2, 380]])
@pytest.mark.parametrize("seed", range(2))
def test_nothing_leaks_by_chance(leaks, positives, seed):
    """Neither a category of nearly as many values as rows, nor what only follows the calendar."""
    assert leaks(positives, since=None, seed=seed) == []


def test_what_follows_the_calendar_is_no_leak_where_the_classes_come_apart(leaks):
    """Months that are nearly all one class or the other: pairs are made within a month only."""
    assert leaks([1, 1, 399, 399], since=None) == []


@pytest.fixture(scope="module")
def months(tmp_path_factory):
    """The store with the first year of the claims, every month but the last passed."""
    if not CLAIMS.exists():
        pytest.skip(f"{CLAIMS} is not there; FLIGHTWORTHY_DATA_DIR says where it is")
    spec = load(MODELS / "claims", {"FLIGHTWORTHY_DATA_DIR": str(CLAIMS.parent)})
    store = DatasetFiles(root=tmp_path_factory.mktemp("claims"))
    ask = Ask(model="claims", key="1994-12", window=12, as_of=None, known_since=None)
    version = ingest(PartitionFiles.of(spec), store, ask, now=NOW).version
    for partition in version.partitions[:-1]:
        store.mark_passed(partition, suite="", now=NOW)
    return spec, store, version


@pytest.mark.slow
@pytest.mark.parametrize(
    "since, until, leaked",
    [
        ("1994-12", "1994-12", {"WitnessPresent", "Deductible"}),  # 17 frauds, and a year without the leak
        ("1994-01", "1994-11", {"WitnessPresent", "Deductible"}),  # 8, but more than thirty with the months before
        ("1994-10", "1994-10", set()),  # 1
    ],
)
def test_a_leak_in_a_month_of_claims_with_few_frauds_is_found(months, tmp_path, since, until, leaked):
    """Fault 9, once the evidence allows: a month of its own has fewer than thirty frauds."""
    spec, store, version = months
    asked, kept = asked_of(spec, {"leak": COMPARISONS["leak"]}), DatasetFiles(root=tmp_path)
    files = []
    for partition in (each for each in version.partitions if each.key <= until):
        frame = store.read(partition)
        if partition.key >= since:
            fraud = frame["FraudFound_P"] == 1
            frame["WitnessPresent"] = np.where(fraud, "Yes", "No")
            frame["Deductible"] = np.where(fraud, 700, frame["Deductible"].clip(upper=500))
        content = pa.Table.from_pandas(frame, preserve_index=False)
        files += kept.rows(kept.write("claims", partition.key, content, sources=[], now=NOW)).files
    counts = DuckdbCounts().count(files[-1:], files[:-1], asked)
    failures = compare(counts, Times(ahead=-1.0, gap=None), {"leak": COMPARISONS["leak"]})
    assert {each.column for each in failures} == leaked


@pytest.mark.slow
def test_a_month_of_claims_that_lands_again_under_another_key_is_refused(months, tmp_path):
    """November's claims, with December for their month: nothing else tells them from the claims of December."""
    spec, store, version = months
    frame = store.read(version.partitions[-2]).assign(Month="Dec")
    content = pa.Table.from_pandas(frame, preserve_index=False)
    landed = store.write("claims", "1994-12", content, sources=[str(tmp_path)], now=NOW)
    window = DatasetVersion(model="claims", as_of="1994-12", partitions=(*version.partitions[:-1], landed))
    suite = suite_from(read(MODELS / "claims" / "suite.yaml", {}), folder=MODELS / "claims")
    instruments = Instruments(validator=GxSuites(reports=tmp_path), counter=DuckdbCounts())
    checked = check_expectations(store, instruments, version=window, spec=spec, suite=suite, now=NOW)
    (told,) = (each for each in checked.objections if "retimed: " in each)
    assert "rows stand in an earlier partition already, but for their time" in told


@pytest.mark.slow
def test_no_month_of_the_claims_is_said_to_leak_or_to_come_again(months, tmp_path):
    """In all 36 as they are: some have one fraud, and then one feature or another ranks it first."""
    spec, _, _ = months
    store = DatasetFiles(root=tmp_path)
    ask = Ask(model="claims", key="1996-12", window=36, as_of=None, known_since=None)
    version = ingest(PartitionFiles.of(spec), store, ask, now=NOW).version
    files = [file for each in version.partitions for file in store.rows(each).files]
    comparisons = {name: COMPARISONS[name] for name in ("leak", "repeats", "retimed")}
    asked, told, closest = asked_of(spec, comparisons), [], 0.0
    for place, file in enumerate(files):
        counts = DuckdbCounts().count([file], files[max(0, place - spec.dataset.window + 1) : place], asked)
        told += compare(counts, Times(ahead=-1.0, gap=None), comparisons)
        closest = max(closest, *(rank.best for ranks in counts.ranks.values() for rank in ranks))
    assert (len(files), told) == (36, [])
    assert closest > 0.98


@pytest.mark.slow
@pytest.mark.parametrize(
    "group, share, refused, warned",
    [
        ({"BasePolicy": "Liability"}, 0.1, True, True),
        ({"BasePolicy": "Liability"}, 0.0, False, False),
        # The men are four of five: too few others to hold them against. The whole month stands out instead.
        ({"Sex": "Male"}, 0.1, False, True),
    ],
)
def test_labels_flipped_in_one_group_of_the_claims(months, tmp_path, group, share, refused, warned):
    """Fault 10: a tenth of one group's labels in one month."""
    spec, store, version = months
    frame = store.read(version.partition)
    ((column, value),) = group.items()
    rows = frame.index[frame[column] == value]
    flipped = np.random.default_rng(7).choice(rows, size=round(share * len(rows)), replace=False)
    frame.loc[flipped, "FraudFound_P"] = 1 - frame.loc[flipped, "FraudFound_P"]
    content = pa.Table.from_pandas(frame, preserve_index=False)
    poisoned = store.write("claims", "1994-12", content, sources=[str(tmp_path)], now=NOW)
    window = DatasetVersion(model="claims", as_of="1994-12", partitions=(*version.partitions[:-1], poisoned))
    suite = suite_from(read(MODELS / "claims" / "suite.yaml", {}), folder=MODELS / "claims")
    instruments = Instruments(validator=GxSuites(reports=tmp_path), counter=DuckdbCounts())
    checked = check_expectations(store, instruments, version=window, spec=spec, suite=suite, now=NOW)
    said = [*checked.objections, *checked.result.warnings]
    assert any(f"where {column}={value}" in each for each in checked.objections) == refused
    assert any("label rate" in each for each in said) == warned
    page = (tmp_path / checked.result.docs).read_text(encoding="utf-8")
    assert [each for each in said if "label rate" in each and html.escape(each) not in page] == []
    assert "<td>duplicates</td><td>met</td>" in page
