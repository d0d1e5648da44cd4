"""The sections of model.yaml that say which data a model learns from: features, source, schedule, dataset."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, model_validator

from flightworthy.errors import SpecError
from flightworthy.partition import PLACEHOLDER, check_pattern, folder_of
from flightworthy.spec.quantities import ColumnNames, Cron, Instant, Share, Size, sequence_of
from flightworthy.spec.section import Section, problem, problems

__all__ = ["Complete", "Dataset", "EventTime", "Feature", "KnownSince", "Schedule", "Source"]

_BRACES = re.compile(r"\{[^{}]*\}|[{}]")
_SQL = "sql"
_FILE_NAME = re.compile(r"(?!\.\.)[A-Za-z0-9_.=-]+")
_FORMAT = re.compile(r"\.(csv|jsonl|ndjson|parquet)(\.(gz|bz2|xz|zst|zip))?$|\.zip$")
_PATH_SAFE = re.compile(r"(?!\.)(?:%[A-Za-z]|[A-Za-z0-9_.=-])+")


class Feature(Section):
    """One column that the model sees; ``age: integer`` is short for ``age: {type: integer}``."""

    type: Literal["number", "integer", "category", "boolean"]
    """How the column is read, checked and sent in a request."""
    nullable: bool = False
    """Whether it may be missing."""
    minimum: float | None = None
    """Lowest allowed value of a number or integer."""
    maximum: float | None = None
    """Highest allowed value of a number or integer."""
    values: Annotated[ColumnNames, Field(min_length=1)] | None = None
    """The allowed categories, as text."""

    @model_validator(mode="before")
    @classmethod
    def _spell_out(cls, written: Any) -> Any:
        return {"type": written} if isinstance(written, str) else written

    @model_validator(mode="after")
    def _bound_what_has_bounds(self) -> Feature:
        bounded = self.minimum is not None or self.maximum is not None
        if bounded and self.type not in {"number", "integer"}:
            raise problem(f"minimum and maximum are for a number or integer, not for a {self.type}")
        if self.values is not None and self.type != "category":
            raise problem(f"values are for a category, not for a {self.type}")
        if self.minimum is not None and self.maximum is not None and self.minimum > self.maximum:
            raise problem(f"minimum ({self.minimum:g}) must not be greater than maximum ({self.maximum:g})")
        return self


class EventTime(Section):
    """Where each row of one big file says when it happened; rows are picked by their partition key."""

    columns: Annotated[ColumnNames, Field(min_length=1)]
    """Columns whose values, joined by a blank, are the time."""
    format: str | None = None
    """How that time is written, as ``strptime`` reads it; in a file it has to be said."""


class KnownSince(Section):
    """Where each row says since when it is known: a label that matures later, a line that was booked later."""

    columns: Annotated[ColumnNames, Field(min_length=1)]
    """Columns whose values, joined by a blank, are the time; an empty one says that the row is not known yet."""
    format: str | None = None
    """How that time is written, as ``strptime`` reads it; none: ISO 8601, or one column of instants."""


class Complete(Section):
    """How it is known that all of a partition is there; ``settled`` is short for no other evidence than quiet."""

    marker: str | None = None
    """A file that is written when all others are, such as ``_SUCCESS`` or ``{partition}.done``."""
    manifest: str | None = None
    """A JSON file that lists the others with their sizes, and may list their SHA-256."""

    @model_validator(mode="before")
    @classmethod
    def _spell_out(cls, written: Any) -> Any:
        if not isinstance(written, str):
            return written
        if written != "settled":
            raise problem("must be settled, or say marker or manifest")
        return {}

    @model_validator(mode="after")
    def _name_one_file(self) -> Complete:
        if self.marker is not None and self.manifest is not None:
            raise problem("has both marker and manifest; keep one of the two")
        if self.named is not None and not _FILE_NAME.fullmatch(self.named.replace(PLACEHOLDER, "p")):
            raise problem(
                f"{self.named!r} is no file name: it lies in the folder of the partition's files and may hold "
                f"letters, digits, {PLACEHOLDER} and . _ = -"
            )
        return self

    def __str__(self) -> str:
        return self.named or "settled"

    @property
    def named(self) -> str | None:
        """The file that says so; None where it is told by looking twice."""
        return self.marker or self.manifest


class Source(Section):
    """Where partitions come from."""

    uri: str
    """An fsspec URL or path of a .csv, .jsonl or .parquet file; ``{partition}`` stands for the partition key."""
    partition: str
    """The partition key of a data interval: its start, as ``strftime`` writes it."""
    conn_id: Annotated[str, Field(min_length=1)] | None = None
    """The Airflow connection of its file system or database; None: the file system that URL and environment name."""
    table: Annotated[str, Field(min_length=1)] | None = None
    """Where ``uri`` is ``sql``: the table, with its schema before a dot."""
    query: Annotated[str, Field(min_length=1)] | None = None
    """Where ``uri`` is ``sql``: a SELECT instead of a table."""
    member: Annotated[str, Field(min_length=1)] | None = None
    """Which file of a .zip that holds several; ``*`` stands for any part of a name."""
    missing: Annotated[tuple[Annotated[str, Field(min_length=1)], ...], BeforeValidator(sequence_of)] = ()
    """Texts that stand for a missing value, beside the empty cell."""
    largest: Size = Field(default="64GiB", validate_default=True)
    """The most bytes that one file may have, packed or unpacked; nothing larger is read."""
    event_time: EventTime | None = None
    """Present where one file holds all partitions; then ``uri`` has no ``{partition}``."""
    complete: Complete = Complete()
    """How it is known that a partition is whole: ``settled``, or a ``marker`` or ``manifest`` beside its files."""
    known_since: KnownSince | None = None
    """Present where rows become known after their partition, or one by one; a run learns from none before."""
    watched: bool = True
    """Whether new partitions wake a deployment; if not, it is read on time, on drift and by hand."""

    @property
    def is_sql(self) -> bool:
        """Whether partitions are rows of a database."""
        return self.uri == _SQL

    @property
    def is_one_file(self) -> bool:
        """Whether all partitions are in one file, each of the rows whose event time is in its interval."""
        return self.event_time is not None and not self.is_sql

    @model_validator(mode="after")
    def _name_the_partition(self) -> Source:
        found: list[tuple[tuple[str | int, ...], str]] = list(_about_sql(self) if self.is_sql else _about_file(self))
        if sentence := _about_pattern(self.partition):
            found.append((("partition",), sentence))
        if found:
            raise problems(found)
        return self


def _about_sql(source: Source) -> Iterator[tuple[tuple[str | int, ...], str]]:
    if source.conn_id is None:
        yield ("conn_id",), "must name the Airflow connection of the database"
    if (source.table is None) == (source.query is None):
        yield ("table",), "or query must say which rows, and not both"
    if source.event_time is None or len(source.event_time.columns) != 1 or source.event_time.format is not None:
        yield ("event_time",), "must name one column, of dates or instants; written as text it must be ISO 8601"
    if source.complete.named is not None:
        yield ("complete",), "must be settled, since a table has no files"
    if source.member is not None:
        yield ("member",), "is for a uri that ends in .zip"
    if "largest" in source.model_fields_set:
        yield ("largest",), "is for files; rows of a database are read some thousands at a time"
    if source.missing:
        yield ("missing",), "is for files; in a database NULL is missing, or write CASE in a query"


def _about_file(source: Source) -> Iterator[tuple[tuple[str | int, ...], str]]:
    picked = source.event_time is not None
    for sentence in _about_uri(source.uri, picked=picked):
        yield ("uri",), sentence
    if source.member is not None and not source.uri.endswith(".zip"):
        yield ("member",), "is for a uri that ends in .zip"
    if why := _about_complete(source.uri, source.complete, picked=picked):
        yield ("complete",), why
    if source.event_time is not None and source.event_time.format is None:
        yield ("event_time",), "format must say how the time is written, like %Y-%m-%d"
    for name in ("table", "query"):
        if getattr(source, name) is not None:
            yield (name,), f"is for a database; then uri is {_SQL}"


def _about_uri(uri: str, *, picked: bool) -> Iterator[str]:
    if picked and PLACEHOLDER in uri:
        yield f"must not contain {PLACEHOLDER}, since event_time picks the rows of a partition out of one file"
    if not picked and PLACEHOLDER not in uri:
        yield f"must contain {PLACEHOLDER}, or event_time must say which rows belong to which partition"
    if other := _BRACES.findall(uri.replace(PLACEHOLDER, "")):
        yield f"{', '.join(other)} means nothing here; only {PLACEHOLDER} is replaced"
    if not _FORMAT.search(uri):
        yield (
            "must end in .csv, .jsonl, .ndjson or .parquet, which may be packed as .gz, .bz2, .xz, .zst or .zip; "
            "or in .zip alone. For a database it is sql"
        )


def _about_complete(uri: str, complete: Complete, *, picked: bool) -> str | None:
    if complete.named is None:
        return None
    if picked:
        if PLACEHOLDER in complete.named:
            return f"{complete.named!r} must not contain {PLACEHOLDER}, since one file holds all partitions"
        return None
    if PLACEHOLDER not in folder_of(uri) and PLACEHOLDER not in complete.named:
        return f"{complete.named!r} must contain {PLACEHOLDER}: the files of all partitions lie in one folder"
    return None


@functools.cache
def _about_pattern(pattern: str) -> str | None:
    """Judge a pattern once per process: hundreds of models share the same few."""
    if not _PATH_SAFE.fullmatch(pattern):
        return "may hold directives like %Y, letters, digits and - _ . = only: keys name folders"
    try:
        check_pattern(pattern)
    except SpecError as error:
        return error.message.partition(": ")[2]
    return None


class Schedule(Section):
    """When a deployment runs by time."""

    cron: Cron
    """Five fields: minute, hour, day, month, weekday (UTC)."""
    start_at: Instant
    """Start of the first data interval."""
    new_data: Literal["latest", "each"] = "latest"
    """What becomes of partitions that arrive together: one deployment of the ``latest``, or one of ``each``."""


class Dataset(Section):
    """Which partitions make a dataset version, and how its rows are split."""

    window: Annotated[int, Field(ge=1)] = 52
    """How many of the newest partitions are used."""
    revisions: Literal["ignore", "retrain"] = "ignore"
    """Whether what comes late or revised within the window wakes a deployment."""
    validation: Annotated[Share, Field(gt=0, lt=1)] = 0.2
    """Share of entities on which trials are compared."""
    holdout: Annotated[Share, Field(gt=0, lt=1)] = 0.2
    """Share of entities kept from training for ever; gates are decided on it."""

    @model_validator(mode="after")
    def _leave_rows_to_train_on(self) -> Dataset:
        if self.validation + self.holdout >= 1:
            raise problem("validation and holdout together must be below 100%: nothing would be left to train on")
        return self
