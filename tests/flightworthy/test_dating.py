"""Rows whose times cannot be are refused by name, and a label that is not known yet may be missing."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from flightworthy.adapters.dataset_files import DatasetFiles
from flightworthy.adapters.dataset_files.odd_times import odd_times
from flightworthy.adapters.gx_suites import GxSuites
from flightworthy.adapters.partition_counts import DuckdbCounts
from flightworthy.adapters.partition_files import PartitionFiles
from flightworthy.dataset import ingest
from flightworthy.errors import PartitionMissing
from flightworthy.expectations import Checked, Instruments, check_expectations
from flightworthy.known import Ask, KnownSince, RowTimes
from flightworthy.spec import Spec
from tests.flightworthy.parted import suite_of
from tests.training_material import make_spec

KEY, NEXT = "2026-01", "2026-02"
JANUARY, FEBRUARY, MARCH, APRIL = (datetime(2026, month, 1, tzinfo=UTC) for month in (1, 2, 3, 4))
MONTHLY = {"cron": "0 0 1 * *", "start_at": "2025-01-01"}
IN_BERLIN = timezone(timedelta(hours=1))
GOOD = "{number},30,{label},2026-01-05 09:00,10.01.2026"


def places(table: dict[str, Any], **said: Any) -> list[list[int]]:
    """What is odd of the times of a table: unreadable, early, without a label."""
    since = KnownSince(columns=("at",), written=said.pop("written", None), target=said.pop("target", None))
    times = RowTimes(known_since=since, **{"happened": None, "begins": JANUARY, "now": FEBRUARY, **said})
    return [list(each.places) for each in odd_times(pa.table(table), times)]


@pytest.mark.parametrize(
    "cells, written, unread",
    [
        (["2026-01-31", "31.01.2026", None, "soon", ""], None, [1, 3, 4]),
        (["31.01.2026", "2026-01-31", None, "31.02.2026"], "%d.%m.%Y", [1, 3]),
        ([20260131, 20261301, None], "%Y%m%d", [1]),
        ([date(2026, 1, 31), None], None, []),
        (["9999-12-31T23:59:59-12:00", "0001-01-01T00:00:00+12:00"], None, [0, 1]),
    ],
)
def test_a_cell_that_is_no_time_is_odd_and_an_empty_one_is_not(
    cells: list[Any], written: str | None, unread: list[int]
) -> None:
    """An empty one says that the row is not known yet."""
    assert places({"at": cells}, written=written)[0] == unread


def test_no_row_is_known_before_it_happened() -> None:
    """A day stands for all of it; a row that does not say when it happened did so in its partition's interval."""
    table = {
        "at": ["2026-01-05 08:59", "2026-01-05", "2026-01-04", "2025-12-31 23:59", "2026-01-05 10:00", None],
        "seen": ["05.01.2026 09", "05.01.2026 09", "05.01.2026 09", None, "05.01.2026 10", "05.01.2026 10"],
    }
    happened = KnownSince(columns=("seen",), written="%d.%m.%Y %H")
    assert places(table, happened=happened)[1] == [0, 2, 3]
    assert places(table)[1] == [3]
    assert places({"at": ["2026-01-01", "2026-01-01T00:00:00+01:00"]})[1] == [1]
    instants = pa.array([datetime(2026, 1, 1, 0, 30, tzinfo=IN_BERLIN), JANUARY])
    assert places({"at": instants})[1] == [0]


def test_a_label_is_asked_for_once_it_is_known() -> None:
    """Not of a row that is known later, or that does not say."""
    table = {"at": ["2026-01-31", "2026-02-01", None, "x"], "bought": pa.array([None] * 4, pa.int64())}
    assert places(table, target="bought") == [[3], [], [0]]
    assert places(table) == [[3], [], []]


def spec_of(folder: Path) -> Spec:
    source = {
        "uri": f"{folder}/all.csv", "partition": "%Y-%m",
        "event_time": {"columns": ["seen"], "format": "%Y-%m-%d %H:%M"},
        "known_since": {"columns": ["settled"], "format": "%d.%m.%Y"},
    }  # fmt: skip
    return make_spec(
        features={"age": {"type": "integer", "minimum": 0}}, source=source, dataset={"window": 3}, schedule=MONTHLY
    )


