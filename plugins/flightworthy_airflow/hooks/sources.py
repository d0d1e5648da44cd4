"""Where a model's partitions land: listed for triggers, read for ingest."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flightworthy.errors import Refused, Unavailable
from flightworthy_airflow.hooks.databases import database_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from flightworthy.adapters.partition_files import PartitionFiles, Progress
    from flightworthy.adapters.partition_files.sql_source import PartitionTable
    from flightworthy.adapters.partition_files.wholeness import Wholeness
    from flightworthy.adapters.personal_columns import ProtectedSource, Protection
    from flightworthy.partition import SourceFile
    from flightworthy.spec import Source, Spec

__all__ = ["listing", "source_of", "wholeness_of"]

_MOUNTED: dict[tuple[str, str], Any] = {}
"""File systems by scheme and connection: a watcher looks every second, and signing in takes longer than looking."""


def listing(source: Source) -> tuple[SourceFile, ...]:
    """Every landed file by partition key. Blocks; call it from a thread."""
    from flightworthy.adapters.partition_files.listing import Landing

    if source.is_sql:
        from flightworthy.adapters.partition_files.sql_source import PartitionTable

        return PartitionTable(source=source, types={}, engine=database_of(source)).files()
    try:
        return Landing.of(source, _files_at(source)).files()
    except Unavailable:
        # Its key may have been rotated: the next look asks for the connection again.
        _MOUNTED.pop(_mount(source), None)
        raise


def wholeness_of(source: Source) -> Wholeness:
    """Who says whether a partition is all there, by its marker or manifest."""
    from flightworthy.adapters.partition_files.wholeness import Wholeness

    return Wholeness.of(source, _files_at(source))


def source_of(
    spec: Spec, protection: Protection, *, progress: Callable[[Progress], None] | None = None
) -> ProtectedSource:
    """The model's source, typed as its spec says; what names a person is treated before anybody sees it.

    ``progress`` is told now and then how far a long reading is.
    """
    from flightworthy.adapters.personal_columns import ProtectedSource

    return ProtectedSource(source=_unprotected(spec, progress), protection=protection)


def _unprotected(spec: Spec, progress: Callable[[Progress], None] | None) -> PartitionFiles | PartitionTable:
    from flightworthy.adapters.partition_files import PartitionFiles

    source = spec.source
    if source.is_sql:
        from flightworthy.adapters.partition_files.sql_source import PartitionTable

        return PartitionTable.of(spec, database_of(source))
    files_at = None if source.conn_id is None else _mounted(source.conn_id, _mount(source)[0])
    return PartitionFiles.of(spec, files_at=files_at, progress=progress)


def _mount(source: Source) -> tuple[str, str]:
    scheme, found, _ = source.uri.partition("://")
    return (scheme if found else "file"), source.conn_id or ""


def _files_at(source: Source) -> Any:
    """The file system of the source's connection, as Airflow's provider for it builds it; None without a connection.

    Raises `Refused` where there is no such connection or provider.
    """
    if source.conn_id is None:
        return None
    mount = _mount(source)
    if mount not in _MOUNTED:
        _MOUNTED[mount] = _mounted(source.conn_id, mount[0])
    return _MOUNTED[mount]


def _mounted(conn_id: str, scheme: str) -> Any:
    from airflow.sdk import BaseHook
    from airflow.sdk.exceptions import AirflowNotFoundException
    from airflow.sdk.io import get_fs, has_fs

    if not has_fs(scheme):
        raise Refused(
            f"source.conn_id={conn_id!r}: Airflow has no file system for {scheme}://. Install the provider that brings "
            "one, or leave conn_id out and give the storage library its credentials in the environment.",
            conn_id=conn_id,
            scheme=scheme,
        )
    try:
        # Amazon's provider takes a connection that is not there for one that says nothing, and signs in as nobody.
        BaseHook.get_connection(conn_id)
    except AirflowNotFoundException as error:
        raise Refused(
            f"source.conn_id={conn_id!r}: there is no such connection. Add it in Airflow, under Admin, Connections.",
            conn_id=conn_id,
        ) from error
    return get_fs(scheme, conn_id)
