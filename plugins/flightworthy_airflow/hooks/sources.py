"""Where a model's partitions land: listed for triggers, read for ingest."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow.sdk import BaseHook
from airflow.sdk.exceptions import AirflowNotFoundException

from flightworthy.errors import SpecError

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy import Engine

    from flightworthy.adapters.partition_files import PartitionFiles, Progress
    from flightworthy.adapters.partition_files.sql_source import PartitionTable
    from flightworthy.adapters.partition_files.wholeness import Wholeness
    from flightworthy.partition import SourceFile
    from flightworthy.spec import Source, Spec

__all__ = ["database_of", "listing", "source_of", "wholeness_of"]


def listing(source: Source) -> tuple[SourceFile, ...]:
    """Every landed file by partition key. Blocks; call it from a thread."""
    from flightworthy.adapters.partition_files.listing import Landing
    from flightworthy.adapters.partition_files.sql_source import PartitionTable

    if source.is_sql:
        return PartitionTable(source=source, types={}, engine=database_of(source)).files()
    return Landing.of(source).files()


def wholeness_of(source: Source) -> Wholeness:
    """Who says whether a partition is all there, by its marker or manifest."""
    from flightworthy.adapters.partition_files.wholeness import Wholeness

    return Wholeness.of(source)


def source_of(spec: Spec, *, progress: Callable[[Progress], None]) -> PartitionFiles | PartitionTable:
    """The model's source, typed as its spec says; ``progress`` is told now and then how far a long reading is."""
    from flightworthy.adapters.partition_files import PartitionFiles

    if spec.source.is_sql:
        from flightworthy.adapters.partition_files.sql_source import PartitionTable

        return PartitionTable.of(spec, database_of(spec.source))

    return PartitionFiles.of(spec, progress=progress)


def database_of(source: Source) -> Engine:
    """An engine for the database of the source's connection, which keeps no connection open.

    Its type is SQLAlchemy's name of the dialect, with a driver if need be (``postgresql+psycopg2``); of SQLite its host
    is the file; what its extra says goes to the driver. Raises SpecError where there is no such connection.
    """
    import sqlalchemy as sa
    from sqlalchemy.pool import NullPool

    try:
        told = BaseHook.get_connection(source.conn_id or "")
    except AirflowNotFoundException:
        raise SpecError(
            f"source.conn_id={source.conn_id}: Airflow has no such connection. Add it (Admin, Connections), or set "
            f"AIRFLOW_CONN_{(source.conn_id or '').upper()}",
            key="source.conn_id",
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
