"""Releases, rows and the ledger in SQL: SQLite by default, PostgreSQL by its URL.

Every decision is one transaction that first takes the ledger's head (on SQLite ``BEGIN IMMEDIATE``, elsewhere
``FOR UPDATE``), so that decisions happen one after another and a row is never swapped without its entry.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import make_url

from flightworthy import ledger
from flightworthy.adapters.sql_releases import rows
from flightworthy.adapters.sql_releases.engine import answering, open_engine
from flightworthy.adapters.sql_releases.schema import settle_schema
from flightworthy.adapters.sql_releases.tables import (
    answers,
    claims,
    deployments,
    drills,
    entries,
    evidence_bodies,
    head,
    healings,
    missing_releases,
    observations,
    releases,
)
from flightworthy.errors import ReleaseRefused
from flightworthy.release import Answer, Deployment, Drill, DrillResult, Healing, Observation, Release, conflict


class SqlReleases:
    """A ReleaseStore at a SQLAlchemy URL. Upgrades its tables when first used; may be shared between threads."""

    def __init__(self, url: str) -> None:
        self._name = make_url(url).render_as_string(hide_password=True)
        self._engine = open_engine(url)
        with answering(self._name):
            settle_schema(self._engine)

    def close(self) -> None:
        self._engine.dispose()

    # Rows

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

    # What the deployer saw

    def observe(self, observation: Observation) -> None:
        """Keep the newest observation of a model; older ones are not kept."""
        values = rows.observation_values(observation)
        with self._writing() as connection:
            connection.execute(_upsert(connection, observations, values))

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

    # What cannot be started

    def note_missing(self, found: Mapping[str, str | None], *, at: datetime) -> None:
        """Note for each of these releases why it cannot be started, or with None that it can be again."""
        with self._writing() as connection:
            for release, why in found.items():
                if why is None:
                    connection.execute(missing_releases.delete().where(missing_releases.c.release == release))
                else:
                    values = {"release": release, "why": why, "since_at": ledger.instant(at)}
                    connection.execute(_upsert(connection, missing_releases, values))

    def missing(self) -> dict[str, str]:
        """The releases that cannot be started, and why."""
        with self._reading() as connection:
            found = connection.execute(sa.select(missing_releases.c.release, missing_releases.c.why))
            return {str(row.release): str(row.why) for row in found}

    # Approvals

    def keep_answer(self, answer: Answer) -> None:
        """Keep what a person said of a digest, instead of what the same person said of it before."""
        values = rows.answer_values(answer)
        mine = (answers.c.digest == answer.digest) & (answers.c.user == answer.user)
        with self._writing() as connection:
            connection.execute(sa.select(head).with_for_update())
            if not connection.execute(answers.update().where(mine).values(values)).rowcount:
                connection.execute(answers.insert().values(values))

    def answers(self, digest: str) -> list[Answer]:
        """What was said of a digest, one of each person, in the order of their first."""
        query = sa.select(answers).where(answers.c.digest == digest).order_by(answers.c.number)
        with self._reading() as connection:
            return [rows.as_answer(row) for row in connection.execute(query).mappings()]

    # Drills

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

    # Which run took a partition

    def claim(self, model: str, key: str, digest: str, run_id: str) -> str:
        """Take a partition for a run, unless a run took it before; the run that has it."""
        mine = {"model": model, "partition_key": key, "digest": digest}
        query = sa.select(claims.c.run_id).filter_by(**mine)
        with self._writing() as connection:
            connection.execute(sa.select(head).with_for_update())
            owner = connection.execute(query).scalar()
            if owner is None:
                connection.execute(claims.insert().values(**mine, run_id=run_id))
            return owner or run_id

    @contextmanager
    def _writing(self) -> Iterator[sa.Connection]:
        with answering(self._name), self._engine.execution_options(writes=True).begin() as connection:
            yield connection

    @contextmanager
    def _reading(self) -> Iterator[sa.Connection]:
        with answering(self._name), self._engine.connect() as connection:
            yield connection


def _deployment(connection: sa.Connection, model: str) -> Deployment:
    row = connection.execute(sa.select(deployments).where(deployments.c.model == model)).mappings().first()
    return Deployment.empty(model) if row is None else rows.as_deployment(row)


def _entry_at(connection: sa.Connection, found: Deployment) -> ledger.Entry | None:
    query = sa.select(entries).filter_by(model=found.model, generation=found.generation)
    row = connection.execute(query).mappings().first()
    return None if row is None else rows.as_entry(row)


def _append(connection: sa.Connection, draft: ledger.Draft, *, seq: int, previous_hash: str) -> None:
    entry = ledger.chain(draft, seq=seq, previous_hash=previous_hash)
    connection.execute(entries.insert().values(rows.entry_values(entry)))
    connection.execute(head.update().values(seq=seq, hash=entry.hash))


def _upsert(connection: sa.Connection, table: sa.Table, values: Mapping[str, object]) -> sa.Executable:
    """Insert, or replace the row with the same key: one statement, so that two at once are no error."""
    insert = postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert
    key = [column.name for column in table.primary_key]
    others = {name: value for name, value in values.items() if name not in key}
    return insert(table).values(**values).on_conflict_do_update(index_elements=key, set_=others)
