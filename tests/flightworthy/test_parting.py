"""Rows that are refused wait with their reasons, while the rest of their partition goes on."""

from __future__ import annotations

import html
import json
import os
from datetime import timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from pyarrow import parquet

from flightworthy.adapters.dataset_files import DatasetFiles
from flightworthy.adapters.dataset_files.content import digest_of
from flightworthy.adapters.dataset_files.parting import Joined, Only, Without
from flightworthy.errors import ArtifactRefused, PartitionRefused
from flightworthy.expectations import Checked, Expectation
from flightworthy.quarantine import Discard, Quarantined, RefusedRows
from tests.flightworthy.dying import dying_at, tree
from tests.flightworthy.parted import MODEL, NOW, House, rows_of, suite_of
from tests.forked import in_a_process

KEY = "2026-01-05"
AGES = (30, 40, 130, 50, None, 60, 25, 35, 45, 55)


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House(folder=tmp_path)


def test_refused_rows_wait_with_their_reasons_and_the_rest_goes_on(house: House) -> None:
    """Above the floor: one row is out of the suite's range, one lacks what model.yaml asks for."""
    house.source.tables[KEY] = rows_of(*AGES)
    checked = house.line(KEY)

    assert (checked.objections, checked.quarantined) == ((), ())
    (held,) = checked.parted
    assert (held.rows, held.digest) == (2, digest_of(rows_of(*AGES)))
    assert held.reason.startswith("2 of 10 rows: age: values to not be null: 1 of 10 rows do not; age: values to be be")
    assert checked.version.partitions == (held.kept,)
    frame = house.store.frame(checked.version)
    assert frame["age"].tolist() == [30, 40, 50, 60, 25, 35, 45, 55]
    waiting = house.store.quarantined(MODEL)
    assert waiting == [held]
    folder = Path(held.uri)
    assert parquet.read_table(folder / "data.parquet")["customer"].to_pylist() == [2, 4]
    assert parquet.read_table(folder / "reasons.parquet").to_pylist() == [
        {"place": 2, "reasons": ["age: values to be between (max_value 100)"]},
        {"place": 4, "reasons": ["age: values to not be null"]},
    ]


def _page(house: House, checked: Checked) -> str:
    (result,) = checked.results
    assert result.docs is not None
    return (house.folder / "reports" / result.docs).read_text(encoding="utf-8")


def test_the_page_is_of_what_went_on_and_names_what_waits(house: House) -> None:
    """Also where the task died between the two and is run again."""
    house.source.tables[KEY] = rows_of(*AGES)
    taken = house.ingest(KEY)
    checked = house.check(taken)
    (held,) = checked.parted
    told = _page(house, checked)
    assert "Rows set aside: this page is of the rest" in told
    assert html.escape(held.reason) in told

    next((house.folder / "datasets").rglob("passed.json")).unlink()
    again = house.check(taken)
    assert again.parted == ()
    assert html.escape(held.reason) in _page(house, again)


def test_the_page_is_of_the_whole_where_the_rest_fails_too(house: House) -> None:
    """It shows the rows that were refused, not what is left without them."""
    house.source.tables[KEY] = rows_of(*AGES)
    oldest = Expectation(
        type="expect_column_max_to_be_between", kwargs={"column": "age", "max_value": 40}, severity="critical",
        meta={}, line=2,
    )  # fmt: skip
    suite = suite_of(expectations=(*suite_of().expectations, oldest))
    checked = house.line(KEY, suite)
    (result,) = checked.results
    assert result.parting is not None
    assert "it fails too" in result.parting
    told = _page(house, checked)
    assert "No row was set aside" in told
    assert html.escape(result.parting) in told
    assert "130" in told


def test_rows_in_are_rows_out_and_rows_quarantined(house: House) -> None:
    """Put together again they are the very content that the source delivered."""
    house.source.tables[KEY] = rows_of(*AGES)
    (held,) = house.line(KEY).parted
    assert held.kept is not None
    joined = Joined(
        kept=house.store.rows(held.kept).file, rows=Path(held.uri) / "data.parquet", picked=(0, 1), places=(2, 4)
    )
    with house.store.staged(MODEL, joined) as whole:
        assert whole.digest == held.digest == held.source_digest
    assert whole.rows == held.kept.rows + len(refused_places(held)) == 10


def test_counts_that_do_not_add_up_change_nothing(house: House) -> None:
    """Whoever calls the store otherwise is stopped before a row is lost."""
    store = house.store
    partition = store.write(MODEL, KEY, rows_of(*AGES), sources=[], now=NOW)
    kept = store.part(partition, [2, 4])
    with pytest.raises(ArtifactRefused, match="10 rows, and 8 to keep with 1 to set aside are not as many"):
        store.set_aside(
            partition, kept, RefusedRows(places=(2,), reasons=(("r",),), objections=("o",)), reason="r", now=NOW
        )
    assert store.quarantined(MODEL) == []
    assert store.current(MODEL) == {KEY: partition}


