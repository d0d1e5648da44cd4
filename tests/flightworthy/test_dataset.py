from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flightworthy.adapters.dataset_files import DatasetFiles
from flightworthy.dataset import DatasetVersion, PartitionVersion, Split, ingest, split_of, version_of
from flightworthy.errors import PartitionMissing, PartitionRefused
from flightworthy.known import Ask, KnownSince
from flightworthy.partition import SourceFile
from flightworthy.quarantine import Discard

NOW = datetime(2026, 1, 5, 12, tzinfo=UTC)


@dataclass
class Landed:
    """A source that holds what a test landed, and remembers what was asked of it."""

    tables: dict[str, pa.Table | PartitionRefused] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    times: dict[str, int] = field(default_factory=dict)

    def land(self, key: str, *values: int, **columns: list[str | None]) -> None:
        self.tables[key] = pa.table({"id": list(values), **columns})
        self.times[key] = self.times.get(key, 0) + 1

    def files(self) -> Sequence[SourceFile]:
        return [
            SourceFile(key=key, uri=f"landing/{key}.csv", size=self.times.get(key, 1), modified_at=NOW)
            for key in sorted(self.tables)
        ]

    def read(self, keys: Sequence[str]) -> Mapping[str, pa.Table | PartitionRefused]:
        self.asked += keys
        return {key: self.tables[key] for key in keys}

    def unplaced(self) -> Sequence[PartitionRefused]:
        return [PartitionRefused("line 7: the time is missing")]


@pytest.fixture
def landed():
    return Landed()


@pytest.fixture
def store(tmp_path):
    return DatasetFiles(root=tmp_path)


def take_in(landed, store, key=None, window=3, **more):
    ask = Ask(model="m", key=key, window=window, as_of=more.get("as_of"), known_since=more.get("known_since"))
    return ingest(landed, store, ask, now=more.get("now", NOW))


FEBRUARY, MARCH = datetime(2026, 2, 1, tzinfo=UTC), datetime(2026, 3, 1, tzinfo=UTC)
LATER = datetime(2026, 5, 5, tzinfo=UTC)
SETTLED = KnownSince(columns=("settled",), written=None)


def keys(version):
    return [each.key for each in version.partitions]


def test_the_same_input_gives_the_same_digest_and_is_not_written_twice(landed, store):
    """A second run of the same interval finds everything standing."""
    landed.land("2026-01", 1, 2)
    first, second = take_in(landed, store, "2026-01"), take_in(landed, store, "2026-01")
    assert first.version == second.version
    assert (first.stood, second.stood) == (False, True)
    assert [each.key for each in first.written] == ["2026-01"]
    assert second.written == ()
    assert first.unplaced == ("line 7: the time is missing",)


def test_a_run_learns_only_from_what_was_known_by_its_interval(landed, store):
    """Later partitions are in the source, and not in the dataset version of an earlier run."""
    for month in range(1, 6):
        landed.land(f"2026-0{month}", month)
    assert keys(take_in(landed, store, "2026-03").version) == ["2026-01", "2026-02", "2026-03"]
    assert keys(take_in(landed, store).version) == ["2026-03", "2026-04", "2026-05"]
    assert sorted(landed.asked) == ["2026-01", "2026-02", "2026-03", "2026-04", "2026-05"]


def test_an_earlier_partition_of_the_source_is_taken_in_with_the_run(landed, store):
    """A backfill over one year of one file learns from the year before, which no run ever asked for."""
    landed.land("1994-12", 1)
    landed.land("1995-01", 2)
    ingested = take_in(landed, store, "1995-01")
    assert keys(ingested.version) == ["1994-12", "1995-01"]
    assert ingested.unchecked == ingested.version.partitions


def test_a_run_without_a_key_takes_the_newest_and_reads_it_again(landed, store):
    """A drift run picks up a revision of an interval that is known already; the revision has another digest."""
    landed.land("2026-01", 1)
    before = take_in(landed, store)
    landed.land("2026-01", 1, 2)
    after = take_in(landed, store)
    assert after.version.digest != before.version.digest
    assert after.version.rows == 2
    assert [each.digest for each in store.revisions("m", "2026-01")] == [
        before.version.partitions[0].digest,
        after.version.partitions[0].digest,
    ]


