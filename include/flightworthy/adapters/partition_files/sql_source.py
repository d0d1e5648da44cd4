"""Partitions that are rows of a table, or of a query, in any database that SQLAlchemy reaches.

Rows come by a cursor of the server's, some thousands at a time, and each partition from one snapshot: whatever is
written meanwhile, it is read as if nothing were. They are ordered by all their columns, so that the same rows are the
same partition.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time
from functools import partial
from typing import Any, Final

import pyarrow as pa
import sqlalchemy as sa
from sqlalchemy import exc

from flightworthy.adapters.partition_files import sql_types
from flightworthy.adapters.partition_files.cells import Cells, refused
from flightworthy.adapters.partition_files.columns import Protect, TypedRows
from flightworthy.adapters.partition_files.progress import Tell, told
from flightworthy.errors import PartitionRefused, Unavailable
from flightworthy.partition import SourceFile, end_of, key_of, start_of, unit_of
from flightworthy.spec import Source, Spec

__all__ = ["PartitionTable"]

BATCH: Final = 8192
"""Rows that are in memory as Python values at a time."""
_EPOCH: Final = datetime.fromtimestamp(0, tz=UTC)
_CUT: Final = {"minute": "%Y-%m-%dT%H:%M", "hour": "%Y-%m-%dT%H:00", "day": "%Y-%m-%d"}
_SNAPSHOT: Final = {
    **dict.fromkeys(("postgresql", "mysql", "mariadb", "mssql"), "REPEATABLE READ"),
    "oracle": "SERIALIZABLE",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Table:
    """Where a row is from, for a refusal to name."""

    uri: str

    @property
    def line_of(self) -> None:
        return None


@dataclass(slots=True, kw_only=True)
class PartitionTable:
    """A `flightworthy.dataset.PartitionSource` of `flightworthy.dataset.Rows`, over an SQLAlchemy engine."""

    source: Source
    types: Mapping[str, str]
    engine: sa.Engine
    protect: Protect | None = None
    progress: Tell | None = None
    _counts: Counter[str] = field(default_factory=Counter)
    """Of each partition's rows, when they were last listed."""
    _unplaced: list[PartitionRefused] = field(default_factory=list)

    @classmethod
    def of(cls, spec: Spec, engine: sa.Engine, *, progress: Tell | None = None) -> PartitionTable:
        """The source of a model."""
        return cls(source=spec.source, types=spec.column_types, engine=engine, progress=progress)

    @property
    def name(self) -> str:
        """What a message calls it."""
        return f"{self.source.conn_id}:{self.source.table or 'query'}"

    def files(self) -> tuple[SourceFile, ...]:
        """Each partition as one file: how many rows it has, and since when the newest of them is known.

        A row that is changed and says no later time is not seen to have been.
        """
        counts: Counter[str] = Counter()
        times: dict[str, datetime] = {}
        self._unplaced, self._counts = [], counts
        with self._snapshot() as connection:
            for at, count, known in connection.execute(self._listing()):
                if at is None:
                    self._unplaced = [PartitionRefused(f"{self.name}: {count:,} rows without {self._event}")]
                    continue
                key = key_of(self._happened(at), self.source.partition)
                counts[key] += count
                # What is no time counts for nothing here, and its row is refused when it is checked.
                times[key] = max(times.get(key, _EPOCH), _instant(known) or _EPOCH)
        return tuple(
            SourceFile(key=key, uri=self.name, size=counts[key], modified_at=times[key]) for key in sorted(counts)
        )

    def read(self, keys: Sequence[str]) -> dict[str, SqlRows]:
        """The rows of each key; what is wrong with them is found while they are read."""
        return {key: SqlRows(table=self, key=key) for key in keys}

    def unplaced(self) -> tuple[PartitionRefused, ...]:
        """How many rows have no event time; they are in no partition."""
        return tuple(self._unplaced)

    def attempts(self, key: str) -> Iterator[Iterator[pa.RecordBatch]]:
        """See `flightworthy.dataset.Rows`; all of them of one snapshot."""
        with self._snapshot() as connection:
            shape = self._shape(connection, key)
            cells = partial(self._cells, connection, key, shape)
            yield from TypedRows(read=cells, types=self.types, protect=self.protect).attempts()

    # -- reading -------------------------------------------------------------------------------------------------------

    @contextmanager
    def _snapshot(self) -> Iterator[sa.Connection]:
        name = self.engine.dialect.name
        try:
            with self.engine.connect() as connection:
                if (level := _SNAPSHOT.get(name)) is not None:
                    connection.execution_options(isolation_level=level)
                if name == "postgresql":
                    connection.execution_options(postgresql_readonly=True)
                    connection.exec_driver_sql("SET LOCAL TIME ZONE 'UTC'")
                elif name == "sqlite":
                    # Its driver begins no transaction for what only reads.
                    connection.exec_driver_sql("BEGIN")
                yield connection
        except (exc.OperationalError, exc.InterfaceError) as error:
            if name == "sqlite" and "no such" in str(error.orig):
                raise self._refused(error) from None
            raise Unavailable(
                f"{self.name} could not be read: {_first_line(error)}. It is tried again.", conn_id=self.source.conn_id
            ) from None
        except exc.DBAPIError as error:
            raise self._refused(error) from None

    def _refused(self, error: exc.DBAPIError) -> PartitionRefused:
        what = f"could not be read: {_first_line(error)}"
        return refused(self.name, what, "Look at source in model.yaml, and at what the connection's user may read.")

    def _shape(self, connection: sa.Connection, key: str) -> dict[str, pa.DataType]:
        """Each column with its type. Where the server does not tell it, all values of the partition are looked at."""
        description = _described(connection.execute(self._all().where(sa.false())))
        names = [column[0] for column in description]
        if doubled := [name for name, count in Counter(names).items() if count > 1]:
            raise refused(
                self.name, f"has two columns {doubled[0]!r}", "Nobody can tell which is meant; name each once."
            )
        told = {column[0]: sql_types.told(self.engine.dialect.name, column) for column in description}
        untold = {
            name: sql_types.Seen(is_boolean=self.types.get(name) == "boolean")
            for name, kind in told.items()
            if kind is None
        }
        for rows in self._batches(connection, key, names) if untold else ():
            for name, values in zip(names, zip(*rows, strict=True), strict=True):
                if name in untold:
                    self._look(untold[name], name, values)
        return {name: kind if kind is not None else untold[name].type for name, kind in told.items()}

    def _look(self, seen: sql_types.Seen, name: str, values: Sequence[Any]) -> None:
        try:
            seen.add(values)
        except TypeError as error:
            raise self._untyped(name, error) from None

    def _untyped(self, name: str, error: Exception) -> PartitionRefused:
        next_step = (
            "A partition has flat columns of numbers, text, booleans and times; leave it out, or cast it in a query."
        )
        return refused(self.name, f"holds {error} in column {name!r}", next_step, column=name)

    def _cells(self, connection: sa.Connection, key: str, shape: Mapping[str, pa.DataType]) -> Iterator[Cells]:
        place, first = _Table(uri=self.name), 0
        for rows in self._batches(connection, key, list(shape)):
            arrays = []
            for (name, kind), values in zip(shape.items(), zip(*rows, strict=True), strict=True):
                try:
                    arrays.append(sql_types.array_of(values, kind))
                except TypeError as error:
                    raise self._untyped(name, error) from None
            yield Cells(batch=pa.RecordBatch.from_arrays(arrays, names=list(shape)), place=place, first=first)
            first += len(rows)
        if not first:
            raise PartitionRefused(f"{self.name} holds no row of partition {key} any more; nothing is read.", key=key)

    def _batches(self, connection: sa.Connection, key: str, names: Sequence[str]) -> Iterator[Sequence[Any]]:
        order = sa.text(", ".join(str(place + 1) for place in range(len(names))))
        streamed = connection.execution_options(stream_results=True, max_row_buffer=BATCH)
        with streamed.execute(self._all().where(*self._within(key)).order_by(order)) as result:
            batches, uri = result.partitions(BATCH), f"{self.name} {key}"
            yield from told(batches, self.progress, uri=uri, count=len, share=partial(self._share, key))

    def _share(self, key: str, rows: int) -> float:
        return min(rows / (self._counts[key] or rows or 1), 1.0)

    # -- statements ----------------------------------------------------------------------------------------------------

    @property
    def _event(self) -> str:
        assert self.source.event_time is not None  # noqa: S101 - the spec says so
        return self.source.event_time.columns[0]

    def _from(self) -> Any:
        if self.source.query is not None:
            # A colon is part of what the author wrote, and no parameter of ours.
            written = self.source.query.strip().rstrip(";").replace(":", r"\:")
            return sa.text(f"({written}) AS partition_rows")
        schema, _, name = (self.source.table or "").rpartition(".")
        return sa.table(name, schema=schema or None)

    def _all(self) -> sa.Select[Any]:
        return sa.select(sa.literal_column("*")).select_from(self._from())

    def _listing(self) -> sa.Select[Any]:
        since = self.source.known_since
        newest = sa.func.max(sa.column(since.columns[0])) if since and len(since.columns) == 1 else sa.null()
        cut = self._cut()
        return sa.select(cut, sa.func.count(), newest).select_from(self._from()).group_by(cut)

    def _cut(self) -> sa.ColumnElement[Any]:
        """The event time, so coarse that few are told apart and so fine that the key can be known by it."""
        event: sa.ColumnElement[Any] = sa.column(self._event)
        unit = unit_of(self.source.partition)
        if self.engine.dialect.name == "postgresql":
            return sa.func.date_trunc(sa.literal_column(f"'{unit}'"), event)
        if self.engine.dialect.name == "sqlite":
            return sa.func.strftime(sa.literal_column(f"'{_CUT[unit]}'".replace(":", r"\:")), event)
        return event

    def _within(self, key: str) -> tuple[sa.ColumnElement[bool], ...]:
        event: sa.ColumnElement[Any] = sa.column(self._event)
        begins, ends = start_of(key, self.source.partition), end_of(key, self.source.partition)
        if self.engine.dialect.name == "sqlite":
            # Its times are text, in one of several forms; this brings them to one.
            event = sa.func.datetime(event)
            return event >= f"{begins:%Y-%m-%d %H:%M:%S}", event < f"{ends:%Y-%m-%d %H:%M:%S}"
        # Without a zone, in a session whose zone is UTC: then it compares with instants and with what names none.
        return event >= begins.replace(tzinfo=None), event < ends.replace(tzinfo=None)

    def _happened(self, told: Any) -> datetime:
        at = _instant(told)
        if at is None:
            # Not what it holds: watchers list tables too, and nobody treats for them what names a person.
            what = f"has a {type(told).__name__} that is no time in column {self._event!r}"
            next_step = "Name a column of dates or instants, or cast it in a query."
            raise refused(self.name, what, next_step, column=self._event)
        return at


@dataclass(frozen=True, slots=True, kw_only=True)
class SqlRows:
    """`flightworthy.dataset.Rows` of one partition."""

    table: PartitionTable
    key: str

    def attempts(self) -> Iterator[Iterator[pa.RecordBatch]]:
        """See `flightworthy.dataset.Rows`."""
        return self.table.attempts(self.key)


def _instant(told: Any) -> datetime | None:
    """What a database calls a time; None where it is none."""
    try:
        at = datetime.fromisoformat(told) if isinstance(told, str) else told
    except ValueError:
        return None
    if isinstance(at, datetime):
        return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
    return datetime.combine(at, time.min, tzinfo=UTC) if isinstance(at, date) else None


def _described(result: sa.CursorResult[Any]) -> Sequence[Any]:
    """What the driver says of the columns."""
    with result:
        return list(result.cursor.description or ())


def _first_line(error: exc.DBAPIError) -> str:
    return str(error.orig).strip().splitlines()[0].rstrip(".")
