"""What Airflow cannot be told by a setting. Copied to ``$AIRFLOW_HOME/config``, where all its processes find it.

*SQLite from several processes at once.* A SAVEPOINT opens a deferred transaction, which SQLite refuses to turn into a
writing one when another process wrote in between: "database is locked" at once, whatever the timeout, in about half of
all backfills. So a savepoint takes the write lock before it reads.

*The first task as quick as the next.* With ``[scheduler] mp_start_method = forkserver`` the process from which tasks
are forked is started by the first task, which waits while it imports what all will share. So the scheduler starts it
with itself.
"""

from __future__ import annotations

import sys
from multiprocessing import forkserver

from airflow.configuration import conf
from sqlalchemy import event
from sqlalchemy.engine import Connection, Engine


@event.listens_for(Engine, "savepoint")
def take_the_write_lock(connection: Connection, _name: str) -> None:
    """Open the transaction as a writing one, unless one is open; waiting for the lock is then SQLite's own work."""
    if connection.dialect.name != "sqlite" or connection.dialect.is_async:
        return
    sqlite = connection.connection.dbapi_connection
    if sqlite is not None and not sqlite.in_transaction:
        sqlite.execute("BEGIN IMMEDIATE")


def start_forking_early() -> None:
    """Start the fork server with its imports, without waiting for them."""
    modules = conf.get("scheduler", "mp_forkserver_preload", fallback="")
    forkserver.set_forkserver_preload([name.strip() for name in modules.split(",") if name.strip()])
    forkserver.ensure_running()


if sys.argv[1:2] == ["scheduler"] and conf.get("scheduler", "mp_start_method", fallback=None) == "forkserver":
    start_forking_early()
