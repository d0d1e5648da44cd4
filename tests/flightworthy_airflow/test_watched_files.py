"""The watcher over a file that holds all partitions: new ones wake the model, once, when their intervals are over."""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from flightworthy.arrival import Kind, RunName
from flightworthy.errors import PartitionRefused, Unavailable
from flightworthy.partition import SourceFile
from flightworthy_airflow.hooks import looking
from flightworthy_airflow.hooks.arrivals import note_named, own_arrival
from flightworthy_airflow.hooks.flightworthy import FlightworthyHook
from tests.flightworthy_airflow.yards import Yard

ROWS = {"2026-01-05": "2026-01-05,1\n2026-01-05,2\n", "2026-01-12": "2026-01-12,3\n", "2026-01-19": "2026-01-19,4\n"}
MONDAY, NEXT_MONDAY, THIRD = ROWS
EVENT_TIME = {"columns": ["day"], "format": "%Y-%m-%d"}


@pytest.fixture
def claims(yard: Yard) -> Callable[..., Path]:
    """Writes the one file of the model ``churn``, some time after the last interval of its rows."""

    def write(*keys: str, at: str = "2026-02-01", text: str | None = None) -> Path:
        rows = "".join(ROWS[key] for key in keys) if text is None else text
        file = yard.land("all", f"day,a\n{rows}")
        written_at = datetime.fromisoformat(at).replace(tzinfo=UTC).timestamp()
        os.utime(file, (written_at, written_at))
        return file

    return write


def model(yard: Yard, **source: Any) -> None:
    yard.model(uri=f"{yard.root}/churn/all.csv", event_time=EVENT_TIME, new_data="latest", **source)


def kinds(yard: Yard) -> list[tuple[str, Kind]]:
    return [(each.key, each.kind) for each in yard.store.of("churn")]


@pytest.fixture
def readings(monkeypatch: pytest.MonkeyPatch) -> list[SourceFile]:
    """Grows with each reading of a file as a whole."""
    read: list[SourceFile] = []
    real = looking.partitions_of
    monkeypatch.setattr(looking, "partitions_of", lambda source, file: read.append(file) or real(source, file))
    return read


def test_new_partitions_of_a_file_that_was_written_again_wake_the_model_once(
    yard: Yard, claims: Callable[..., Path]
) -> None:
    """Over restarts; those whose rows are what they were are not revised because the file is another one."""
    model(yard)
    claims(MONDAY)
    assert yard.due(yard.looked(times=1)) == []
    watch = yard.looked()
    assert yard.due(watch) == [MONDAY]
    assert yard.due(yard.looked()) == []
    yard.take()

    claims(MONDAY, NEXT_MONDAY, at="2026-02-02")
    yard.looked(watch)
    yard.looked()
    assert kinds(yard) == [(MONDAY, Kind.FRESH), (NEXT_MONDAY, Kind.FRESH)]
    assert yard.due(watch) == [NEXT_MONDAY]
    assert yard.due(yard.looked()) == []


def test_other_rows_of_a_known_partition_are_a_revision_and_earlier_partitions_come_late(
    yard: Yard, claims: Callable[..., Path]
) -> None:
    """Noted once for each content, and nobody is woken; the rows of others may have moved meanwhile."""
    model(yard)
    claims(NEXT_MONDAY, THIRD)
    watch = yard.looked()
    assert [yard.take(number) for number in (1, 2)] == [[NEXT_MONDAY], [THIRD]]
    claims(text=ROWS[MONDAY] + ROWS[NEXT_MONDAY] + "2026-01-12,9\n" + ROWS[THIRD], at="2026-02-02")
    for _ in range(2):
        yard.looked(watch)
        yard.looked()

    assert kinds(yard) == [
        (MONDAY, Kind.LATE), (NEXT_MONDAY, Kind.FRESH), (NEXT_MONDAY, Kind.REVISED), (THIRD, Kind.FRESH),
    ]  # fmt: skip
    assert yard.due(watch) == []


def test_a_file_is_read_when_it_has_settled_with_other_bytes_and_never_between(
    yard: Yard, claims: Callable[..., Path], readings: list[SourceFile]
) -> None:
    """Looking costs a listing, whatever the size of the file; one that grows is not read at all."""
    model(yard)
    watch = yard.watch()
    for minute, keys in enumerate([[MONDAY], [MONDAY, NEXT_MONDAY], [MONDAY, NEXT_MONDAY, THIRD]]):
        claims(*keys, at=f"2026-02-01T00:0{minute}")
        yard.looked(watch, times=1)
    assert (readings, kinds(yard)) == ([], [])
    yard.looked(watch, times=9)
    assert len(readings) == 1
    assert [key for key, _ in kinds(yard)] == [MONDAY, NEXT_MONDAY, THIRD]

    claims(MONDAY, NEXT_MONDAY, THIRD, at="2026-02-02")
    yard.looked(watch, times=9)
    assert len(readings) == 2
    assert len(kinds(yard)) == 3


