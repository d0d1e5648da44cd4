"""The sensor: a run waits, without a worker, until its own partition is whole, in whatever kind of source it lands."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from airflow.sdk.exceptions import AirflowFailException, TaskDeferred

from flightworthy_airflow.sensors.new_partition import NewPartitionSensor
from flightworthy_airflow.triggers.partition_landed import PartitionLandedTrigger
from tests.flightworthy_airflow.conftest import MONDAY, NEXT_MONDAY, by_hand, run_of

TABLE = {"uri": "sql", "conn_id": "landing", "table": "visits", "event_time": {"columns": ["at"]}}


def files(folder: Path, **more: Any) -> dict[str, Any]:
    """A source of one file for each partition."""
    return {"uri": f"{folder}/{{partition}}.csv", "partition": "%Y-%m-%d", **more}


def waits_for(source: dict[str, Any], key: str = MONDAY) -> PartitionLandedTrigger:
    return PartitionLandedTrigger(source=source, partition=key, poke_interval=0.02)


class Waiting:
    """A trigger at work, as in a triggerer; ask what it has said so far."""

    def __init__(self, trigger: PartitionLandedTrigger) -> None:
        self._events: AsyncIterator[Any] = trigger.run()
        self._first = asyncio.ensure_future(anext(self._events))

    async def says(self, *, within: float = 5) -> Any:
        """The key, or None if nothing is said in that time."""
        done, _ = await asyncio.wait([self._first], timeout=within)
        return self._first.result().payload if done else None


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def visits(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[sa.Engine]:
    """An empty table in a database that Airflow has a connection to."""
    url = f"sqlite:///{tmp_path / 'shop.db'}"
    told = f'{{"conn_type": "sqlite", "host": "{tmp_path / "shop.db"}"}}'
    if request.param == "postgresql":
        url = told = request.getfixturevalue("postgres").new_database()
    monkeypatch.setenv("AIRFLOW_CONN_LANDING", told)
    engine = sa.create_engine(url, poolclass=sa.pool.NullPool)
    kind = "timestamptz" if request.param == "postgresql" else "text"
    with engine.begin() as connection:
        connection.exec_driver_sql(f"CREATE TABLE visits (customer integer, at {kind})")
    yield engine
    engine.dispose()


def visit(connection: sa.Connection, at: str | datetime) -> None:
    connection.execute(sa.text("INSERT INTO visits VALUES (1, :at)"), {"at": str(at)})


def test_it_is_told_when_its_own_partition_has_settled(tmp_path: Path) -> None:
    """While it grows it waits."""
    trigger = waits_for(files(tmp_path))

    async def waited() -> list[Any]:
        waiting, said = Waiting(trigger), []
        for rows in range(20):
            (tmp_path / f"{MONDAY}.csv").write_text("a\n" + "1\n" * rows)
            said.append(await waiting.says(within=0.01))
        return [*said, await waiting.says()]

    assert asyncio.run(waited()) == [*[None] * 20, MONDAY]
    assert PartitionLandedTrigger(**trigger.serialize()[1]).serialize() == trigger.serialize()


def test_other_partitions_do_not_concern_it(tmp_path: Path) -> None:
    """Not even an older one that still grows, for which the watcher would wait."""

    async def waited() -> bool:
        waiting = Waiting(waits_for(files(tmp_path), NEXT_MONDAY))
        (tmp_path / f"{NEXT_MONDAY}.csv").write_text("a\n1\n")
        for rows in range(200):
            (tmp_path / f"{MONDAY}.csv").write_text("a\n" + "1\n" * rows)
            if await waiting.says(within=0.01) == NEXT_MONDAY:
                return True
        return False

    assert asyncio.run(waited())


def test_it_waits_for_a_marker_where_it_is_told_of_one(tmp_path: Path) -> None:
    """As the watcher does."""
    (tmp_path / f"{MONDAY}.csv").write_text("a\n1\n")

    async def waited() -> list[Any]:
        waiting = Waiting(waits_for(files(tmp_path, complete={"marker": "{partition}.done"})))
        said = [await waiting.says(within=0.3)]
        (tmp_path / f"{MONDAY}.done").write_text("")
        return [*said, await waiting.says()]

    assert asyncio.run(waited()) == [None, MONDAY]


def test_it_waits_for_committed_rows_of_a_table(visits: sa.Engine) -> None:
    """What is being written is not seen, and rows of other days are not waited for."""

    async def waited() -> list[Any]:
        waiting = Waiting(waits_for({**TABLE, "partition": "%Y-%m-%d"}))
        with visits.begin() as connection:
            visit(connection, f"{NEXT_MONDAY} 09:00:00+00:00")
        with closing(visits.connect()) as connection:
            visit(connection, f"{MONDAY} 09:00:00+00:00")
            said = [await waiting.says(within=0.5)]
            connection.commit()
        return [*said, await waiting.says()]

    assert asyncio.run(waited()) == [None, MONDAY]


def test_the_day_of_a_table_that_goes_on_is_not_whole(visits: sa.Engine) -> None:
    """However quiet it is."""
    now = datetime.now(UTC)
    with visits.begin() as connection:
        visit(connection, f"{now:%Y-%m-%d %H:%M:%S}+00:00")

    async def waited() -> Any:
        return await Waiting(waits_for({**TABLE, "partition": "%Y"}, f"{now:%Y}")).says(within=0.5)

    assert asyncio.run(waited()) is None


def test_it_waits_for_its_rows_in_a_file_of_all_partitions(tmp_path: Path) -> None:
    """In one that was written when their interval was over."""
    file = tmp_path / "all.csv"
    source = {
        "uri": str(file), "partition": "%Y-%m-%d", "event_time": {"columns": ["day"], "format": "%Y-%m-%d"},
    }  # fmt: skip

    def write(at: str) -> None:
        file.write_text(f"day,a\n{MONDAY},1\n{NEXT_MONDAY},1\n")
        written_at = datetime.fromisoformat(f"{at}+00:00").timestamp()
        os.utime(file, (written_at, written_at))

    async def waited() -> list[Any]:
        waiting = Waiting(waits_for(source))
        write(f"{MONDAY}T12:00")
        said = [await waiting.says(within=0.4)]
        write("2026-01-06T00:00")
        return [*said, await waiting.says()]

    assert asyncio.run(waited()) == [None, MONDAY]


def test_a_run_waits_for_the_partition_of_its_interval_or_the_one_that_was_filled_in(tmp_path: Path) -> None:
    """Without a worker: the trigger waits for it."""
    for context, key in ((run_of("scheduled"), MONDAY), (by_hand(partition=NEXT_MONDAY), NEXT_MONDAY)):
        with pytest.raises(TaskDeferred) as deferred:
            NewPartitionSensor(task_id="landed", source=files(tmp_path)).execute(context)
        trigger = deferred.value.trigger
        assert isinstance(trigger, PartitionLandedTrigger)
        assert (trigger.partition, trigger.source) == (key, files(tmp_path))


def test_a_source_that_says_nothing_is_refused_before_anything_waits_for_it(tmp_path: Path) -> None:
    """In the words of a model.yaml, all at once."""
    sensor = NewPartitionSensor(task_id="landed", source={"uri": "x.xlsx", "partitoin": "%Y"})
    with pytest.raises(AirflowFailException) as refused:
        sensor.execute(run_of("scheduled"))
    told = str(refused.value).splitlines()
    assert "source.partition: is missing" in told
    assert any(line.startswith("source.partitoin: unknown key; did you mean partition?") for line in told)
