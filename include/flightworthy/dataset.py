"""Dataset versions: immutable sets of partitions named by their digest, and the verb that takes new data in.

Nothing here knows how rows are stored. A `PartitionSource` reads partitions where they land, a `DatasetStore` keeps
them; between the two go `Rows`, batch by batch, so that no partition needs to fit into memory. Everything after ingest
speaks keys and digests.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar

from flightworthy.errors import PartitionMissing, PartitionRefused
from flightworthy.partition import SourceFile
from flightworthy.personal import text_of

__all__ = [
    "DatasetStore",
    "DatasetVersion",
    "Ingested",
    "PartitionSource",
    "PartitionVersion",
    "Quarantined",
    "Rows",
    "Split",
    "Staged",
    "ingest",
    "split_of",
    "version_of",
]

ContentT = TypeVar("ContentT")
ReadT_co = TypeVar("ReadT_co", covariant=True)
KeptT_contra = TypeVar("KeptT_contra", contravariant=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class PartitionVersion:
    """One content of one partition. The same rows always have the same ``digest``."""

    model: str
    key: str
    digest: str
    rows: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Quarantined:
    """A partition version that was refused, and why. It is in no dataset version while it waits at ``uri``."""

    model: str
    key: str
    digest: str
    reason: str
    objections: tuple[str, ...]
    quarantined_at: datetime
    uri: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DatasetVersion:
    """The partitions a run may learn from: the window that ends with the run's own key ``as_of``, in time order."""

    model: str
    as_of: str
    partitions: tuple[PartitionVersion, ...]

    @property
    def digest(self) -> str:
        """Depends on which partitions with which content, and on nothing else."""
        pairs = [[each.key, each.digest] for each in self.partitions]
        return hashlib.sha256(json.dumps(pairs, separators=(",", ":")).encode()).hexdigest()

    @property
    def rows(self) -> int:
        return sum(each.rows for each in self.partitions)

    @property
    def partition(self) -> PartitionVersion | None:
        """The run's own partition; None if it waits in quarantine."""
        return next((each for each in self.partitions if each.key == self.as_of), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ingested:
    """What an ingest left: the dataset version of the run, and what of it is new."""

    version: DatasetVersion
    written: tuple[PartitionVersion, ...]
    unchecked: tuple[PartitionVersion, ...]
    """Partitions of ``version`` that no suite has passed yet, also those of a run that died before its check."""
    stood: bool
    """The run's own partition was there already with the same content; nothing was written for it."""
    unplaced: tuple[str, ...]
    """Rows of the source that belong to no partition; each with its line, and why."""


class Rows(Protocol):
    """The typed rows of one partition, not in memory yet."""

    def attempts(self) -> Iterator[Iterator[Any]]:
        """Readings of all rows in batches (`pyarrow.RecordBatch`), each from the first row; the last one holds.

        There is a second where a late cell shows that a column is not of the type that the earlier ones had. Each is
        read to its end before the next is asked for. Raises `PartitionRefused` where rows cannot be read.
        """


@dataclass(frozen=True, slots=True, kw_only=True)
class Staged:
    """Rows that were read to the last and lie in a ``file`` of the store's, before it is decided to keep them."""

    file: Path
    file_sha256: str
    digest: str
    """Of the cells: the same rows always have the same, whatever file, format or batches they came in."""
    rows: int
    columns: Mapping[str, str]
    """Each column's type."""


class Split(StrEnum):
    """What a row is for. It follows from the entity alone, so no entity is ever on two sides."""

    TRAIN = "train"
    VALIDATION = "validation"
    HOLDOUT = "holdout"


def split_of(entity: object, *, holdout: float, validation: float) -> Split:
    """The side of an entity's rows, the same for ever and on every machine.

    The holdout grows from one end and the validation part from the other: raising a share only ever takes entities
    from the training part. An entity that is a whole number counts the same as ``7``, ``7.0`` and ``"7"``.
    """
    point = int.from_bytes(hashlib.sha256(_entity_text(entity).encode()).digest()[:8]) / 2**64
    if point < holdout:
        return Split.HOLDOUT
    return Split.VALIDATION if point >= 1 - validation else Split.TRAIN


def _entity_text(entity: object) -> str:
    if entity is None or (isinstance(entity, float) and math.isnan(entity)):
        raise ValueError("a row without an entity belongs to no side of the split; the entity column must be complete")
    return text_of(entity)


class PartitionSource(Protocol[ReadT_co]):
    """Where a model's partitions land."""

    def files(self) -> Sequence[SourceFile]:
        """Every file of every partition, in time order."""

    def read(self, keys: Sequence[str]) -> Mapping[str, ReadT_co | PartitionRefused]:
        """Each key's content, or why it cannot be read without guessing; a content may also say so while it is read."""

    def unplaced(self) -> Sequence[str]:
        """Rows of what was read so far that belong to no partition; each with its line, and why."""


class DatasetStore(Protocol[KeptT_contra]):
    """Where partition versions are kept, for ever and unchanged."""

    def current(self, model: str) -> Mapping[str, PartitionVersion]:
        """The newest revision of every partition that is not in quarantine, by key and in time order."""

    def quarantined(self, model: str) -> Sequence[Quarantined]:
        """What was refused, in time order."""

    def staged(self, model: str, content: KeptT_contra) -> AbstractContextManager[Staged]:
        """Read ``content`` to its end and lay it aside while the context lasts. Raises what it raises."""

    def write(
        self, model: str, key: str, content: Staged, *, sources: Sequence[str], now: datetime
    ) -> PartitionVersion:
        """Make ``content`` the current revision of ``key``. Idempotent; all of it becomes visible, or none."""

    def refuse(self, model: str, key: str, refusal: PartitionRefused, *, now: datetime) -> Quarantined:
        """Note that the source's partition could not be read. Idempotent."""

    def quarantine(
        self, partition: PartitionVersion, *, reason: str, objections: Sequence[str], now: datetime
    ) -> Quarantined:
        """Take ``partition`` out of every later dataset version. Idempotent; at no instant is it in both places."""

    def has_passed(self, partition: PartitionVersion) -> bool:
        """Whether a suite has passed this version."""

    def mark_passed(self, partition: PartitionVersion, *, suite: str, now: datetime) -> None:
        """Note that the suite with the digest ``suite`` passed it. Idempotent."""

    def record(self, version: DatasetVersion) -> None:
        """Keep what ``version`` is made of, so that its digest can be followed back. Idempotent."""


def version_of(model: str, as_of: str, partitions: Iterable[PartitionVersion], *, window: int) -> DatasetVersion:
    """The last ``window`` of ``partitions`` whose key is not later than ``as_of``: what was known by then."""
    known = sorted((each for each in partitions if each.key <= as_of), key=lambda each: each.key)
    return DatasetVersion(model=model, as_of=as_of, partitions=tuple(known[-window:]))


def ingest(
    source: PartitionSource[ContentT],
    store: DatasetStore[ContentT],
    *,
    model: str,
    key: str | None,
    window: int,
    now: datetime,
) -> Ingested:
    """Take in the partition ``key`` (None: the newest), and whatever of its window the store lacks and the source has.

    Raises `PartitionMissing` if neither source nor store has the key, `PartitionRefused` if it cannot be read or waits
    in quarantine with the same content. What was written before a crash is found again by the next run.
    """
    files = source.files()
    intake = _Intake(source=source, store=store, model=model, files=files, now=now)
    own = intake.own_key(key)
    written = intake.take_in(intake.wanted(own, window), own=own)
    version = version_of(model, own, store.current(model).values(), window=window)
    store.record(version)
    return Ingested(
        version=version,
        written=written,
        unchecked=tuple(each for each in version.partitions if not store.has_passed(each)),
        stood=own not in {each.key for each in written},
        unplaced=tuple(source.unplaced()),
    )


@dataclass(frozen=True, kw_only=True)
class _Intake(Generic[ContentT]):
    source: PartitionSource[ContentT]
    store: DatasetStore[ContentT]
    model: str
    files: Sequence[SourceFile]
    now: datetime

    def own_key(self, key: str | None) -> str:
        landed = {file.key for file in self.files}
        stored = self.store.current(self.model)
        known = landed or set(stored)
        if key is None and known:
            return max(known)
        if key is not None and (key in landed or key in stored):
            return key
        newest = f"its newest is {max(known)}" if known else "it holds no partition at all"
        raise PartitionMissing(
            f"{self.model} has no partition {key or '(any)'}: its source was read and {newest}. "
            "Land the data and run again; an interval without data needs no run.",
            model=self.model,
            key=key,
            newest=max(known, default=None),
        )

    def wanted(self, own: str, window: int) -> list[str]:
        """The run's own key last, before it those of the window that the store lacks.

        Among them those that were refused: a corrected file wakes no deployment, and would otherwise never come in.
        """
        landed = {file.key for file in self.files}
        stored = self.store.current(self.model)
        reach = sorted(key for key in landed | set(stored) if key <= own)[-window:]
        return [key for key in reach if key in landed and (key == own or key not in stored)]

    def take_in(self, keys: Sequence[str], *, own: str) -> tuple[PartitionVersion, ...]:
        contents = self.source.read(keys) if keys else {}
        written = []
        # The past first: should the run's own partition be refused, its history is there for the next run.
        for key in keys:
            outcome = self._take_in(key, contents[key])
            if isinstance(outcome, PartitionVersion):
                written.append(outcome)
            elif outcome is not None and key == own:
                raise outcome
        return tuple(written)

    def _take_in(self, key: str, content: ContentT | PartitionRefused) -> PartitionVersion | PartitionRefused | None:
        """The version written, the refusal, or None if this very content is current already."""
        try:
            if isinstance(content, PartitionRefused):
                raise content
            with self.store.staged(self.model, content) as staged:
                return self._keep(key, staged)
        except PartitionRefused as refusal:
            self.store.refuse(self.model, key, refusal, now=self.now)
            return refusal

    def _keep(self, key: str, staged: Staged) -> PartitionVersion | PartitionRefused | None:
        for held in self.store.quarantined(self.model):
            if (held.key, held.digest) == (key, staged.digest):
                return _still_refused(held)
        stands = self.store.current(self.model).get(key)
        if stands is not None and stands.digest == staged.digest:
            return None
        sources = [file.uri for file in self.files if file.key == key]
        return self.store.write(self.model, key, staged, sources=sources, now=self.now)


def _still_refused(held: Quarantined) -> PartitionRefused:
    return PartitionRefused(
        f"partition {held.key} of {held.model} waits in quarantine with this very content since "
        f"{held.quarantined_at:%Y-%m-%d %H:%M} UTC: {held.reason}. Land a corrected partition; or, if it was the "
        f"expectations that were wrong, correct them and remove {held.uri} to have it checked again.",
        model=held.model,
        key=held.key,
        digest=held.digest,
        objections=held.objections,
    )