def line(folder: Path, *rows: str, key: str = KEY, now: datetime = MARCH, **suite: Any) -> Checked:
    """Land a file of all rows; take in and check what is asked for."""
    (folder / "all.csv").write_text("\n".join(("customer,age,bought,seen,settled", *rows, "")))
    spec, store = spec_of(folder), DatasetFiles(root=folder / "datasets")
    ask = Ask(
        model=spec.model, key=key, window=3, as_of=None, known_since=spec.rows_known_since
    )  # fmt: skip
    taken = ingest(PartitionFiles.of(spec), store, ask, now=now)
    instruments = Instruments(validator=GxSuites(reports=folder / "reports"), counter=DuckdbCounts())
    return check_expectations(
        store, instruments, version=taken.version, spec=spec, suite=suite_of(**suite), now=now
    )  # fmt: skip


def good(count: int) -> list[str]:
    return [GOOD.format(number=number, label=number % 2) for number in range(count)]


ODD = (
    "90,30,1,2026-01-05 09:00,31.02.2026",
    "91,30,1,2026-01-05 09:00,04.01.2026",
    "92,30,,2026-01-05 09:00,10.01.2026",
)


def test_rows_whose_times_cannot_be_wait_alone_above_the_floor(tmp_path: Path) -> None:
    """Each with its reason; the rest goes on, and must itself be in order."""
    checked = line(tmp_path, *good(18), *ODD)

    assert (checked.objections, checked.version.rows) == ((), 18)
    (held,) = checked.parted
    assert {row.number: row.reasons for row in DatasetFiles(root=tmp_path / "datasets").apart(held)} == {
        18: ("settled: known since to be a time (written %d.%m.%Y)",),
        19: ("settled: known since to be no earlier than the event (written %d.%m.%Y)",),
        20: ("bought: label to be there once it is known",),
    }


@pytest.mark.parametrize("suite", [{"keep_at_least": None}, {"out_of_spec": "refuse"}, {"keep_at_least": 0.9}])
def test_without_a_floor_they_refuse_the_partition_and_name_themselves(tmp_path: Path, suite: dict[str, Any]) -> None:
    """With the first row of each, and on the page of Data Docs too."""
    checked = line(tmp_path, *good(18), *ODD, **suite)

    assert checked.objections[:3] == (
        "settled: known since to be a time: 1 of 21 rows do not, such as row 18, known since '31.02.2026'",
        (
            "settled: known since to be no earlier than the event: 1 of 21 rows do not, such as row 19, "
            "known since '04.01.2026'"
        ),
        "bought: label to be there once it is known: 1 of 21 rows do not, such as row 20, known since '10.01.2026'",
    )
    docs = checked.results[0].docs
    assert docs is not None
    assert "31.02.2026" in (tmp_path / "reports" / docs).read_text()


def test_a_row_without_its_label_is_not_known_until_it_has_one(tmp_path: Path) -> None:
    """The label matures in March: until it is delivered the row is nobody's, also where March has come without it."""
    waits = ["50,30,,2026-01-06 09:00,10.03.2026", "51,30,,2026-01-06 09:00,"]

    early = line(tmp_path, *good(18), *waits)
    assert (early.objections, early.parted, early.version.rows) == ((), (), 18)
    store = DatasetFiles(root=tmp_path / "datasets")
    assert store.distinct(early.version, "bought") == [0, 1]
    assert store.frame(early.version)["bought"].dtype == "int64"

    assert line(tmp_path, *good(18), *waits, now=APRIL).version.digest == early.version.digest

    late = line(tmp_path, *good(18), "50,30,1,2026-01-06 09:00,10.03.2026", waits[1], now=APRIL)
    assert (late.objections, late.version.rows) == ((), 19)
    assert 50 in store.frame(late.version)["customer"].tolist()
    again = store.version(late.version.model, late.version.digest)
    assert again.cutoff == late.version.cutoff


def test_a_partition_of_which_no_label_is_known_yet_waits_for_nobody(tmp_path: Path) -> None:
    """It is taken in; the run is skipped, since there is nothing to learn from, and nothing is refused."""
    rows = [f"{number},30,,2026-01-06 09:00,10.03.2026" for number in range(8)]
    with pytest.raises(PartitionMissing, match="became known later"):
        line(tmp_path, *rows)
    assert DatasetFiles(root=tmp_path / "datasets").quarantined("shop") == []
    labelled = [f"{number},30,{number % 2},2026-02-06 09:00,20.02.2026" for number in range(8)]
    ahead = line(tmp_path, *rows, *labelled, key=NEXT)
    assert (ahead.objections, ahead.version.rows, len(ahead.version.partitions)) == ((), 8, 2)
    assert DatasetFiles(root=tmp_path / "datasets").frame(ahead.version)["bought"].dtype == "int64"