def test_a_revision_taken_back_is_current_again(landed, store):
    """The same content lands again after another: current is what landed last."""
    landed.land("2026-01", 1)
    first = take_in(landed, store).version
    landed.land("2026-01", 2)
    take_in(landed, store)
    landed.land("2026-01", 1)
    again = take_in(landed, store)
    assert again.version == first
    assert store.current("m")["2026-01"].digest == first.partitions[0].digest


def test_an_interval_without_data_is_missing(landed, store):
    """Neither landed nor kept: an operator skips, and learns what the newest is."""
    with pytest.raises(PartitionMissing, match="holds no partition at all"):
        take_in(landed, store)
    landed.land("2026-01", 1)
    with pytest.raises(PartitionMissing, match="its newest is 2026-01") as caught:
        take_in(landed, store, "2026-02")
    assert caught.value.facts == {"model": "m", "key": "2026-02", "newest": "2026-01"}


def test_a_partition_outlives_its_landing_file(landed, store):
    """Once taken in, a rerun does not need the file any more."""
    landed.land("2026-01", 1)
    first = take_in(landed, store, "2026-01")
    landed.tables.clear()
    assert take_in(landed, store, "2026-01").version == first.version
    assert take_in(landed, store).version == first.version


def test_a_quarantined_partition_is_refused_at_once_and_says_what_to_do(landed, store):
    """The same content waits already; another content is a new try."""
    landed.land("2026-01", 1)
    partition = take_in(landed, store).version.partition
    store.quarantine(partition, reason="1 expectation of 9 not met: age", objections=["age"], now=NOW)
    with pytest.raises(
        PartitionRefused, match=r"waits in quarantine.*not met: age.*Land a corrected.*remove "
    ) as caught:
        take_in(landed, store)
    assert caught.value.facts["objections"] == ("age",)
    landed.land("2026-01", 2)
    assert take_in(landed, store).version.rows == 1


def test_removing_the_quarantine_has_a_partition_checked_again(landed, store):
    """The way back that the message names works."""
    landed.land("2026-01", 1)
    partition = take_in(landed, store).version.partition
    held = store.quarantine(partition, reason="r", objections=["o"], now=NOW)
    shutil.rmtree(held.uri)
    assert take_in(landed, store).unchecked == (partition,)


def test_what_cannot_be_read_is_refused_and_noted(landed, store):
    """The refusal waits in quarantine for whoever asks; a later run goes on without that partition."""
    landed.land("2026-01", 1)
    landed.tables["2026-02"] = PartitionRefused("f.csv is empty (0 bytes). Land it again.", file="f.csv")
    with pytest.raises(PartitionRefused, match="is empty"):
        take_in(landed, store, "2026-02")
    assert [(each.key, each.reason) for each in store.quarantined("m")] == [
        ("2026-02", "f.csv is empty (0 bytes). Land it again.")
    ]
    landed.land("2026-03", 3)
    assert keys(take_in(landed, store, "2026-03").version) == ["2026-01", "2026-03"]


def test_a_corrected_partition_comes_in_with_the_next_run(landed, store):
    """A revision wakes nobody; the run of a later interval finds it, and leaves out what is still the refused one."""
    landed.land("2026-01", 1)
    partition = take_in(landed, store).version.partition
    store.quarantine(partition, reason="r", objections=["o"], now=NOW)
    landed.land("2026-02", 2)
    assert keys(take_in(landed, store).version) == ["2026-02"]
    landed.land("2026-01", 9)
    landed.land("2026-03", 3)
    assert keys(take_in(landed, store).version) == ["2026-01", "2026-02", "2026-03"]


