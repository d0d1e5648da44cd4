"""The lock of the one deployer that works on a PostgreSQL database, wherever its machine is.

It only prevents duelling: what is right comes from the compare-and-swap. It lasts as long as its connection, so that
a deployer that died leaves nothing to clear away.
"""

from __future__ import annotations

import logging
import os
import socket
from contextlib import suppress

import sqlalchemy as sa
from sqlalchemy.engine import make_url

from flightworthy.adapters.sql_releases.engine import answering, open_engine
from flightworthy.errors import Conflict, Unavailable

log = logging.getLogger(__name__)

_DEPLOYING = 0x666C69676875
"""The PostgreSQL advisory lock that a deployer holds."""

_HOLDER = sa.text(
    "SELECT application_name FROM pg_stat_activity JOIN pg_locks USING (pid) WHERE locktype = 'advisory' AND granted "
    "AND (classid::bigint << 32 | objid::bigint) = :key AND pg_locks.database = "
    "(SELECT oid FROM pg_database WHERE datname = current_database())"
)


class DatabaseLock:
    """Held by a session of its own. A pooler that hands sessions around (pgbouncer by transaction) cannot hold it."""

    def __init__(self, url: str) -> None:
        parsed = make_url(url)
        self._name = parsed.render_as_string(hide_password=True)
        # A lock is held between statements, and no transaction is open meanwhile.
        self._engine = open_engine(url).execution_options(isolation_level="AUTOCOMMIT")
        self._connection: sa.Connection | None = None

    @staticmethod
    def of(url: str) -> DatabaseLock | None:
        """The database's lock; None where a file's lock is all there is."""
        return DatabaseLock(url) if make_url(url).get_backend_name() == "postgresql" else None

    def take(self) -> None:
        """Take the lock, or raise Conflict that names who has it."""
        with answering(self._name):
            connection = self._engine.connect()
            try:
                who = f"flightworthy deployer {os.getpid()}@{socket.gethostname()}"
                connection.execute(sa.select(sa.func.set_config("application_name", who[:63], False)))
                taken = connection.execute(sa.select(sa.func.pg_try_advisory_lock(_DEPLOYING))).scalar_one()
                holder = None if taken else connection.execute(_HOLDER, {"key": _DEPLOYING}).scalar()
            except BaseException:
                connection.invalidate()
                raise
        if not taken:
            connection.invalidate()
            raise Conflict(
                f"another deployer ({str(holder).removeprefix('flightworthy deployer ')}) works on {self._name}; "
                "leave it be, or end it first: two would start every server twice",
                database=self._name,
                holder=holder,
            )
        self._connection = connection

    def keep(self) -> None:
        """See that the lock is held still, and take it again where its connection was lost.

        Raises Conflict where another deployer was faster. While the database does not answer nobody has it, and
        nobody can decide anything.
        """
        if self._connection is not None:
            try:
                self._connection.execute(sa.text("SELECT 1"))
            except sa.exc.DBAPIError as error:
                log.warning("deployer_lock_lost database=%s reason=%s", self._name, error.orig)
                self.release()
            else:
                return
        with suppress(Unavailable):
            self.take()
            log.info("deployer_lock_taken_again database=%s", self._name)

    def release(self) -> None:
        """Let go; harmless if it was lost."""
        if self._connection is not None:
            with suppress(sa.exc.DBAPIError):
                # Closed and not given back to a pool: the lock goes with the session.
                self._connection.invalidate()
            self._connection.close()
        self._connection = None
        self._engine.dispose()
