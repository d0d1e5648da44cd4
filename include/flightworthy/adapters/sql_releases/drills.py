"""Which drills were asked for, and how they ended."""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa

from flightworthy import ledger
from flightworthy.adapters.sql_releases import rows
from flightworthy.adapters.sql_releases.access import SqlAccess
from flightworthy.adapters.sql_releases.tables import drills, head
from flightworthy.errors import ReleaseRefused
from flightworthy.release import Drill, DrillResult


class SqlDrills(SqlAccess):
    """The part of a ReleaseStore that remembers drills."""

    def open_drill(self, model: str, release: str, *, actor: str, at: datetime) -> Drill:
        """Ask for a drill, or find the open one of the same release."""
        asked = {"model": model, "release": release}
        query = sa.select(drills).filter_by(**asked, ended_at=None)
        with self._writing() as connection:
            connection.execute(sa.select(head).with_for_update())
            row = connection.execute(query).mappings().first()
            if row is None:
                told = {**asked, "asked_by": actor, "asked_at": ledger.instant(at), "reason": ""}
                connection.execute(drills.insert().values(told))
                row = connection.execute(query).mappings().one()
            return rows.as_drill(row)

    def end_drill(self, number: int, result: DrillResult) -> None:
        """Write what an open drill found; one that has ended stays as it is."""
        is_open = (drills.c.number == number) & drills.c.ended_at.is_(None)
        with self._writing() as connection:
            connection.execute(drills.update().where(is_open).values(rows.drill_values(result)))

    def open_drills(self) -> list[Drill]:
        """Those that the deployer has yet to do, the oldest first."""
        query = sa.select(drills).where(drills.c.ended_at.is_(None)).order_by(drills.c.number)
        with self._reading() as connection:
            return [rows.as_drill(row) for row in connection.execute(query).mappings()]

    def last_drill(self, model: str) -> Drill | None:
        """The newest of a model, open or ended."""
        query = sa.select(drills).where(drills.c.model == model).order_by(drills.c.number.desc()).limit(1)
        with self._reading() as connection:
            row = connection.execute(query).mappings().first()
        return None if row is None else rows.as_drill(row)

    def drill(self, number: int) -> Drill:
        with self._reading() as connection:
            row = connection.execute(sa.select(drills).where(drills.c.number == number)).mappings().first()
        if row is None:
            raise ReleaseRefused(f"there is no drill {number}; ask for one with the drill DAG", number=number)
        return rows.as_drill(row)