def test_a_partition_whose_interval_went_on_when_the_file_was_written_is_a_half_and_wakes_nobody(
    yard: Yard, claims: Callable[..., Path]
) -> None:
    """However long the file lies there: its other rows are in the next one."""
    model(yard)
    claims(MONDAY, NEXT_MONDAY, at="2026-01-12T18:00")
    watch = yard.looked(times=3)
    assert kinds(yard) == [(MONDAY, Kind.FRESH)]

    claims(text=ROWS[MONDAY] + ROWS[NEXT_MONDAY] + "2026-01-12,9\n", at="2026-01-13")
    yard.looked(watch)
    assert kinds(yard) == [(MONDAY, Kind.FRESH), (NEXT_MONDAY, Kind.FRESH)]


def test_a_file_that_cannot_be_read_wakes_nobody_and_says_so_once(
    yard: Yard, claims: Callable[..., Path], readings: list[SourceFile], caplog: pytest.LogCaptureFixture
) -> None:
    """It is read when it is written again; what was known stays known."""
    model(yard)
    claims(text="2026-01-05,1\n2026-01-12\n")
    watch = yard.looked(times=5)
    assert (len(readings), kinds(yard)) == (1, [])
    assert [each.getMessage()[:27] for each in caplog.records if "source_not_read" in each.getMessage()] == [
        "source_not_read model=churn"
    ]

    claims(MONDAY, NEXT_MONDAY, at="2026-02-02")
    yard.looked(watch)
    assert yard.due(watch) == [NEXT_MONDAY]


def test_with_a_marker_the_file_is_read_when_that_is_there_and_no_older(
    yard: Yard, claims: Callable[..., Path], readings: list[SourceFile]
) -> None:
    """At the first look that sees it, and not before, however quiet the file is."""
    model(yard, complete={"marker": "all.done"})
    file = claims(MONDAY)
    watch = yard.looked(times=3)
    assert readings == []
    marker = yard.land("all", "", name="{}.done")
    yard.looked(watch, times=1)
    assert kinds(yard) == [(MONDAY, Kind.FRESH)]

    claims(MONDAY, NEXT_MONDAY)
    newer = marker.stat().st_mtime + 60
    os.utime(file, (newer, newer))
    yard.looked(watch, times=3)
    assert len(readings) == 1
    os.utime(marker, (newer, newer))
    yard.looked(watch, times=1)
    assert kinds(yard) == [(MONDAY, Kind.FRESH), (NEXT_MONDAY, Kind.FRESH)]


def test_a_file_that_changes_while_it_is_read_is_looked_at_again(
    yard: Yard, claims: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was read of it is thrown away."""
    model(yard)
    claims(MONDAY)
    watch = yard.looked(times=1)
    real = looking.partitions_of

    def written_meanwhile(source: Any, file: SourceFile) -> Any:
        claims(MONDAY, NEXT_MONDAY, at="2026-02-02")
        return real(source, file)

    with monkeypatch.context() as meanwhile:
        meanwhile.setattr(looking, "partitions_of", written_meanwhile)
        with pytest.raises(Unavailable, match="it is being written"):
            watch.look("churn")
    assert kinds(yard) == []
    yard.looked(watch)
    assert [key for key, _ in kinds(yard)] == [MONDAY, NEXT_MONDAY]


def test_who_pushes_a_partition_of_the_one_file_waits_for_the_watcher(yard: Yard, claims: Callable[..., Path]) -> None:
    """Nobody else reads all of it; once it is known, the run that was woken takes it."""
    model(yard)
    claims(MONDAY)
    hook = yard.watch().hook
    spec = hook.spec("churn")
    run = RunName(dag_id="churn.deploy", run_id="run 1")
    with pytest.raises(Unavailable, match=r"partition 2026-01-05 of churn is not known yet: .*It is tried again"):
        own_arrival(hook, spec, run=run, named=[MONDAY])
    yard.looked()
    assert own_arrival(hook, spec, run=run, named=[MONDAY]).key == MONDAY


def test_a_source_that_is_not_watched_is_left_alone(yard: Yard) -> None:
    """Neither looked into, nor woken by who pushes."""
    yard.model(watched=False)
    yard.land(MONDAY)
    watch = yard.looked(times=3)
    assert (watch.models(), kinds(yard)) == ((), [])
    with pytest.raises(
        PartitionRefused, match=r"wakes nobody: source\.watched is false\. Trigger churn\.deploy by hand"
    ):
        note_named(watch.hook, yard.store, watch.hook.spec("churn"), [MONDAY])  # type: ignore[arg-type]


def test_the_clock_of_the_triggerer_says_nothing_of_a_file(yard: Yard, claims: Callable[..., Path]) -> None:
    """It counts when the file was written: a triggerer that was down looks at it years later."""
    model(yard)
    claims(MONDAY, NEXT_MONDAY, at="2026-01-12T18:00")
    yard.later = timedelta(days=999)
    yard.looked(times=3)
    assert kinds(yard) == [(MONDAY, Kind.FRESH)]
    assert FlightworthyHook.now() > datetime(2026, 6, 1, tzinfo=UTC)
