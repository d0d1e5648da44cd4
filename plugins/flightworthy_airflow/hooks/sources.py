"""Where a model's partitions land: listed for triggers, read for ingest."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, TypeVar

from flightworthy.errors import Refused, Unavailable
from flightworthy.secrecy import masked
from flightworthy_airflow.hooks.databases import database_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from flightworthy.adapters.partition_files import PartitionFiles
    from flightworthy.adapters.partition_files.progress import Tell
    from flightworthy.adapters.partition_files.sql_source import PartitionTable
    from flightworthy.adapters.personal_columns import ProtectedSource, Protection
    from flightworthy.partition import SourceFile
    from flightworthy.spec import Source, Spec

__all__ = ["listing", "missing_of", "partitions_of", "source_of"]

T = TypeVar("T")

_MOUNTED: dict[tuple[str, str], Any] = {}
"""File systems by scheme and connection: a watcher looks every second, and signing in takes longer than looking."""


def listing(source: Source) -> tuple[SourceFile, ...]:
    """Every landed file by partition key. Blocks; call it from a thread."""
    from flightworthy.adapters.partition_files.listing import Landing

    if source.is_sql:
        from flightworthy.adapters.partition_files.sql_source import PartitionTable

        return PartitionTable(source=source, types={}, engine=database_of(source)).files()
    return _asked(source, lambda files_at: Landing.of(source, files_at).files())


def missing_of(source: Source, key: str, files: Sequence[SourceFile], *, counted: dict[str, str]) -> str | None:
    """What its marker or manifest says is missing of the partition ``key``; None where it is whole. Blocks.

    ``counted`` keeps the digests of files between two calls, so that none is read again until it changes.
    """
    from flightworthy.adapters.partition_files.wholeness import Wholeness

    return _asked(source, lambda files_at: Wholeness.of(source, files_at, counted=counted).missing(key, files))


def partitions_of(source: Source, file: SourceFile) -> tuple[SourceFile, ...]:
    """The partitions in the one ``file`` that holds all, each with the digest of its rows. Reads all of it; blocks.

    Raises `PartitionRefused` where it cannot be read, and `Unavailable` where it is no longer the file that was listed.
    """
    from flightworthy.adapters.partition_files import PartitionFiles

    return _asked(source, lambda files_at: PartitionFiles(source=source, types={}, files_at=files_at).partitions(file))


def source_of(spec: Spec, protection: Protection, *, progress: Tell | None = None) -> ProtectedSource:
    """The model's source, typed as its spec says; what names a person is treated before anybody sees it.

    ``progress`` is told now and then how far a long reading is.
    """
    from flightworthy.adapters.personal_columns import ProtectedSource

    return ProtectedSource(source=_unprotected(spec, progress), protection=protection)


def _unprotected(spec: Spec, progress: Tell | None) -> PartitionFiles | PartitionTable:
    from flightworthy.adapters.partition_files import PartitionFiles

    source = spec.source
    if source.is_sql:
        from flightworthy.adapters.partition_files.sql_source import PartitionTable

        return PartitionTable.of(spec, database_of(source), progress=progress)
    files_at = None if source.conn_id is None else _mounted(source.conn_id, _mount(source)[0])
    return PartitionFiles.of(spec, files_at=files_at, progress=progress)


def _mount(source: Source) -> tuple[str, str]:
    scheme, found, _ = source.uri.partition("://")
    return (scheme if found else "file"), source.conn_id or ""


def _asked(source: Source, ask: Callable[[Any], T]) -> T:
    """What a source's store answers; where it lets us in no more, with its connection as that is by now, once more.

    A key may have been rotated, or the store have moved. Raises `Unavailable` where it then does not answer either.
    """
    mount = _mount(source)
    kept = _MOUNTED.get(mount)
    if kept is not None:
        try:
            return ask(kept)
        except Unavailable:
            _let_go(mount, kept)
    files_at = _files_at(source)
    try:
        return ask(files_at)
    except Unavailable:
        _let_go(mount, files_at)
        raise


def _let_go(mount: tuple[str, str], files_at: Any) -> None:
    # Another thread may have signed in anew meanwhile.
    if _MOUNTED.get(mount) is files_at:
        _MOUNTED.pop(mount, None)


def _files_at(source: Source) -> Any:
    """The file system of the source's connection, as Airflow's provider for it builds it; None without a connection.

    Raises `Refused` where there is no such connection or provider, and `Unavailable` where it makes nothing of it.
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
    # It writes forty lines for each request, and a watcher asks twice a second.
    logging.getLogger("azure.core.pipeline.policies.http_logging_policy").setLevel(logging.WARNING)
    try:
        return get_fs(scheme, conn_id)
    except Exception as error:  # each provider has errors of its own for what a connection lacks
        raise Unavailable(
            f"source.conn_id={conn_id!r}: no file system for {scheme}:// could be made of this connection: "
            f"{masked(str(error) or type(error).__name__)}. Correct it in Airflow, under Admin, Connections; "
            "it is tried again.",
            conn_id=conn_id,
            scheme=scheme,
        ) from error
