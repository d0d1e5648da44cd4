"""Which form the tables have, and their upgrade: at first use, under a lock, whoever comes first.

Alembic does the work and is imported only where there is some: a rollback asks one question and goes on.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import sqlalchemy as sa
from sqlalchemy.engine import make_url

from flightworthy.adapters.sql_releases.engine import answering, open_engine
from flightworthy.errors import Refused

if TYPE_CHECKING:
    from alembic.config import Config

VERSION_TABLE = "flightworthy_alembic_version"
"""Not Alembic's default name, so that the tables may share a database with Airflow's or MLflow's."""

NEWEST = "0005"
"""The revision that this code reads and writes."""

_UPGRADING = 0x666C69676874
"""The PostgreSQL advisory lock under which tables are made and changed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SchemaState:
    """``found`` is the revision of the database, None where it has none yet; ``newest`` the one that the code knows."""

    found: str | None
    newest: str
    is_adoptable: bool
    """Whether there are tables of before there were revisions (0.1): they are taken over as they are."""

    @property
    def is_current(self) -> bool:
        return self.found == self.newest


def schema_state(connection: sa.Connection) -> SchemaState:
    """Look, and change nothing."""
    inspector = sa.inspect(connection)
    found = None
    if inspector.has_table(VERSION_TABLE):
        version = sa.table(VERSION_TABLE, sa.column("version_num"))
        found = connection.execute(sa.select(version.c.version_num)).scalar()
    adoptable = found is None and inspector.has_table("ledger_head")
    return SchemaState(found=found, newest=NEWEST, is_adoptable=adoptable)


def settle_schema(engine: sa.Engine) -> SchemaState:
    """Bring the tables to the newest form, unless they have it; what was found before.

    Safe when many processes do it at once, and whole or not at all. Raises Refused where the database is of a newer
    Flightworthy, or where its user may not change it.
    """
    with engine.connect() as connection:
        state = schema_state(connection)
    if state.is_current:
        return state
    try:
        with engine.execution_options(writes=True).begin() as connection:
            if connection.dialect.name == "postgresql":
                connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_UPGRADING)))
            # Asked again: whoever had the lock before may have done it.
            state = schema_state(connection)
            if not state.is_current:
                _upgrade(connection, state)
    except sa.exc.ProgrammingError as error:
        raise Refused(
            f"the tables of the release database could not be made or upgraded: {error.orig}. Nothing was changed. "
            "Run `flightworthy database upgrade` as a user who owns them.",
            found=state.found,
            newest=NEWEST,
        ) from error
    return state


def look_at_schema(url: str) -> SchemaState:
    """The state of the database at a URL. Makes nothing but, on SQLite, an empty file where there was none."""
    engine = open_engine(url)
    try:
        with answering(make_url(url).render_as_string(hide_password=True)), engine.connect() as connection:
            return schema_state(connection)
    finally:
        engine.dispose()


def upgrade_schema(url: str) -> SchemaState:
    """Upgrade the database at a URL; the state before."""
    engine = open_engine(url)
    try:
        with answering(make_url(url).render_as_string(hide_password=True)):
            return settle_schema(engine)
    finally:
        engine.dispose()


def _upgrade(connection: sa.Connection, state: SchemaState) -> None:
    from alembic import command
    from alembic.script import ScriptDirectory

    config = alembic_config()
    known = {script.revision for script in ScriptDirectory.from_config(config).walk_revisions()}
    if state.found is not None and state.found not in known:
        raise Refused(
            f"the release database has tables of revision {state.found}, and this Flightworthy knows them up to "
            f"{NEWEST}: a newer one has upgraded them. Nothing was changed. Upgrade Flightworthy here too; to stay "
            "with the old one, restore the backup from before the upgrade.",
            found=state.found,
            newest=NEWEST,
        )
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


def alembic_config() -> Config:
    """Where the migrations are."""
    from alembic.config import Config

    config = Config()
    # Alembic would read a % in the path as the beginning of a reference.
    config.set_main_option("script_location", str(Path(__file__).with_name("migrations")).replace("%", "%%"))
    return config