def test_an_interval_asked_again_gets_what_it_got_whatever_arrived_since(landed, store):
    """A revision of its own partition, a late one before it, and one that is refused later: none is in its version."""
    landed.land("2026-01", 1)
    landed.land("2026-02", 2)
    first = take_in(landed, store, "2026-02", as_of=MARCH).version
    landed.land("2025-12", 9)
    landed.land("2026-02", 2, 3)
    live = take_in(landed, store, now=LATER).version
    assert [keys(live), live.rows] == [["2025-12", "2026-01", "2026-02"], 4]
    again = take_in(landed, store, "2026-02", as_of=MARCH, now=LATER)
    assert again.version == first
    assert store.frame(again.version)["id"].tolist() == [1, 2]


def test_what_a_check_left_of_an_interval_is_its_version_from_then_on(landed, store):
    """An older partition was refused then. Mended, it is in later versions and not in this one."""
    landed.land("2026-01", 1)
    landed.land("2026-02", 2)
    whole = take_in(landed, store, "2026-02", as_of=MARCH).version
    store.quarantine(whole.partitions[0], reason="r", objections=["o"], now=NOW)
    left = replace(whole, partitions=whole.partitions[1:])
    store.record(left)
    store.settle(whole, left)
    landed.land("2026-01", 7)
    assert keys(take_in(landed, store, now=LATER).version) == ["2026-01", "2026-02"]
    assert take_in(landed, store, "2026-02", as_of=MARCH, now=LATER).version == left


def test_an_interval_whose_own_partition_was_refused_starts_anew_once_it_is_mended(landed, store):
    """Nobody has learnt from the answer that it got first."""
    landed.land("2026-01", 1)
    refused = take_in(landed, store, "2026-01", as_of=FEBRUARY).version
    store.quarantine(refused.partition, reason="r", objections=["o"], now=NOW)
    landed.land("2026-01", 7)
    assert store.frame(take_in(landed, store, "2026-01", as_of=FEBRUARY, now=LATER).version)["id"].tolist() == [7]


def test_a_revision_is_known_since_it_was_seen(landed, store):
    """An interval that nobody asked for before gets the content that there was; a run as of now the newest."""
    landed.land("2026-01", 1)
    take_in(landed, store, now=FEBRUARY)
    landed.land("2026-01", 1, 2)
    take_in(landed, store, now=MARCH)
    assert take_in(landed, store, "2026-01", as_of=FEBRUARY, now=LATER).version.rows == 1
    assert take_in(landed, store, "2026-01", as_of=MARCH, now=LATER).version.rows == 2
    first, second = store.history("m")["2026-01"]
    assert (first.seen_at, second.seen_at) == (FEBRUARY, MARCH)
    assert second.sources == ("landing/2026-01.csv",)


def test_a_revised_older_partition_comes_in_with_the_next_run(landed, store):
    """Its files were written again; those that were not are not read again."""
    for month in (1, 2, 3):
        landed.land(f"2026-0{month}", month)
    take_in(landed, store)
    landed.land("2026-01", 7, 8)
    landed.asked.clear()
    assert take_in(landed, store, now=LATER).version.rows == 4
    assert take_in(landed, store, now=LATER).written == ()
    assert landed.asked == ["2026-01", "2026-03", "2026-03"]


def test_a_refused_revision_of_its_own_partition_does_not_stop_an_interval(landed, store):
    """What was known then stands; the refusal waits in quarantine, and stops a run as of now."""
    landed.land("2026-01", 1)
    first = take_in(landed, store, "2026-01").version
    landed.tables["2026-01"] = PartitionRefused("f.csv is empty (0 bytes). Land it again.", file="f.csv")
    assert take_in(landed, store, "2026-01", as_of=FEBRUARY).version == first
    assert [each.key for each in store.quarantined("m")] == ["2026-01"]
    with pytest.raises(PartitionRefused, match="is empty"):
        take_in(landed, store, "2026-01")


GIVEN_UP = Discard(actor="ada", reason="nobody will mend it", at=LATER, rows=None)


