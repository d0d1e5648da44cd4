"""Rows, releases, the ledger and its evidence: what decisions are made on, and what they leave.

Every decision is one transaction that first takes the ledger's head (on SQLite ``BEGIN IMMEDIATE``, elsewhere
``FOR UPDATE``), so that decisions happen one after another and a row is never swapped without its entry.
"""

from __future__ import annotations

import hashlib
from dataclasses import replace

import sqlalchemy as sa

from flightworthy import ledger
from flightworthy.adapters.sql_releases import rows
from flightworthy.adapters.sql_releases.access import SqlAccess
from flightworthy.adapters.sql_releases.tables import (
    deployments,
    entries,
    evidence_bodies,
    head,
    missing_releases,
    releases,
)
from flightworthy.errors import ReleaseRefused
from flightworthy.release import Deployment, Release, conflict


class SqlDecisions(SqlAccess):
    """The part of a ReleaseStore that decides."""

    def deployment(self, model: str) -> Deployment:
        """The row of a model; an empty one of generation 0 if it never released anything."""
        with self._reading() as connection:
            return _deployment(connection, model)

    def deployments(self) -> list[Deployment]:
        with self._reading() as connection:
            found = connection.execute(sa.select(deployments).order_by(deployments.c.model)).mappings()
            return [rows.as_deployment(row) for row in found]

    def swap(self, before: Deployment, after: Deployment, entry: ledger.Draft) -> Deployment:
        """Replace ``before`` by ``after`` and write the entry, both or neither.

        Raises Conflict, having changed nothing, if the row is no longer the one the decision was made on.
        """
        with self._writing() as connection:
            last = connection.execute(sa.select(head).with_for_update()).mappings().one()
            found = _deployment(connection, before.model)
            if found.generation != before.generation:
                raise conflict(before, found, _entry_at(connection, found))
            values = rows.deployment_values(after)
            if before.generation == 0:
                connection.execute(deployments.insert().values(values))
            else:
                connection.execute(deployments.update().where(deployments.c.model == before.model).values(values))
            _append(connection, entry, seq=last["seq"] + 1, previous_hash=last["hash"])
        return after

    def remark(self, entry: ledger.Draft) -> ledger.Entry:
        """Append an entry that moves no row; its number is given to it here."""
        lowest = sa.select(sa.func.min(entries.c.generation)).where(entries.c.model == entry.model)
        with self._writing() as connection:
            last = connection.execute(sa.select(head).with_for_update()).mappings().one()
            number = min(connection.execute(lowest).scalar() or 0, 0) - 1
            numbered = replace(entry, generation=number)
            return _append(connection, numbered, seq=last["seq"] + 1, previous_hash=last["hash"])

    # Releases

    def add_release(self, release: Release) -> None:
        """Keep a release. One that is there already is left as it is."""
        with self._writing() as connection:
            connection.execute(sa.select(head).with_for_update())
            if connection.execute(sa.select(releases.c.id).where(releases.c.id == release.id)).first() is None:
                connection.execute(releases.insert().values(rows.release_values(release)))

    def restock(self, release: Release) -> None:
        """Let a release that could not be started be served from where it was packaged again; nothing else changes.

        Raises ReleaseRefused where it is not missing, since what serves, or may, is never exchanged under its name.
        """
        again = {"target": release.target, "artifact_uri": release.artifact_uri, "image_digest": release.image_digest}
        same = (releases.c.id == release.id) & (releases.c.artifact_digest == release.artifact_digest)
        with self._writing() as connection:
            connection.execute(sa.select(head).with_for_update())
            gone = connection.execute(missing_releases.delete().where(missing_releases.c.release == release.id))
            if not gone.rowcount:
                raise ReleaseRefused(f"{release.id} is not missing; it is left as it is", release=release.id)
            connection.execute(releases.update().where(same).values(again))

    def release(self, release_id: str) -> Release:
        with self._reading() as connection:
            row = connection.execute(sa.select(releases).where(releases.c.id == release_id)).mappings().first()
        if row is None:
            raise ReleaseRefused(
                f"there is no release {release_id}; `flightworthy history` lists those that there are",
                release=release_id,
            )
        return rows.as_release(row)

    def releases(self, model: str) -> list[Release]:
        """Every release that was ever proposed for a model, oldest first."""
        with self._reading() as connection:
            query = sa.select(releases).where(releases.c.model == model).order_by(releases.c.place)
            return [rows.as_release(row) for row in connection.execute(query).mappings()]

    # The ledger

    def history(self, model: str | None = None) -> list[ledger.Entry]:
        """The entries, oldest first; of one model, or the whole chain as ``ledger.verify`` wants it."""
        query = sa.select(entries).order_by(entries.c.seq)
        with self._reading() as connection:
            chosen = query if model is None else query.where(entries.c.model == model)
            return [rows.as_entry(row) for row in connection.execute(chosen).mappings()]

    def head(self) -> str:
        """The hash that the newest entry must have."""
        with self._reading() as connection:
            return str(connection.execute(sa.select(head.c.hash)).scalar_one())

    def keep_evidence(self, body: str) -> str:
        """Keep what a decision rests on, by its content; its digest."""
        digest = hashlib.sha256(body.encode()).hexdigest()
        with self._writing() as connection:
            connection.execute(sa.select(head).with_for_update())
            known = sa.select(evidence_bodies.c.digest).where(evidence_bodies.c.digest == digest)
            if connection.execute(known).first() is None:
                connection.execute(evidence_bodies.insert().values(digest=digest, body=body))
        return digest

    def evidence(self, digest: str) -> str | None:
        query = sa.select(evidence_bodies.c.body).where(evidence_bodies.c.digest == digest)
        with self._reading() as connection:
            return connection.execute(query).scalar()


def _deployment(connection: sa.Connection, model: str) -> Deployment:
    row = connection.execute(sa.select(deployments).where(deployments.c.model == model)).mappings().first()
    return Deployment.empty(model) if row is None else rows.as_deployment(row)


def _entry_at(connection: sa.Connection, found: Deployment) -> ledger.Entry | None:
    query = sa.select(entries).filter_by(model=found.model, generation=found.generation)
    row = connection.execute(query).mappings().first()
    return None if row is None else rows.as_entry(row)


def _append(connection: sa.Connection, draft: ledger.Draft, *, seq: int, previous_hash: str) -> ledger.Entry:
    entry = ledger.chain(draft, seq=seq, previous_hash=previous_hash)
    connection.execute(entries.insert().values(rows.entry_values(entry)))
    connection.execute(head.update().values(seq=seq, hash=entry.hash))
    return entry
