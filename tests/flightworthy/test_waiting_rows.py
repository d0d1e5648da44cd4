"""Of the rows that wait a person takes some back in and gives others up; killed anywhere, none is lost or doubled."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pyarrow as pa
import pytest

from flightworthy.adapters.dataset_files import DatasetFiles
from flightworthy.adapters.dataset_files.content import digest_of
from flightworthy.adapters.sql_releases import SqlReleases
from flightworthy.dataset import PartitionVersion
from flightworthy.errors import PartitionRefused, Refused
from flightworthy.quarantine import Quarantined, RefusedRows
from flightworthy.quarantine.choosing import ALL, Choice, spans
from flightworthy.quarantine.verbs import Decided, chosen, discard, hold, release
from flightworthy.release import Cause
from tests.flightworthy.dying import dying_at, tree
from tests.flightworthy.parted import MODEL, NOW, Landed, rows_of
from tests.flightworthy.parted import House as Lines
from tests.forked import in_a_process

KEY = "2026-01-05"
DELIVERED = digest_of(rows_of(*range(10)))
CAUSE = Cause(actor="ada", reason="looked at by hand", at=NOW)
OLD, LOW, MISSING = "age: too old", "age: too low", "age: missing"
REASONS = {2: (OLD,), 4: (MISSING,), 5: (OLD, LOW), 9: (OLD,)}
"""Of ten rows, those that wait."""


def rows(*numbers: int) -> Choice:
    return Choice(numbers=tuple(range(each, each + 1) for each in numbers), unmet=())


def unmet(*texts: str) -> Choice:
    return Choice(numbers=None, unmet=texts)


@dataclass
class House:
    """A store with a partition of ten rows, four of which wait, and a ledger."""

    folder: Path

    @property
    def store(self) -> DatasetFiles:
        return DatasetFiles(root=self.folder / "datasets")

    @property
    def ledger(self) -> SqlReleases:
        return SqlReleases(f"sqlite:///{self.folder / 'flightworthy.db'}")

    @property
    def held(self) -> Quarantined:
        return chosen(self.store, MODEL, KEY, digest=DELIVERED)

    def land(self) -> PartitionVersion:
        return self.store.write(MODEL, KEY, rows_of(*range(10)), sources=["a.csv"], now=NOW)

    def part(self) -> None:
        partition = self.land()
        refused = RefusedRows(places=tuple(REASONS), reasons=tuple(REASONS.values()), objections=("age: odd",))
        kept = self.store.part(partition, list(REASONS))
        self.store.set_aside(partition, kept, refused, reason="4 of 10 rows", now=NOW)

    def release(self, choice: Choice = ALL) -> Decided:
        return release(self.store, self.ledger, self.held, CAUSE, choice)

    def discard(self, choice: Choice = ALL) -> Decided:
        return discard(self.store, self.ledger, self.held, CAUSE, choice)

    def refuse_another(self) -> None:
        """A content that came after that one and waits too."""
        other = self.store.write(MODEL, KEY, rows_of(1, 2, first=50), sources=["b.csv"], now=NOW)
        self.store.quarantine(other, reason="odd", objections=["odd"], now=NOW)

    def hold(self) -> None:
        hold(self.store, self.ledger, MODEL, KEY, CAUSE)

    def seen(self) -> dict[str, list[int]]:
        """Which of the ten rows are where."""
        found: dict[str, list[int]] = {"in": [], "waits": [], "given up": []}
        for partition in self.store.current(MODEL).values():
            found["in"] += self.store.read(partition)["customer"].tolist()
        for held in (each for each in self.store.quarantined(MODEL) if each.digest == DELIVERED):
            numbers = self.store.waiting_rows(held)["customer"].to_pylist()
            states: list[str] = [row.state for row in self.store.apart(held) if row.state != "taken back"]
            if held.is_whole:
                states = ["given up" if held.discarded else "waits"] * len(numbers)
            for number, state in zip(numbers, states, strict=True):
                found[state].append(number)
            assert (held.rows, held.given_up) == (len(numbers), states.count("given up"))
        return found

    def told(self) -> list[str]:
        return [f"{entry.action}: {entry.reason}" for entry in self.ledger.history(MODEL)]


@pytest.fixture
def house(tmp_path: Path) -> House:
    made = House(folder=tmp_path)
    made.part()
    return made


def test_chosen_rows_go_back_to_their_places_and_the_rest_keeps_waiting(house: House) -> None:
    """The ledger names them; the rows of a partition are where they were, in it or apart, and nowhere twice."""
    first = house.release(rows(9, 2))
    assert (first.rows, first.left, first.partition) == (2, 2, house.store.current(MODEL)[KEY])
    assert house.seen() == {"in": [0, 1, 2, 3, 6, 7, 8, 9], "waits": [4, 5], "given up": []}
    assert house.store.has_passed(house.store.current(MODEL)[KEY])
    assert house.discard(rows(4)) == Decided(rows=1, left=1, partition=None)
    assert house.seen() == {"in": [0, 1, 2, 3, 6, 7, 8, 9], "waits": [5], "given up": [4]}
    house.release()
    assert house.seen() == {"in": [0, 1, 2, 3, 5, 6, 7, 8, 9], "waits": [], "given up": [4]}
    assert house.held.discarded is not None
    digest = house.held.digest[:12]
    assert house.told() == [
        f"waived: rows 2, 9 of partition {KEY} ({digest}): looked at by hand",
        f"discarded: rows 4 of partition {KEY} ({digest}): looked at by hand",
        f"waived: rows 5 of partition {KEY} ({digest}): looked at by hand",
    ]


def test_what_was_given_up_is_taken_back_by_its_number_or_where_nothing_else_is_left(house: House) -> None:
    """The last row that goes back makes the partition what the source had delivered, to the digest."""
    delivered = house.held.digest
    house.discard()
    house.release(rows(4))
    assert house.seen()["given up"] == [2, 5, 9]
    assert house.release().rows == 3
    assert house.store.current(MODEL)[KEY].digest == delivered
    assert house.seen() == {"in": list(range(10)), "waits": [], "given up": []}
    assert house.store.quarantined(MODEL) == []


def test_the_same_again_changes_nothing_and_is_not_told_twice(house: House) -> None:
    """Whoever is not sure asks again."""
    for decide, choice in ((house.release, rows(2)), (house.discard, rows(4)), (house.discard, unmet(MISSING))):
        decide(choice)
        before, told = tree(house.store.root), house.told()
        assert decide(choice).rows == 0
        assert (tree(house.store.root), house.told()) == (before, told)


def test_rows_are_chosen_by_what_they_do_not_meet(house: House) -> None:
    """Taken back in are those that have no other reason; given up those that have this one."""
    house.release(unmet("age: too o"))
    assert house.seen()["waits"] == [4, 5]
    house.discard(unmet(LOW))
    assert house.seen() == {"in": [0, 1, 2, 3, 6, 7, 8, 9], "waits": [4], "given up": [5]}
    house.discard(Choice(numbers=(range(4, 5),), unmet=(OLD,)))
    assert house.seen()["waits"] == [4]


@pytest.mark.parametrize(
    "verb, choice, why",
    [
        ("release", rows(2, 3, 11, 12, 13), r"rows 3, 11-13 of .* were never set aside; nothing was changed"),
        ("release", unmet(LOW), r"rows 5 do not meet other expectations either"),
        ("release", unmet("income"), r"waits because of 'income'; .* because of: age: missing; age: too low; age: too"),
        ("discard", unmet(" "), r"waits because of ' '"),
        ("discard", rows(9), r"rows 9 .* were taken back in, and cannot be given up. `flightworthy quarantine hold"),
    ],
)
def test_rows_that_cannot_be_meant_change_nothing(house: House, verb: str, choice: Choice, why: str) -> None:
    """The message says which, and where to look."""
    house.release(rows(9))
    before, told = tree(house.store.root), house.told()
    with pytest.raises(Refused, match=why):
        getattr(house, verb)(choice)
    assert (tree(house.store.root), house.told()) == (before, told)


def test_of_a_partition_that_waits_whole_no_rows_can_be_chosen(house: House) -> None:
    """It was not looked at row by row."""
    house.store.quarantine(
        house.store.write(MODEL, "2026-01-12", rows_of(1, 2), sources=[], now=NOW),
        reason="r",
        objections=["o"],
        now=NOW,
    )
    held = chosen(house.store, MODEL, "2026-01-12")
    for verb in (release, discard):
        with pytest.raises(Refused, match="waits as a whole, and no rows of it can be chosen"):
            verb(house.store, house.ledger, held, CAUSE, rows(0))
    assert house.told() == []


def ingested(house: House, table: pa.Table, *, days: int) -> list[int]:
    """The source delivers a table; the customers of the version that a run gets."""
    line = Lines(folder=house.folder, source=Landed(tables={KEY: table}), now=NOW + timedelta(days=days))
    return list(house.store.frame(line.ingest(KEY).version)["customer"])


def test_the_same_source_again_neither_doubles_nor_loses_what_was_decided(house: House) -> None:
    """Also after another content in between, under which nothing goes back; as of before it nothing of it is known."""
    delivered, kept = rows_of(*range(10)), [0, 1, 2, 3, 6, 7, 8, 9]
    house.release(rows(2, 9))
    house.discard(rows(4))
    assert ingested(house, delivered, days=1) == kept
    assert ingested(house, rows_of(50, 51, first=50), days=2) == [50, 51]
    before = tree(house.store.root)
    with pytest.raises(PartitionRefused, match="another content of it has come since"):
        house.release(rows(5))
    assert tree(house.store.root) == before
    assert ingested(house, delivered, days=3) == kept
    seen = [each["seen_at"] for each in json.loads(revisions(house).read_text())]
    assert seen == sorted(seen)
    assert seen[-1].startswith("2026-01-08")
    house.release(rows(5))
    assert house.seen() == {"in": [0, 1, 2, 3, 5, 6, 7, 8, 9], "waits": [], "given up": [4]}
    assert ingested(house, delivered, days=4) == house.seen()["in"]


def revisions(house: House) -> Path:
    return house.store.root / MODEL / "partitions" / KEY / "revisions.json"


def test_rows_that_were_set_aside_anew_all_wait(house: House) -> None:
    """What was decided about the same content before was about another delivery."""
    house.release()
    partition = house.store.current(MODEL)[KEY]
    refused = RefusedRows(places=(2, 4), reasons=((OLD,), (MISSING,)), objections=("age: odd",))
    house.store.set_aside(
        partition, house.store.part(partition, [2, 4]), refused, reason="again", now=NOW + timedelta(days=1)
    )
    assert house.seen() == {"in": [0, 1, 3, 5, 6, 7, 8, 9], "waits": [2, 4], "given up": []}


def test_a_decision_of_before_rows_could_be_chosen_is_about_all_of_them(house: House) -> None:
    """As it was written then."""
    said = {"actor": "ada", "reason": "all of it", "discarded_at": NOW.isoformat()}
    (Path(house.held.uri) / "discarded.json").write_text(json.dumps(said))
    assert house.seen()["given up"] == [2, 4, 5, 9]
    assert house.held.discarded is not None
    assert house.discard().rows == 0
    assert house.release().rows == 4


def test_numbers_are_told_in_runs() -> None:
    """As they are asked for."""
    assert [spans(each) for each in ([], [3], [3, 4], [1, 3, 4, 5, 9])] == ["", "3", "3-4", "1, 3-5, 9"]


KILLS: dict[str, tuple[Callable[[House], object], Callable[[House], object]]] = {
    "release some": (House.part, lambda house: house.release(rows(2, 5))),
    "release the rest": (lambda house: (house.part(), house.release(rows(2, 5))), House.release),
    "release all": (House.part, House.release),
    "discard some": (lambda house: (house.part(), house.release(rows(2))), lambda house: house.discard(rows(4))),
    "release given up": (lambda house: (house.part(), house.discard(rows(4, 9))), lambda house: house.release(rows(4))),
    "hold": (House.land, House.hold),
    "release whole": (lambda house: (house.land(), house.hold(), house.refuse_another()), House.release),
    "discard whole": (lambda house: (house.land(), house.hold()), House.discard),
    "release given up whole": (lambda house: (house.land(), house.hold(), house.discard()), House.release),
}


@pytest.mark.parametrize("case", KILLS)
def test_killed_before_any_write_and_run_again_it_ends_as_if_never_killed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, case: str
) -> None:
    """SIGKILL before each entry of the ledger, write, sync, rename and removal; no row is ever missing, or twice."""
    monkeypatch.setattr(os, "fsync", lambda _: None)  # a killed process loses no page of the kernel's
    make, decide = KILLS[case]
    ready = House(folder=tmp_path / "ready")
    make(ready)
    never = House(folder=Path(shutil.copytree(ready.folder, tmp_path / "never")))
    decide(never)
    for count in range(1_000):
        killed = House(folder=Path(shutil.copytree(ready.folder, tmp_path / str(count))))
        writes = ((SqlReleases, "remark"), (SqlReleases, "keep_evidence"))
        ended = in_a_process(dying_at(count, lambda house=killed: decide(house), *writes))  # type: ignore[misc]
        assert sorted(number for there in killed.seen().values() for number in there) == list(range(10)), count
        if not ended:
            again(killed, decide)
        assert killed.seen() == never.seen(), count
        assert killed.told() == never.told(), count
        assert tree(killed.store.root) == tree(never.store.root), count
        if ended:
            break
    assert count >= 5


def again(house: House, decide: Callable[[House], object]) -> None:
    """The same command; where all that was left is swept by whoever writes next, it finds nothing to decide about."""
    with suppress(Refused):
        decide(house)
    house.store.note_fingerprints(MODEL, {})