def test_an_interval_has_no_data_since_what_was_given_up_of_it_was_seen(landed, store):
    """What that had corrected was true for earlier asks, and is for them; no other learns from it again."""
    landed.land("2026-01", 1)
    landed.land("2026-02", 2)
    (first, newer) = take_in(landed, store, "2026-02").version.partitions
    landed.land("2026-01", 1, 3)
    take_in(landed, store, "2026-01", now=LATER)
    held = store.quarantine(store.current("m")["2026-01"], reason="odd", objections=("a",), now=LATER)
    store.give_up(held, GIVEN_UP)
    assert store.current("m") == {"2026-02": newer}
    assert take_in(landed, store, "2026-02", as_of=MARCH, now=LATER).version.partitions == (first, newer)
    assert take_in(landed, store, "2026-02", as_of=LATER, now=LATER).version.partitions == (newer,)
    assert take_in(landed, store, "2026-02", now=LATER).version.partitions == (newer,)
    with pytest.raises(PartitionMissing, match="was given up by ada"):
        take_in(landed, store, "2026-01", as_of=LATER, now=LATER)
    landed.land("2026-01", 1)
    assert take_in(landed, store, "2026-02", now=LATER).version.partitions == (first, newer)


def test_a_content_that_is_given_up_after_it_was_revised_has_no_data_only_for_asks_of_its_time(landed, store):
    """What revised it stands; what it had revised does not stand for it."""
    for month, ids in ((1, (1,)), (3, (1, 2)), (5, (1, 2, 3))):
        landed.land("2026-01", *ids)
        newest = take_in(landed, store, now=datetime(2026, month, 1, tzinfo=UTC)).version.partitions
    _, second, _ = store.revisions("m", "2026-01")
    store.give_up(store.quarantine(second, reason="odd", objections=("a",), now=LATER), GIVEN_UP)
    assert take_in(landed, store, "2026-01", as_of=FEBRUARY, now=LATER).version.rows == 1
    assert take_in(landed, store, "2026-01", as_of=MARCH, now=LATER).version.partitions == ()
    assert take_in(landed, store, "2026-01", now=LATER).version.partitions == newest


def test_what_nobody_could_read_leaves_an_interval_without_data_once_it_is_given_up(landed, store):
    """Though it never was a content of it; the one before, delivered again, is."""
    landed.land("2026-01", 1)
    before = take_in(landed, store).version.partitions
    landed.tables["2026-01"] = PartitionRefused("a.csv has 0 bytes")
    with pytest.raises(PartitionRefused, match="0 bytes"):
        take_in(landed, store, now=LATER)
    (held,) = store.quarantined("m")
    store.give_up(held, GIVEN_UP)
    assert store.current("m") == {}
    landed.land("2026-01", 1)
    assert take_in(landed, store, "2026-01", now=LATER).version.partitions == before
    assert take_in(landed, store, "2026-01", now=LATER).stood
    assert store.current("m") == {"2026-01": before[0]}


def test_a_clock_that_was_set_back_does_not_make_a_revision_older(landed, store):
    """It was seen no earlier than what it revises."""
    landed.land("2026-01", 1)
    take_in(landed, store, now=MARCH)
    landed.land("2026-01", 2)
    take_in(landed, store, now=FEBRUARY)
    assert [each.seen_at for each in store.history("m")["2026-01"]] == [MARCH, MARCH]


def test_rows_are_learnt_from_once_they_are_known(landed, store):
    """A label matures; a row that does not say since when, or says it wrongly, is never known."""
    landed.land("2026-01", 1, 2, 3, 4, settled=["2026-01-09", "2026-02-01", None, "soon"])
    then = take_in(landed, store, "2026-01", as_of=FEBRUARY, known_since=SETTLED).version
    assert (then.rows, store.frame(then)["id"].tolist(), store.distinct(then, "id")) == (1, [1], [1])
    later = take_in(landed, store, "2026-01", as_of=MARCH, known_since=SETTLED).version
    assert store.frame(store.version("m", later.digest))["id"].tolist() == [1, 2]
    assert later.digest != then.digest
    # Two instants between which nothing became known ask for the same work.
    assert take_in(landed, store, known_since=SETTLED, now=LATER).version.digest == later.digest


