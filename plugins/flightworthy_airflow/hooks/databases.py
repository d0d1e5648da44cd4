"""Databases that models' sources are in, by Airflow connections."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flightworthy.errors import Refused

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from flightworthy.spec import Source

__all__ = ["database_of"]


def database_of(source: Source) -> Engine:
    """An engine for the database of the source's connection, which keeps no connection open.

    Its type is SQLAlchemy's name of the dialect, with a driver if need be (``postgresql+psycopg2``); of SQLite its host
    is the file; what its extra says goes to the driver. Raises `Refused` where there is no such connection.
    """
    import sqlalchemy as sa
    from airflow.sdk import BaseHook
    from airflow.sdk.exceptions import AirflowNotFoundException
    from sqlalchemy.pool import NullPool

    try:
        told = BaseHook.get_connection(source.conn_id or "")
    except AirflowNotFoundException:
        raise Refused(
            f"source.conn_id={source.conn_id!r}: there is no such connection. "
            "Add it in Airflow, under Admin, Connections.",
            conn_id=source.conn_id,
        ) from None
    kind = told.conn_type or ""
    is_file = kind.startswith("sqlite")
    url = sa.URL.create(
        {"postgres": "postgresql+psycopg2"}.get(kind, kind),
        username=told.login or None,
        password=told.password or None,
        host=None if is_file else told.host or None,
        port=told.port or None,
        database=told.schema or (told.host if is_file else None) or None,
        query={name: str(value) for name, value in told.extra_dejson.items()},
    )
    return sa.create_engine(url, poolclass=NullPool, hide_parameters=True)
