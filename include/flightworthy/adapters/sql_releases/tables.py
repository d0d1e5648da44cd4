"""The tables of Flightworthy's own database, and how SQLite is made to keep them safely.

Instants are ISO 8601 text in UTC with microseconds: they sort by time and hash the same on every database.
"""

from __future__ import annotations

import sqlite3
import time
from typing import Any

import sqlalchemy as sa

from flightworthy.ledger import GENESIS

metadata = sa.MetaData()

_CREATING = 0x666C69676874
"""The PostgreSQL advisory lock under which tables are made."""

deployments = sa.Table(
    "deployment", metadata,
    sa.Column("model", sa.String(200), primary_key=True),
    sa.Column("generation", sa.Integer, nullable=False),
    sa.Column("slot_a", sa.String(300)),
    sa.Column("slot_b", sa.String(300)),
    sa.Column("share_b", sa.Integer, nullable=False),
    sa.Column("champion", sa.String(300)),
    sa.Column("challenger", sa.String(300)),
    sa.Column("previous", sa.String(300)),
    sa.Column("phase", sa.String(20), nullable=False),
    sa.Column("step", sa.Integer, nullable=False),
    sa.Column("since_at", sa.String(40)),
    sa.CheckConstraint("share_b >= 0 AND share_b <= 100", name="share_is_percent"),
)  # fmt: skip

releases = sa.Table(
    "release", metadata,
    sa.Column("place", sa.Integer, primary_key=True, autoincrement=True),
    sa.Column("id", sa.String(300), nullable=False, unique=True),
    sa.Column("model", sa.String(200), nullable=False, index=True),
    sa.Column("version", sa.String(100), nullable=False),
    sa.Column("target", sa.String(20), nullable=False),
    sa.Column("artifact_uri", sa.Text, nullable=False),
    sa.Column("artifact_digest", sa.String(64), nullable=False),
    sa.Column("image_digest", sa.String(200)),
    sa.Column("bundle", sa.Text, nullable=False),
    sa.Column("strategy", sa.Text, nullable=False),
)  # fmt: skip

entries = sa.Table(
    "ledger", metadata,
    sa.Column("seq", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("model", sa.String(200), nullable=False, index=True),
    sa.Column("at", sa.String(40), nullable=False),
    sa.Column("actor", sa.Text, nullable=False),
    sa.Column("action", sa.String(20), nullable=False),
    sa.Column("from_release", sa.String(300)),
    sa.Column("to_release", sa.String(300)),
    sa.Column("generation", sa.Integer, nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("evidence", sa.Text, nullable=False),
    sa.Column("previous_hash", sa.String(64), nullable=False),
    sa.Column("hash", sa.String(64), nullable=False),
    sa.UniqueConstraint("model", "generation", name="one_decision_per_generation"),
)  # fmt: skip

head = sa.Table(
    "ledger_head", metadata,
    sa.Column("seq", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("hash", sa.String(64), nullable=False),
)  # fmt: skip

evidence_bodies = sa.Table(
    "evidence", metadata,
    sa.Column("digest", sa.String(64), primary_key=True),
    sa.Column("body", sa.Text, nullable=False),
)  # fmt: skip

observations = sa.Table(
    "observation", metadata,
    sa.Column("model", sa.String(200), primary_key=True),
    sa.Column("generation", sa.Integer, nullable=False),
    sa.Column("share_b", sa.Integer, nullable=False),
    sa.Column("healthy", sa.Text, nullable=False),
    sa.Column("note", sa.Text, nullable=False),
    sa.Column("at", sa.String(40), nullable=False),
)  # fmt: skip

claims = sa.Table(
    "claim", metadata,
    sa.Column("model", sa.String(200), primary_key=True),
    sa.Column("partition_key", sa.String(200), primary_key=True),
    sa.Column("digest", sa.String(64), primary_key=True),
    sa.Column("run_id", sa.String(500), nullable=False),
)  # fmt: skip


def create_tables(connection: sa.Connection) -> None:
    """Make what is missing. Safe when many processes do it at once, within one transaction each."""
    if connection.dialect.name == "postgresql":
        connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_CREATING)))
    metadata.create_all(connection)
    if connection.execute(sa.select(head.c.seq)).first() is None:
        connection.execute(head.insert().values(seq=0, hash=GENESIS))


def settle_sqlite(engine: sa.Engine) -> None:
    """Write-ahead log, patience, and transactions that take the write lock when they begin.

    Left alone, the driver begins a transaction at its first write: two that have read the same row would both
    try, and one fail with "database is locked" whatever the timeout.
    """

    @sa.event.listens_for(engine, "connect")
    def on_connect(connection: Any, _record: Any) -> None:
        connection.isolation_level = None
        connection.execute("PRAGMA busy_timeout = 30000")
        _use_wal(connection)
        connection.execute("PRAGMA synchronous = NORMAL")

    @sa.event.listens_for(engine, "begin")
    def on_begin(connection: sa.Connection) -> None:
        writes = connection.get_execution_options().get("writes", False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def _use_wal(connection: Any) -> None:
    """Switching needs the file for itself for a moment, and does not wait by ``busy_timeout``."""
    deadline = time.monotonic() + 30
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.02)
        else:
            return