def test_the_same_source_again_finds_what_went_on_standing(house: House) -> None:
    """Neither a rerun nor a later run writes anything; the dataset version has the same digest."""
    house.source.tables[KEY] = rows_of(*AGES)
    first = house.line(KEY)
    before = tree(house.store.root)

    taken = house.ingest(KEY)
    assert taken.stood
    assert taken.version.partitions == first.version.partitions
    again = house.check(taken)
    assert (again.version.digest, again.results, again.parted) == (first.version.digest, (), ())
    assert tree(house.store.root) == before
    (revision,) = json.loads((house.store.root / MODEL / "partitions" / KEY / "revisions.json").read_text())[1:]
    assert revision["source_digest"] == digest_of(rows_of(*AGES))


def test_a_check_that_was_handed_the_whole_again_gives_the_same_answer(house: House) -> None:
    """Airflow retries with the dataset version of before, whose partition has been parted by then."""
    house.source.tables[KEY] = rows_of(*AGES)
    taken = house.ingest(KEY)
    first, again = house.check(taken), house.check(taken)
    assert taken.version.digest != first.version.digest == again.version.digest


def test_below_the_floor_the_whole_partition_waits(house: House) -> None:
    """The reason names the rows that would have gone, and the floor; nothing is left of the attempt."""
    house.source.tables[KEY] = rows_of(*AGES)
    checked = house.line(KEY, suite_of(keep_at_least=0.85))

    assert checked.parted == ()
    assert checked.objections[-1] == (
        "2 of 10 rows would go to quarantine, which leaves 80.0%; rows.keep_at_least is 85.0%"
    )
    (held,) = house.store.quarantined(MODEL)
    assert (held.is_whole, held.rows) == (True, 10)
    assert house.store.current(MODEL) == {}
    assert [path.name for path in (house.store.root / MODEL / "partitions" / KEY).iterdir()] == ["revisions.json"]


def test_what_fails_without_the_rows_too_waits_as_a_whole(house: House) -> None:
    """Too few rows for the suite once the refused ones are gone."""
    house.source.tables[KEY] = rows_of(*AGES)
    checked = house.line(KEY, suite_of(minimum_rows=9))
    assert checked.objections[-1].startswith("without these 2 rows it fails too: table row count to be between: obs")
    assert [path.name for path in (house.store.root / MODEL / "partitions" / KEY).iterdir()] == ["revisions.json"]


def test_what_is_not_about_single_rows_refuses_the_partition(house: House) -> None:
    """A column that is gone is no matter of rows."""
    house.source.tables[KEY] = rows_of(*AGES).drop_columns(["bought"])
    checked = house.line(KEY)
    assert checked.parted == ()
    assert any("missing bought" in objection for objection in checked.objections)


def test_without_a_floor_no_row_waits_alone(house: House) -> None:
    """The suite of everybody who asked for nothing: a partition is taken or refused as a whole."""
    house.source.tables[KEY] = rows_of(*AGES)
    assert house.line(KEY, suite_of(keep_at_least=None)).parted == ()
    assert [held.is_whole for held in house.store.quarantined(MODEL)] == [True]


def test_the_pandas_engine_sets_the_same_rows_aside(tmp_path: Path) -> None:
    """The same digests on both sides, whoever looked."""
    told = []
    for engine in ("duckdb", "pandas"):
        house = House(folder=tmp_path / engine)
        house.source.tables[KEY] = rows_of(*AGES)
        (held,) = house.line(KEY, suite_of(engine=engine)).parted
        told.append((held.digest, held.kept, held.reason))
    assert told[0] == told[1]


def test_another_content_is_looked_at_anew(house: House) -> None:
    """A corrected file replaces what went on; the rows of the first delivery wait until somebody decides."""
    house.source.tables[KEY] = rows_of(*AGES)
    house.line(KEY)
    house.source.tables[KEY] = rows_of(30, 40, 13, 50, 51, 60, 25, 35, 45, 55)
    checked = house.line(KEY)
    assert (checked.parted, checked.version.rows) == ((), 10)
    assert [held.rows for held in house.store.quarantined(MODEL)] == [2]


def test_what_went_on_and_was_held_later_does_not_come_in_again_by_its_source(house: House) -> None:
    """The source's content is known by its digest, though what was refused is another."""
    house.source.tables[KEY] = rows_of(*AGES)
    (partition,) = house.line(KEY).version.partitions
    held = house.store.quarantine(partition, reason="r", objections=["o"], now=NOW)
    assert held.source_digest == digest_of(rows_of(*AGES)) != held.digest
    with pytest.raises(PartitionRefused, match="waits in quarantine with this very content"):
        house.ingest(KEY)
    assert house.store.refused(MODEL) == [held]


