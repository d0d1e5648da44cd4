"""The way to the database by its URL: patient on SQLite, tidy on PostgreSQL, and what its errors mean."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import make_url

from flightworthy.errors import Unavailable

_PATIENCE_SECONDS = 30
"""How long a decision waits for another one that is being written, on either database."""


def open_engine(url: str) -> sa.Engine:
    """An engine whose ``writes=True`` transactions happen one after another. Connects when first used."""
    parsed = make_url(url)
    if parsed.get_backend_name() == "sqlite":
        if parsed.database:
            Path(parsed.database).parent.mkdir(parents=True, exist_ok=True)
        engine = sa.create_engine(parsed, connect_args={"timeout": _PATIENCE_SECONDS})
        _settle_sqlite(engine)
        return engine
    # Few connections: every task of Airflow has an engine of its own.
    told = _POSTGRES if parsed.get_backend_name() == "postgresql" else {}
    return sa.create_engine(parsed, pool_pre_ping=True, pool_size=2, connect_args=dict(told))


@contextmanager
def answering(name: str) -> Iterator[None]:
    """Raise Unavailable, which names the database without its password, where it fails rather than the caller."""
    try:
        yield
    except (sa.exc.OperationalError, sa.exc.InterfaceError, sa.exc.InternalError) as error:
        raise Unavailable(
            f"the release database {name} did not answer: {error.orig}. Nothing was changed; try again.",
            database=name,
        ) from error


_POSTGRES = {
    "connect_timeout": 5,
    "application_name": "flightworthy",
    # A network that went away is noticed within half a minute, and not by a decision that hangs for hours.
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "options": f"-c lock_timeout={_PATIENCE_SECONDS}s -c idle_in_transaction_session_timeout=60s",
}


def _settle_sqlite(engine: sa.Engine) -> None:
    """Write-ahead log, patience, and transactions that take the write lock when they begin.

    Left alone, the driver begins a transaction at its first write: two that have read the same row would both
    try, and one fail with "database is locked" whatever the timeout.
    """

    @sa.event.listens_for(engine, "connect")
    def on_connect(connection: Any, _record: Any) -> None:
        connection.isolation_level = None
        connection.execute(f"PRAGMA busy_timeout = {_PATIENCE_SECONDS}000")
        _use_wal(connection)
        connection.execute("PRAGMA synchronous = NORMAL")

    @sa.event.listens_for(engine, "begin")
    def on_begin(connection: sa.Connection) -> None:
        writes = connection.get_execution_options().get("writes", False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def _use_wal(connection: Any) -> None:
    """Switching needs the file for itself for a moment, and does not wait by ``busy_timeout``."""
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.02)
        else:
            return
