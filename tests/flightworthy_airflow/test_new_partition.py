"""The watcher: one event per new partition, none for half-written, late or revised ones, over restarts too."""

from __future__ import annotations

import asyncio
import contextlib
from pathlib import Path
from typing import Any

from flightworthy_airflow.triggers.new_partition import NewPartitionTrigger
from flightworthy_airflow.triggers.partition_landed import PartitionLandedTrigger


class Kept:
    """What Airflow keeps for an asset between restarts of the triggerer."""

    def __init__(self) -> None:
        self.values: dict[str, Any] = {}

    async def aget(self, key: str, default: Any = None) -> Any:
        return self.values.get(key, default)

    async def aset(self, key: str, value: Any) -> None:
        self.values[key] = value


def watcher(folder: Path, kept: Kept) -> NewPartitionTrigger:
    trigger = NewPartitionTrigger(
        model="churn", uri=f"{folder}/{{partition}}.csv", partition_format="%Y-%m-%d", poke_interval=0.02
    )
    trigger.asset_state_store = kept  # type: ignore[assignment]
    return trigger


def events(trigger: NewPartitionTrigger, *, looks: int = 6) -> list[str]:
    """The partitions that the trigger announces while it looks so many times."""
    seen = 0

    async def counted(seconds: float) -> None:
        nonlocal seen
        seen += 1
        if seen >= looks:
            raise asyncio.CancelledError
        await asyncio.sleep(seconds)

    trigger.pause = counted  # type: ignore[method-assign]

    async def listen() -> list[str]:
        heard: list[str] = []
        with contextlib.suppress(asyncio.CancelledError):
            async for event in trigger.run():
                heard += [event.payload["partition"]]
        return heard

    return asyncio.run(listen())


def land(folder: Path, key: str, text: str = "a\n1\n") -> None:
    (folder / f"{key}.csv").write_text(text)


def test_a_partition_is_announced_once_over_restarts(tmp_path: Path) -> None:
    """What was seen is kept by the asset, so a new triggerer does not start over."""
    kept = Kept()
    land(tmp_path, "2026-01-05")

    assert events(watcher(tmp_path, kept)) == ["2026-01-05"]
    assert events(watcher(tmp_path, kept)) == []
    land(tmp_path, "2026-01-12")
    assert events(watcher(tmp_path, kept)) == ["2026-01-12"]


def test_late_data_and_revisions_wake_nobody(tmp_path: Path) -> None:
    """They wait for a run that reads their key."""
    kept = Kept()
    land(tmp_path, "2026-01-05")
    events(watcher(tmp_path, kept))
    land(tmp_path, "2025-12-29")
    land(tmp_path, "2026-01-05", "a\n1\n2\n")

    assert events(watcher(tmp_path, kept)) == []


def test_an_event_that_was_handed_over_but_not_kept_is_raised_again(tmp_path: Path) -> None:
    """A triggerer that dies between the two must not lose a partition; ingest lets one run take it."""

    class Forgets(Kept):
        async def aset(self, key: str, value: Any) -> None:
            raise asyncio.CancelledError

    land(tmp_path, "2026-01-05")

    assert events(watcher(tmp_path, Forgets())) == ["2026-01-05"]
    assert events(watcher(tmp_path, Kept())) == ["2026-01-05"]


def test_a_source_that_is_not_there_yet_is_waited_for(tmp_path: Path) -> None:
    """A missing folder is a folder without partitions."""
    assert events(watcher(tmp_path / "later", Kept()), looks=2) == []


def test_the_trigger_comes_back_from_what_airflow_stores_of_it(tmp_path: Path) -> None:
    """Its class path and arguments are all that the triggerer has."""
    path, arguments = watcher(tmp_path, Kept()).serialize()

    assert path.endswith("NewPartitionTrigger")
    assert NewPartitionTrigger(**arguments).serialize() == (path, arguments)


def test_the_sensor_is_told_when_its_own_partition_has_settled(tmp_path: Path) -> None:
    """Others do not concern it."""
    land(tmp_path, "2026-01-05")
    land(tmp_path, "2026-01-12")
    trigger = PartitionLandedTrigger(
        uri=f"{tmp_path}/{{partition}}.csv", partition_format="%Y-%m-%d", partition="2026-01-05", poke_interval=0.02
    )

    async def first() -> Any:
        async with asyncio.timeout(5):
            return [event.payload async for event in trigger.run()]

    assert asyncio.run(first()) == ["2026-01-05"]
