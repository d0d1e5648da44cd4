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
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar

from flightworthy.errors import PartitionMissing, PartitionRefused, Refused
from flightworthy.known import Ask, Cutoff, KnownSince
from flightworthy.partition import SourceFile, fingerprints
from flightworthy.personal import text_of
from flightworthy.quarantine import Discard, Quarantined

__all__ = [
    "Belated",
    "DatasetStore",
    "DatasetVersion",
    "Ingested",
    "PartitionSource",
    "PartitionVersion",
    "Revised",
    "Revision",
    "Rows",
    "Split",
    "Staged",
    "ingest",
    "known_by",
    "newer_than",
    "revised",
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
class Revision:
    """A content that a partition has had: which, when it was first seen, and in which files."""

    partition: PartitionVersion
    seen_at: datetime
    sources: tuple[str, ...]
    is_pruned: bool = False
    """Whether retention has let its rows go; that it was there is still known."""


def known_by(contents: Sequence[Revision], as_of: datetime | None) -> Revision | None:
    """The newest of a partition's contents that was known; they come as they were seen, without those in quarantine.

    The first counts from the end of its data interval on, whenever it was seen: history is loaded late, and is no news.
    """
    known = [each for place, each in enumerate(contents) if not place or as_of is None or each.seen_at <= as_of]
    return known[-1] if known else None


class Belated(StrEnum):
    """How something is no news that came after what is newer."""

    REVISION = "revision"
    """Another content of a partition that was there."""
    LATE = "late"
    """The first content of a partition, seen after that of a newer one; history that is loaded backwards is, too."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Revised:
    """A content that came late or corrected."""

    content: Revision
    kind: Belated
    is_current: bool


def revised(history: Mapping[str, Sequence[Revision]]) -> tuple[Revised, ...]:
    """All that came late or corrected, in the order of keys and then as it was seen."""
    found = []
    earliest: datetime | None = None
    for key in sorted(history, reverse=True):
        first, *later = history[key]
        told = [Revised(content=each, kind=Belated.REVISION, is_current=each is history[key][-1]) for each in later]
        if earliest is not None and first.seen_at > earliest:
            told.insert(0, Revised(content=first, kind=Belated.LATE, is_current=not later))
        earliest = first.seen_at if earliest is None else min(earliest, first.seen_at)
        found.append(told)
    return tuple(each for told in reversed(found) for each in told)


@dataclass(frozen=True, slots=True, kw_only=True)
class DatasetVersion:
    """The partitions a run may learn from: the window that ends with the run's own key ``as_of``, in time order."""

    model: str
    as_of: str
    partitions: tuple[PartitionVersion, ...]
    cutoff: Cutoff | None = None
    """Which of their rows are in it; None: all."""

    @property
    def digest(self) -> str:
        """Depends on which partitions with which content, which of their rows are left out, and on nothing else."""
        unknown = self.cutoff.unknown if self.cutoff else {}
        parts = [[each.key, each.digest, *filter(None, [unknown.get(each.digest)])] for each in self.partitions]
        return hashlib.sha256(json.dumps(parts, separators=(",", ":")).encode()).hexdigest()

    @property
    def rows(self) -> int:
        """How many there are to learn from."""
        unknown = self.cutoff.unknown if self.cutoff else {}
        return sum(each.rows - unknown.get(each.digest, 0) for each in self.partitions)

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
        """What was refused, rows and partitions, in time order; also what a person has given up."""

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

    def go_on(self, held: Quarantined, *, now: datetime) -> PartitionVersion:
        """What goes on without the rows of ``held``, made current; ends what a crash had left. Idempotent."""

    def history(self, model: str) -> Mapping[str, Sequence[Revision]]:
        """Every content of every partition that is not in quarantine, as they were seen; keys in time order."""

    def fingerprints(self, model: str) -> Mapping[str, str]:
        """By key, the fingerprint of the files that were last read for it."""

    def note_fingerprints(self, model: str, marks: Mapping[str, str]) -> None:
        """Remember what was read. Idempotent."""

    def unknown_rows(self, partition: PartitionVersion, known_since: KnownSince, *, by: datetime) -> int:
        """How many rows of a partition were not known before ``by``."""

    def answered(self, ask: Ask, key: str) -> DatasetVersion | None:
        """What this ask got before, unless some of it went into quarantine before anybody could learn from it."""

    def answer(self, ask: Ask, version: DatasetVersion) -> None:
        """Remember what this ask gets from now on. The first answer that was checked stands."""

    def has_passed(self, partition: PartitionVersion) -> bool:
        """Whether a suite has passed this version."""

    def mark_passed(self, partition: PartitionVersion, *, suite: str, now: datetime) -> None:
        """Note that the suite with the digest ``suite`` passed it. Idempotent."""

    def record(self, version: DatasetVersion) -> None:
        """Keep what ``version`` is made of, so that its digest can be followed back. Idempotent."""


def newer_than(version: DatasetVersion, current: Mapping[str, PartitionVersion]) -> tuple[str, ...]:
    """Keys of a version's window of which something came since: another content, or a partition that was not there."""
    if not version.partitions:
        return ()
    learnt = {each.key: each.digest for each in version.partitions}
    first, last = version.partitions[0].key, version.partitions[-1].key
    return tuple(
        key for key, each in sorted(current.items()) if first <= key <= last and each.digest != learnt.get(key)
    )


def version_of(model: str, as_of: str, partitions: Iterable[PartitionVersion], *, window: int) -> DatasetVersion:
    """The last ``window`` of ``partitions`` whose key is not later than ``as_of``: what was known by then."""
    known = sorted((each for each in partitions if each.key <= as_of), key=lambda each: each.key)
    return DatasetVersion(model=model, as_of=as_of, partitions=tuple(known[-window:]))


def ingest(source: PartitionSource[ContentT], store: DatasetStore[ContentT], ask: Ask, *, now: datetime) -> Ingested:
    """Take in the partition that is asked for, and whatever of its window the source has and the store has not yet.

    What comes late or corrected is taken in as a revision, whatever is asked. An ask as of an instant that was answered
    before gets the same answer, byte for byte.

    Raises `PartitionMissing` if neither source nor store has the key or nothing was known then, `PartitionRefused` if
    it cannot be read or waits in quarantine with the same content. What was written before a crash is found again.
    """
    intake = _Intake(source=source, store=store, ask=ask, files=source.files(), now=now)
    own = intake.own_key()
    wanted = intake.wanted(own)
    written, refusal = intake.take_in(wanted, own=own)
    version = intake.version(own)
    if refusal is not None and (ask.as_of is None or version.partition is None):
        raise refusal
    if not version.rows and version.partitions:
        raise _unknown(version, ask)
    store.record(version)
    if ask.as_of is not None:
        store.answer(ask, version)
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
    ask: Ask
    files: Sequence[SourceFile]
    now: datetime

    @property
    def model(self) -> str:
        return self.ask.model

    def own_key(self) -> str:
        key = self.ask.key
        landed = {file.key for file in self.files}
        stored = self.store.current(self.model)
        known = landed or set(stored)
        if key is None and (left := known - self._given_up(set(stored))):
            return max(left)
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

    def wanted(self, own: str) -> list[str]:
        """The run's own key last, before it those of the window that the store lacks or whose files were written again.

        Among them those that were refused: a corrected file wakes no deployment, and would otherwise never come in.
        """
        landed = fingerprints(self.files)
        stored, read = self.store.current(self.model), self.store.fingerprints(self.model)
        reach = sorted(key for key in landed.keys() | set(stored) if key <= own)[-self.ask.window :]
        return [
            key
            for key in reach
            if key in landed and (key == own or key not in stored or landed[key] != read.get(key, landed[key]))
        ]

    def _given_up(self, stored: set[str]) -> set[str]:
        """Keys that a person has given up, unless something landed since or something else stands for them."""
        given_up = {held.key: held for held in self.store.quarantined(self.model) if held.is_whole and held.discarded}
        landed_since = {
            file.key
            for file in self.files
            if file.key in given_up and file.modified_at > given_up[file.key].quarantined_at
        }
        return given_up.keys() - landed_since - stored

    def take_in(self, keys: Sequence[str], *, own: str) -> tuple[tuple[PartitionVersion, ...], Refused | None]:
        """What was written, and why the run's own partition was not, if it was refused."""
        contents = self.source.read(keys) if keys else {}
        outcomes = {key: self._take_in(key, contents[key]) for key in keys}
        # Last, so that what a crash kept from being written is read again.
        marks = fingerprints(self.files)
        self.store.note_fingerprints(self.model, {key: marks[key] for key in keys})
        refused = outcomes.get(own)
        written = tuple(each for each in outcomes.values() if isinstance(each, PartitionVersion))
        return written, refused if isinstance(refused, Refused) else None

    def _take_in(self, key: str, content: ContentT | PartitionRefused) -> PartitionVersion | Refused | None:
        """The version written, the refusal, or None if this very content is current already."""
        try:
            if isinstance(content, PartitionRefused):
                raise content
            with self.store.staged(self.model, content) as staged:
                return self._keep(key, staged)
        except PartitionRefused as refusal:
            held = self.store.refuse(self.model, key, refusal, now=self.now)
            return _given_up(held, held.discarded) if held.discarded else refusal

    def _keep(self, key: str, staged: Staged) -> PartitionVersion | Refused | None:
        stands = self.store.current(self.model).get(key)
        if (held := self._held(key, staged.digest)) is not None:
            if held.is_whole:
                return _still_refused(held)
            kept = self.store.go_on(held, now=self.now)
            return None if kept == stands else kept
        if stands is not None and stands.digest == staged.digest:
            return None
        sources = [file.uri for file in self.files if file.key == key]
        return self.store.write(self.model, key, staged, sources=sources, now=self.now)

    def _held(self, key: str, digest: str) -> Quarantined | None:
        """What waits of this content; the whole of it before some rows."""
        waiting = [
            held
            for held in self.store.quarantined(self.model)
            if held.key == key and digest in (held.digest, held.source_digest)
        ]
        return min(waiting, key=lambda held: not held.is_whole, default=None)

    def version(self, own: str) -> DatasetVersion:
        """What is asked for: as it was answered before, or else of what was known."""
        answered = self.store.answered(self.ask, own) if self.ask.as_of is not None else None
        if answered is not None:
            return answered
        history = self.store.history(self.model)
        # Rows that say since when they are known are believed; of others only the whole content was seen at a time.
        as_of = self.ask.as_of if self.ask.known_since is None else None
        found = [known_by(contents, as_of) for key, contents in history.items() if key <= own]
        known = {each.partition: each for each in found if each is not None}
        whole = version_of(self.model, own, known, window=self.ask.window)
        if gone := [each for each in whole.partitions if known[each].is_pruned]:
            raise _let_go(gone)
        return self._cut(whole, self.ask.known_since)

    def _cut(self, version: DatasetVersion, known_since: KnownSince | None) -> DatasetVersion:
        if known_since is None:
            return version
        by = self.ask.as_of or self.now
        counts = {each.digest: self.store.unknown_rows(each, known_since, by=by) for each in version.partitions}
        unknown = {digest: count for digest, count in counts.items() if count}
        return replace(version, cutoff=Cutoff(known_since=known_since, by=by, unknown=unknown) if unknown else None)


def _let_go(gone: Sequence[PartitionVersion]) -> PartitionRefused:
    keys = ", ".join(each.key for each in gone)
    return PartitionRefused(
        f"{gone[0].model} has no rows any more of partition {keys} as they were known then: retention.data let them "
        "go, and the source has other ones or none. Land them again as they were, or ask for a later interval.",
        model=gone[0].model,
        keys=[each.key for each in gone],
    )


def _unknown(version: DatasetVersion, ask: Ask) -> PartitionMissing:
    at = "now" if ask.as_of is None else f"at {ask.as_of:%Y-%m-%d %H:%M} UTC"
    return PartitionMissing(
        f"No row of the {len(version.partitions)} partitions of {version.model} up to {version.as_of} was known {at}: "
        "source.known_since says that all of them became known later. Run once they are, or for a later interval.",
        model=version.model,
        key=version.as_of,
        as_of=ask.as_of,
    )


def _still_refused(held: Quarantined) -> Refused:
    if held.discarded is not None:
        return _given_up(held, held.discarded)
    return PartitionRefused(
        f"partition {held.key} of {held.model} waits in quarantine with this very content since "
        f"{held.quarantined_at:%Y-%m-%d %H:%M} UTC: {held.reason}. Land a corrected partition; or take it back in with "
        f"`flightworthy quarantine release {held.model} {held.key}`, or give it up with `discard`. If it was the "
        f"expectations that were wrong, correct them and remove {held.uri} to have it checked again.",
        model=held.model,
        key=held.key,
        digest=held.digest,
        objections=held.objections,
    )


def _given_up(held: Quarantined, discard: Discard) -> PartitionMissing:
    return PartitionMissing(
        f"partition {held.key} of {held.model} was given up by {discard.actor} at {discard.at:%Y-%m-%d %H:%M} UTC: "
        f"{discard.reason}. There is nothing to learn for its interval; land another content, or take this one back in "
        f"with `flightworthy quarantine release {held.model} {held.key}`.",
        model=held.model,
        key=held.key,
        newest=None,
    )
