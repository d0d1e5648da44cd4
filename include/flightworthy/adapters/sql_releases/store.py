"""Releases, rows and the ledger in SQL: SQLite by default, PostgreSQL by its URL.

Every decision is one transaction that first takes the ledger's head (on SQLite ``BEGIN IMMEDIATE``, elsewhere
``FOR UPDATE``), so that decisions happen one after another and a row is never swapped without its entry.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, fields, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import make_url

from flightworthy import ledger
from flightworthy.adapters.sql_releases.tables import (
    claims,
    create_tables,
    deployments,
    entries,
    evidence_bodies,
    head,
    observations,
    releases,
    settle_sqlite,
)
from flightworthy.errors import ReleaseRefused, Unavailable
from flightworthy.release import NO_LIMITS, Deployment, Limits, Observation, Phase, Release, Strategy, conflict

Row = sa.RowMapping


class SqlReleases:
    """A ReleaseStore at a SQLAlchemy URL. Makes its tables when first used; may be shared between threads."""

    def __init__(self, url: str) -> None:
        parsed = make_url(url)
        self._name = parsed.render_as_string(hide_password=True)
        if parsed.get_backend_name() == "sqlite":
            if parsed.database:
                Path(parsed.database).parent.mkdir(parents=True, exist_ok=True)
            self._engine = sa.create_engine(parsed, connect_args={"timeout": 30})
            settle_sqlite(self._engine)
        else:
            self._engine = sa.create_engine(parsed, pool_pre_ping=True)
        with self._writing() as connection:
            create_tables(connection)

    def close(self) -> None:
        self._engine.dispose()

    # Rows

    def deployment(self, model: str) -> Deployment:
        """The row of a model; an empty one of generation 0 if it never released anything."""
        with self._reading() as connection:
            return _deployment(connection, model)

    def deployments(self) -> list[Deployment]:
        with self._reading() as connection:
            rows = connection.execute(sa.select(deployments).order_by(deployments.c.model)).mappings()
            return [_as_deployment(row) for row in rows]

    def swap(self, before: Deployment, after: Deployment, entry: ledger.Draft) -> Deployment:
        """Replace ``before`` by ``after`` and write the entry, both or neither.

        Raises Conflict, having changed nothing, if the row is no longer the one the decision was made on.
        """
        with self._writing() as connection:
            last = connection.execute(sa.select(head).with_for_update()).mappings().one()
            found = _deployment(connection, before.model)
            if found.generation != before.generation:
                raise conflict(before, found, _entry_at(connection, found))
            values = _deployment_values(after)
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
                connection.execute(releases.insert().values(_release_values(release)))

    def release(self, release_id: str) -> Release:
        with self._reading() as connection:
            row = connection.execute(sa.select(releases).where(releases.c.id == release_id)).mappings().first()
        if row is None:
            raise ReleaseRefused(
                f"there is no release {release_id}; `flightworthy history` lists those that there are",
                release=release_id,
            )
        return _as_release(row)

    def releases(self, model: str) -> list[Release]:
        """Every release that was ever proposed for a model, oldest first."""
        with self._reading() as connection:
            query = sa.select(releases).where(releases.c.model == model).order_by(releases.c.place)
            return [_as_release(row) for row in connection.execute(query).mappings()]

    # The ledger

    def history(self, model: str | None = None) -> list[ledger.Entry]:
        """The entries, oldest first; of one model, or the whole chain as ``ledger.verify`` wants it."""
        query = sa.select(entries).order_by(entries.c.seq)
        with self._reading() as connection:
            chosen = query if model is None else query.where(entries.c.model == model)
            return [_as_entry(row) for row in connection.execute(chosen).mappings()]

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
        values = {
            **asdict(observation),
            "healthy": json.dumps(observation.healthy),
            "at": ledger.instant(observation.at),
        }
        with self._writing() as connection:
            connection.execute(observations.delete().where(observations.c.model == observation.model))
            connection.execute(observations.insert().values(values))

    def observation(self, model: str) -> Observation | None:
        query = sa.select(observations).where(observations.c.model == model)
        with self._reading() as connection:
            row = connection.execute(query).mappings().first()
        if row is None:
            return None
        seen_at = datetime.fromisoformat(row["at"])
        return Observation(**{**row, "healthy": tuple(json.loads(row["healthy"])), "at": seen_at})

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
        with self._answering(), self._engine.execution_options(writes=True).begin() as connection:
            yield connection

    @contextmanager
    def _reading(self) -> Iterator[sa.Connection]:
        with self._answering(), self._engine.connect() as connection:
            yield connection

    @contextmanager
    def _answering(self) -> Iterator[None]:
        try:
            yield
        except sa.exc.OperationalError as error:
            raise Unavailable(
                f"the release database {self._name} did not answer: {error.orig}. Nothing was changed; try again.",
                database=self._name,
            ) from error


def _deployment(connection: sa.Connection, model: str) -> Deployment:
    row = connection.execute(sa.select(deployments).where(deployments.c.model == model)).mappings().first()
    return Deployment.empty(model) if row is None else _as_deployment(row)


def _entry_at(connection: sa.Connection, found: Deployment) -> ledger.Entry | None:
    query = sa.select(entries).filter_by(model=found.model, generation=found.generation)
    row = connection.execute(query).mappings().first()
    return None if row is None else _as_entry(row)


def _append(connection: sa.Connection, draft: ledger.Draft, *, seq: int, previous_hash: str) -> None:
    entry = ledger.chain(draft, seq=seq, previous_hash=previous_hash)
    values = {**asdict(entry), "at": ledger.instant(entry.at), "evidence": json.dumps(entry.evidence)}
    connection.execute(entries.insert().values(values))
    connection.execute(head.update().values(seq=seq, hash=entry.hash))


def _as_entry(row: Row) -> ledger.Entry:
    evidence = tuple(json.loads(row["evidence"]))
    return ledger.Entry(**{**row, "at": datetime.fromisoformat(row["at"]), "evidence": evidence})


def _deployment_values(row: Deployment) -> dict[str, Any]:
    since = None if row.since_at is None else ledger.instant(row.since_at)
    return {**asdict(row), "phase": str(row.phase), "since_at": since}


def _as_deployment(row: Row) -> Deployment:
    since = None if row["since_at"] is None else datetime.fromisoformat(row["since_at"])
    return Deployment(**{**row, "phase": Phase(row["phase"]), "since_at": since})


def _release_values(release: Release) -> dict[str, Any]:
    kept = {field.name: getattr(release, field.name) for field in fields(release)}
    strategy = _in_seconds(asdict(release.strategy))
    return {**kept, "bundle": json.dumps(dict(release.bundle), sort_keys=True), "strategy": json.dumps(strategy)}


def _as_release(row: Row) -> Release:
    values = {key: value for key, value in row.items() if key != "place"}
    told = json.loads(values["strategy"])
    strategy = Strategy(
        steps=tuple(told["steps"]),
        bake_time=timedelta(seconds=told["bake_time"]),
        min_requests=told["min_requests"],
        deadline=timedelta(seconds=told["deadline"]),
        max_error_rate=told["max_error_rate"],
        limits=_as_limits(told.get("limits")),
    )
    return Release(**{**values, "bundle": json.loads(values["bundle"]), "strategy": strategy})


def _as_limits(told: dict[str, Any] | None) -> Limits:
    """The limits of a strategy; one that was written before there were any is judged as it was then."""
    if told is None:
        return NO_LIMITS
    slowest = told.get("max_p99_latency")
    read = {
        "max_p99_latency": None if slowest is None else timedelta(seconds=slowest),
        "required": tuple(told.get("required", NO_LIMITS.required)),
    }
    return replace(NO_LIMITS, **{**told, **read})


def _in_seconds(told: dict[str, Any]) -> dict[str, Any]:
    """Durations as JSON has them."""
    inner = {key: _in_seconds(value) for key, value in told.items() if isinstance(value, dict)}
    durations = {key: value.total_seconds() for key, value in told.items() if isinstance(value, timedelta)}
    return {**told, **inner, **durations}
