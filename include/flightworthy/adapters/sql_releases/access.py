"""One database, opened once: what reads and writes of it go through, whichever port they belong to."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import make_url

from flightworthy.adapters.sql_releases.engine import answering, open_engine
from flightworthy.adapters.sql_releases.schema import settle_schema


class SqlAccess:
    """Opens a SQLAlchemy URL and upgrades its tables when first used; may be shared between threads."""

    def __init__(self, url: str) -> None:
        self._name = make_url(url).render_as_string(hide_password=True)
        self._engine = open_engine(url)
        with answering(self._name):
            settle_schema(self._engine)

    def close(self) -> None:
        self._engine.dispose()

    @contextmanager
    def _writing(self) -> Iterator[sa.Connection]:
        with answering(self._name), self._engine.execution_options(writes=True).begin() as connection:
            yield connection

    @contextmanager
    def _reading(self) -> Iterator[sa.Connection]:
        with answering(self._name), self._engine.connect() as connection:
            yield connection


def upsert(connection: sa.Connection, table: sa.Table, values: Mapping[str, object]) -> sa.Executable:
    """Insert, or replace the row with the same key: one statement, so that two at once are no error."""
    insert = postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert
    key = [column.name for column in table.primary_key]
    others = {name: value for name, value in values.items() if name not in key}
    return insert(table).values(**values).on_conflict_do_update(index_elements=key, set_=others)


def insert_if_absent(connection: sa.Connection, table: sa.Table, values: Mapping[str, object]) -> sa.Executable:
    """Insert, unless there is a row with the same key: one statement, so that two at once are no error."""
    insert = postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert
    return (
        insert(table)
        .values(**values)
        .on_conflict_do_nothing(index_elements=[column.name for column in table.primary_key])
    )