def test_rows_that_were_given_up_change_nothing_of_what_went_on(house: House) -> None:
    """The same source is found standing as before."""
    house.source.tables[KEY] = rows_of(*AGES)
    checked = house.line(KEY)
    house.store.give_up(checked.parted[0], Discard(actor="ada", reason="typing mistakes", at=NOW, rows=None))
    taken = house.ingest(KEY)
    assert (taken.stood, taken.version.digest) == (True, checked.version.digest)
    assert house.store.refused(MODEL) == []


def refused_places(held: Quarantined) -> list[int]:
    return list(parquet.read_table(Path(held.uri) / "reasons.parquet")["place"].to_pylist())


def test_killed_before_any_write_no_row_is_lost_and_the_next_run_ends_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SIGKILL before every write, sync, rename and removal; at each every row is in one place at least."""
    monkeypatch.setattr(os, "fsync", lambda _: None)  # a killed process loses no page of the kernel's
    never = House(folder=tmp_path / "never")
    never.source.tables[KEY] = rows_of(*AGES)
    taken = never.ingest(KEY)
    places = (2, 4)
    part(never.store, taken.version.partitions[0], places)
    expected = tree(never.store.root, without="versions")
    for count in range(1_000):
        house = House(folder=tmp_path / str(count))
        house.source.tables[KEY] = rows_of(*AGES)
        partition = house.ingest(KEY).version.partitions[0]
        ended = in_a_process(dying_at(count, lambda: part(house.store, partition, places)))  # noqa: B023 # run at once
        assert sorted(customers(house.store)) == list(range(10)), count
        again(house, partition, places)
        assert tree(house.store.root, without="versions") == expected, count
        if ended:
            break
    assert count > 15


def part(store: DatasetFiles, partition: Any, places: tuple[int, ...]) -> None:
    """What a check does to a partition whose rows are refused, without the seconds of looking at them."""
    kept = store.part(partition, places)
    reasons = tuple(("r",) for _ in places)
    refused = RefusedRows(places=places, reasons=reasons, objections=("o",))
    store.set_aside(partition, kept, refused, reason="r", now=NOW)
    store.mark_passed(kept, suite="s", now=NOW)


def again(house: House, partition: Any, places: tuple[int, ...]) -> None:
    """The same run once more: ingest, then a check that was handed what ingest names."""
    (current,) = house.ingest(KEY).version.partitions
    if current == partition:
        held = house.store.quarantined(MODEL)
        if held:
            current = house.store.go_on(held[0], now=NOW)
        else:
            part(house.store, partition, places)
            return
    house.store.mark_passed(current, suite="s", now=NOW)


def customers(store: DatasetFiles) -> set[int]:
    """Of all rows that a reader finds: in what is current, and in quarantine."""
    found: set[int] = set()
    for partition in store.current(MODEL).values():
        found |= set(store.read(partition)["customer"])
    for held in store.quarantined(MODEL):
        found |= set(parquet.read_table(Path(held.uri) / "data.parquet", partitioning=None)["customer"].to_pylist())
    return {int(each) for each in found}


def test_what_went_on_counts_as_known_since_the_whole_was(house: House) -> None:
    """A check that comes a week after the delivery makes no revision of it: an ask as of its day gets the same rows."""
    house.source.tables[KEY] = rows_of(30, 40)
    house.line(KEY)
    house.source.tables[KEY] = rows_of(*AGES)
    taken = house.ingest(KEY)
    house.now = NOW + timedelta(days=7)
    (held,) = house.check(taken).parted
    _, whole, rest = json.loads((house.store.root / MODEL / "partitions" / KEY / "revisions.json").read_text())
    assert (rest["digest"], rest["source_digest"]) == (held.kept and held.kept.digest, whole["digest"])
    assert (
        (rest["seen_at"], rest["sources"]) == (whole["seen_at"], whole["sources"]) == (NOW.isoformat(), [f"{KEY}.csv"])
    )


@pytest.mark.parametrize(
    "places", [[0], [199_999], [65_535, 65_536, 131_071], list(range(65_000, 67_000)), list(range(0, 200_000, 7))]
)
def test_a_partition_is_parted_and_put_together_batch_by_batch(tmp_path: Path, places: list[int]) -> None:
    """At the borders of batches too; nothing but the refused rows is ever in memory as a whole."""
    store = DatasetFiles(root=tmp_path)
    partition = store.write(MODEL, KEY, pa.table({"n": range(200_000)}), sources=[], now=NOW)
    file = store.rows(partition).file
    with (
        store.staged(MODEL, Without(file=file, places=places)) as kept,
        store.staged(MODEL, Only(file=file, places=places)) as rows,
        store.staged(MODEL, Joined(kept=kept.file, rows=rows.file, picked=range(len(places)), places=places)) as whole,
    ):
        assert parquet.read_table(rows.file)["n"].to_pylist() == places
        assert (kept.rows + rows.rows, whole.digest) == (200_000, partition.digest)
