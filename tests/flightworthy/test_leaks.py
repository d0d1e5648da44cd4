"""Nobody learns from what was not known: whatever arrives, in whatever order, over the stored files themselves."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from flightworthy.adapters.dataset_files import DatasetFiles
from flightworthy.dataset import DatasetVersion, Split, ingest
from flightworthy.errors import PartitionMissing, PartitionRefused
from flightworthy.known import Ask, KnownSince
from flightworthy.partition import SourceFile

FIRST = datetime(2026, 1, 1, tzinfo=UTC)
DAYS, WINDOW = 3, 2
SINCE = KnownSince(columns=("known",), written="%Y-%m-%d %H:%M")


def key_of(day: int) -> str:
    return f"{FIRST + timedelta(days=day):%Y-%m-%d}"


def end_of(day: int) -> datetime:
    return FIRST + timedelta(days=day + 1)


@dataclass
class World:
    """Where partitions land, a store, and a clock that goes on by eleven hours with every ask."""

    root: Path
    says: bool
    now: datetime = FIRST
    landed: dict[str, pa.Table] = field(default_factory=dict)
    rows: int = 0
    contents: dict[str, list[list[int]]] = field(default_factory=dict)
    """Per key the rows of each content that the store took, in that order."""
    known_at: dict[int, datetime] = field(default_factory=dict)
    """By row. What a partition's first content holds counts from the end of its interval on."""

    @property
    def store(self) -> DatasetFiles:
        return DatasetFiles(root=self.root)

    # -- the source ----------------------------------------------------------------------------------------------------

    def files(self) -> Sequence[SourceFile]:
        return [
            SourceFile(key=key, uri=key, size=table["row"][0].as_py(), modified_at=self.now)
            for key, table in sorted(self.landed.items())
        ]

    def read(self, keys: Sequence[str]) -> Mapping[str, pa.Table]:
        return {key: self.landed[key] for key in keys}

    def unplaced(self) -> Sequence[PartitionRefused]:
        return ()

    # -- what happens --------------------------------------------------------------------------------------------------

    def land(self, day: int, late: Sequence[int]) -> None:
        """A partition arrives, or arrives again with other rows; each row says how many hours late it is known."""
        rows = range(self.rows, self.rows + len(late))
        self.rows += len(late)
        times = [end_of(day) + timedelta(hours=hours) for hours in late]
        self.landed[key_of(day)] = pa.table(
            {
                "row": list(rows),
                "patient": [row % 7 for row in rows],
                "known": [f"{at:%Y-%m-%d %H:%M}" for at in times],
            }
        )
        if self.says:
            self.known_at.update(zip(rows, times, strict=True))

    def ask(self, day: int, *, as_of: datetime | None) -> DatasetVersion | None:
        """What a run of that day gets; None if there was nothing to get."""
        self.now += timedelta(hours=11)
        before = {each.digest for contents in self.store.history("m").values() for each in map(_of, contents)}
        ask = Ask(model="m", key=key_of(day), window=WINDOW, as_of=as_of, known_since=SINCE if self.says else None)
        try:
            return ingest(self, self.store, ask, now=self.now).version
        except (PartitionMissing, PartitionRefused):
            return None
        finally:
            self._note(before)

    def _note(self, before: set[str]) -> None:
        if self.says:
            return
        for key, contents in self.store.history("m").items():
            for place, each in enumerate(contents):
                if each.partition.digest not in before:
                    known = self.now if place else datetime.fromisoformat(key).replace(tzinfo=UTC) + timedelta(days=1)
                    rows = self.store.read(each.partition)["row"]
                    self.known_at.update(dict.fromkeys(rows, known))

    def refuse(self, day: int) -> None:
        """A suite refuses what is current, as long as nobody has learnt from it."""
        current = self.store.current("m").get(key_of(day))
        if current is not None and not self.store.has_passed(current):
            self.store.quarantine(current, reason="r", objections=["o"], now=self.now)


def _of(revision):
    return revision.partition


@contextmanager
def world(*, says: bool) -> Iterator[World]:
    with TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        # Nothing is killed here; without waiting for the disk there is time for ten times as many histories.
        patch.setattr(os, "fsync", lambda _: None)
        yield World(root=Path(folder), says=says)


days = st.integers(0, DAYS - 1)
lateness = st.lists(st.sampled_from([-30, -1, 0, 1, 30]), min_size=1, max_size=4)
steps = st.lists(
    st.tuples(st.sampled_from(["land", "land and take"]), days, lateness)
    | st.tuples(st.sampled_from(["interval", "now", "refuse"]), days, st.none()),
    min_size=4,
    max_size=14,
)


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(steps, st.booleans(), st.sampled_from([0, 1, 9]))
def test_no_row_is_learnt_from_that_was_not_known_and_the_same_ask_gets_the_same_bytes(steps, says, begins):
    """Late rows and partitions, revisions, refusals, in any order; with rows that say since when, and without."""
    with world(says=says) as played:
        played.now += timedelta(days=begins)
        answered = {}
        for step, day, late in steps:
            if step.startswith("land"):
                played.land(day, late)
                if step == "land and take":
                    played.ask(day, as_of=None)
            elif step == "refuse":
                played.refuse(day)
            else:
                as_of = end_of(day) if step == "interval" else None
                version = played.ask(day, as_of=as_of)
                if version is not None:
                    learn(played, version, as_of or played.now, at_once=as_of is None and not says)
                    if as_of is not None:
                        assert answered.setdefault(day, version.digest) == version.digest
        for day, digest in answered.items():
            again = played.ask(day, as_of=end_of(day))
            assert again is not None
            assert again.digest == digest


def learn(played: World, version: DatasetVersion, as_of: datetime, *, at_once: bool) -> None:
    """Pass the check, then look at what training and evaluation would see."""
    for partition in version.partitions:
        played.store.mark_passed(partition, suite="s", now=played.now)
    played.store.settle(version, version)
    frame = played.store.frame(played.store.version("m", version.digest))
    assert len(frame) == version.rows
    # What says of itself since when it is known is held to before the instant at which the next interval begins.
    known = [(row, played.known_at[row]) for row in frame["row"]]
    early = [(row, at) for row, at in known if at > as_of or (played.says and at == as_of)]
    assert at_once or early == []
    sides = played.store.splits(version, entity="patient", holdout=0.3, validation=0.2)
    patients = [set(sides[split]["patient"]) for split in Split]
    assert len(set.union(*patients)) == sum(map(len, patients))
    assert sum(map(len, sides.values())) == version.rows
