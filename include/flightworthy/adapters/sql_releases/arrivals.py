"""What has landed in the models' sources, and what became of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

import sqlalchemy as sa

from flightworthy.adapters.sql_releases import rows
from flightworthy.adapters.sql_releases.access import SqlAccess, insert_if_absent
from flightworthy.adapters.sql_releases.tables import arrivals, head
from flightworthy.arrival import WAKING, Announcement, Arrival, NewData, Outcome, RunName
from flightworthy.ledger import instant

_WAITS = arrivals.c.kind.in_(sorted(WAKING)) & arrivals.c.considered_at.is_(None) & arrivals.c.run_id.is_(None)
_FREE = {"announced_at": None, "dag_id": None, "run_id": None, "taken_at": None}
_OPEN = {"failed": None, "tasks": "[]", "considered_at": None}


class SqlArrivals(SqlAccess):
    """An ArrivalStore at a SQLAlchemy URL."""

    def known(self, model: str) -> dict[str, str]:
        query = sa.select(arrivals.c.partition_key, arrivals.c.digest).where(arrivals.c.model == model)
        with self._reading() as connection:
            found = connection.execute(query.order_by(arrivals.c.seen_at))
            return {str(row.partition_key): str(row.digest) for row in found}

    def note(self, found: Sequence[Arrival]) -> None:
        """Keep what was seen. One that is there already, by model, key and digest, stays as it is."""
        if not found:
            return
        with self._writing() as connection:
            for arrival in found:
                connection.execute(insert_if_absent(connection, arrivals, rows.arrival_values(arrival)))

    def waiting(self) -> list[Arrival]:
        return self._select(_WAITS)

    def taken(self) -> list[Arrival]:
        return self._select(arrivals.c.considered_at.is_(None) & arrivals.c.run_id.is_not(None))

    def failed(self, *, since: datetime) -> list[Arrival]:
        return self._select(arrivals.c.failed.is_(True) & (arrivals.c.considered_at >= instant(since)))

    def of(self, model: str) -> list[Arrival]:
        return self._select(arrivals.c.model == model)

    def announced(self, announcement: Announcement, *, at: datetime) -> None:
        """Note that it was announced; what a run has taken meanwhile is left alone."""
        chosen = (arrivals.c.model == announcement.model) & arrivals.c.partition_key.in_(announcement.keys) & _WAITS
        values = {"announced_at": instant(at), "announcements": arrivals.c.announcements + 1}
        with self._writing() as connection:
            connection.execute(arrivals.update().where(chosen).values(values))

    def take(self, model: str, run: RunName, *, new_data: NewData, at: datetime) -> list[Arrival]:
        """Give the run what waits, unless it has taken something before: a task that is run again gets the same."""
        mine = (arrivals.c.model == model) & _is_of(run)
        waits = (arrivals.c.model == model) & _WAITS
        ordered = sa.select(arrivals).order_by(arrivals.c.partition_key, arrivals.c.seen_at)
        with self._writing() as connection:
            connection.execute(sa.select(head).with_for_update())
            had = [rows.as_arrival(row) for row in connection.execute(ordered.where(mine)).mappings()]
            if had:
                # Cleared, or tried again: it is under way once more.
                connection.execute(arrivals.update().where(mine).values(_OPEN))
                return [replace(each, outcome=None, considered_at=None) for each in had]
            found = [rows.as_arrival(row) for row in connection.execute(ordered.where(waits)).mappings()]
            chosen = found if new_data == "latest" else found[:1]
            values = {"dag_id": run.dag_id, "run_id": run.run_id, "taken_at": instant(at)}
            for each in chosen:
                connection.execute(arrivals.update().where(_is(each)).values(values))
            return [replace(each, run=run, taken_at=at) for each in chosen]

    def conclude(self, run: RunName, outcome: Outcome, *, at: datetime) -> None:
        """Note how the run of taken arrivals ended."""
        values = {**rows.outcome_values(outcome), "considered_at": instant(at)}
        with self._writing() as connection:
            connection.execute(arrivals.update().where(_is_of(run)).values(values))

    def give_up(self, found: Sequence[Arrival]) -> None:
        """Let them wait again, as if nobody had announced or taken them."""
        with self._writing() as connection:
            connection.execute(sa.select(head).with_for_update())
            for each in found:
                connection.execute(arrivals.update().where(_is(each)).values(**_FREE, **_OPEN))

    def _select(self, chosen: sa.ColumnElement[bool]) -> list[Arrival]:
        query = sa.select(arrivals).where(chosen).order_by(arrivals.c.partition_key, arrivals.c.seen_at)
        with self._reading() as connection:
            return [rows.as_arrival(row) for row in connection.execute(query).mappings()]


def _is(arrival: Arrival) -> sa.ColumnElement[bool]:
    return (
        (arrivals.c.model == arrival.model)
        & (arrivals.c.partition_key == arrival.key)
        & (arrivals.c.digest == arrival.digest)
    )


def _is_of(run: RunName) -> sa.ColumnElement[bool]:
    return (arrivals.c.dag_id == run.dag_id) & (arrivals.c.run_id == run.run_id)