def test_an_interval_of_which_nothing_is_known_yet_has_nothing_to_learn_from(landed, store):
    """The run is skipped, as one without data is."""
    landed.land("2026-01", 1, settled=["2026-04-01"])
    with pytest.raises(PartitionMissing, match=r"was known at 2026-02-01 00:00 UTC.*became known later") as caught:
        take_in(landed, store, "2026-01", as_of=FEBRUARY, known_since=SETTLED)
    assert caught.value.facts["as_of"] == FEBRUARY


def test_an_interval_whose_rows_retention_let_go_is_refused_or_taken_again(landed, store):
    """As it was it can be landed again; what was known then and is no more in the source cannot."""
    landed.land("2026-01", 1)
    first = take_in(landed, store, "2026-01").version
    store.let_go(first.partitions[0])
    assert take_in(landed, store, "2026-01", as_of=FEBRUARY).version.digest == first.digest
    landed.land("2026-01", 2)
    take_in(landed, store, now=LATER)
    store.let_go(first.partitions[0])
    with pytest.raises(PartitionRefused, match=r"no rows any more of partition 2026-01.*retention\.data") as caught:
        take_in(landed, store, "2026-01", as_of=MARCH)
    assert caught.value.facts["keys"] == ["2026-01"]


def test_a_dataset_digest_depends_on_keys_and_contents_alone():
    """Not on the order in which partitions came, nor on which run asked."""
    one = PartitionVersion(model="m", key="a", digest="1" * 64, rows=1)
    two = PartitionVersion(model="m", key="b", digest="2" * 64, rows=1)
    assert version_of("m", "b", [two, one], window=9).digest == version_of("m", "c", [one, two], window=2).digest
    assert version_of("m", "b", [two, one], window=1).partitions == (two,)
    assert version_of("m", "a", [two, one], window=9).partitions == (one,)
    moved = PartitionVersion(model="m", key="c", digest="2" * 64, rows=1)
    assert version_of("m", "c", [one, moved], window=9).digest != version_of("m", "c", [one, two], window=9).digest
    assert DatasetVersion(model="m", as_of="z", partitions=(one,)).partition is None


@given(st.integers() | st.text(), st.floats(0, 0.4), st.floats(0, 0.4), st.floats(0, 0.1), st.floats(0, 0.1))
def test_a_larger_share_takes_only_from_the_training_rows(entity, holdout, validation, more, and_more):
    """Nobody moves between holdout and validation: a champion was never trained on what judges it."""
    before = split_of(entity, holdout=holdout, validation=validation)
    after = split_of(entity, holdout=holdout + more, validation=validation + and_more)
    assert before is Split.TRAIN or after is before


def test_the_split_is_the_same_for_ever():
    """Written down: a change of the rule would move entities between training and holdout."""
    sides = [split_of(entity, holdout=0.2, validation=0.2).value[0] for entity in range(40)]
    assert "".join(sides) == "ttvttvvthhtttttvttttvttttttttttvvtttttth"
    assert [split_of(each, holdout=0.2, validation=0.2) for each in (7, 7.0, "7")] == [Split.TRAIN] * 3


def test_the_split_keeps_its_shares():
    """A hash of ten thousand entities comes out close to what was asked."""
    sides = [split_of(f"patient-{number}", holdout=0.2, validation=0.1) for number in range(10_000)]
    assert abs(sides.count(Split.HOLDOUT) - 2000) < 150
    assert abs(sides.count(Split.VALIDATION) - 1000) < 120


@pytest.mark.parametrize("entity", [None, float("nan")])
def test_a_row_without_an_entity_belongs_to_no_side(entity):
    """Guessing a side would leak."""
    with pytest.raises(ValueError, match="must be complete"):
        split_of(entity, holdout=0.2, validation=0.2)
