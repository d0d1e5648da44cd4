"""What the deployer saw, what it put right, and what it cannot start."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

import sqlalchemy as sa

from flightworthy import ledger
from flightworthy.adapters.sql_releases import rows
from flightworthy.adapters.sql_releases.access import SqlAccess, upsert
from flightworthy.adapters.sql_releases.tables import healings, missing_releases, observations
from flightworthy.release import Healing, Observation


class SqlSightings(SqlAccess):
    """The part of a ReleaseStore that the deployer tells."""

    def observe(self, observation: Observation) -> None:
        """Keep the newest observation of a model; older ones are not kept."""
        values = rows.observation_values(observation)
        with self._writing() as connection:
            connection.execute(upsert(connection, observations, values))

    def observation(self, model: str) -> Observation | None:
        query = sa.select(observations).where(observations.c.model == model)
        with self._reading() as connection:
            row = connection.execute(query).mappings().first()
        return None if row is None else rows.as_observation(row)

    def note_healing(self, healing: Healing) -> None:
        """Add what the deployer put right."""
        with self._writing() as connection:
            connection.execute(healings.insert().values(rows.healing_values(healing)))

    def healings(self, model: str, *, limit: int) -> list[Healing]:
        """The newest healings of a model, or of what all models share; oldest first."""
        query = sa.select(healings).where(sa.or_(healings.c.model == model, healings.c.model.is_(None)))
        with self._reading() as connection:
            found = connection.execute(query.order_by(healings.c.place.desc()).limit(limit)).mappings()
            return [rows.as_healing(row) for row in found][::-1]

    def note_missing(self, found: Mapping[str, str | None], *, at: datetime) -> None:
        """Note for each of these releases why it cannot be started, or with None that it can be again."""
        with self._writing() as connection:
            for release, why in found.items():
                if why is None:
                    connection.execute(missing_releases.delete().where(missing_releases.c.release == release))
                else:
                    values = {"release": release, "why": why, "since_at": ledger.instant(at)}
                    connection.execute(upsert(connection, missing_releases, values))

    def missing(self) -> dict[str, str]:
        """The releases that cannot be started, and why."""
        with self._reading() as connection:
            found = connection.execute(sa.select(missing_releases.c.release, missing_releases.c.why))
            return {str(row.release): str(row.why) for row in found}
