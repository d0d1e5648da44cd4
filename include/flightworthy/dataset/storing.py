"""Where partitions come from and where they are kept; between the two go rows, batch by batch."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol, TypeVar

from flightworthy.dataset.version import DatasetVersion, PartitionVersion, Revision
from flightworthy.errors import PartitionRefused
from flightworthy.known import Ask, KnownSince
from flightworthy.partition import SourceFile
from flightworthy.quarantine import Quarantined

__all__ = ["DatasetStore", "PartitionSource", "Rows", "Staged"]

ReadT_co = TypeVar("ReadT_co", covariant=True)
KeptT_contra = TypeVar("KeptT_contra", contravariant=True)


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


class PartitionSource(Protocol[ReadT_co]):
    """Where a model's partitions land."""

    def files(self) -> Sequence[SourceFile]:
        """Every file of every partition, in time order."""

    def read(self, keys: Sequence[str]) -> Mapping[str, ReadT_co | PartitionRefused]:
        """Each key's content, or why it cannot be read without guessing; a content may also say so while it is read."""

    def unplaced(self) -> Sequence[PartitionRefused]:
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

    def is_there(self, partition: PartitionVersion) -> bool:
        """Whether a content can be read: it is neither in quarantine nor let go by retention."""

    def go_on(self, held: Quarantined, *, now: datetime) -> PartitionVersion:
        """What goes on without the rows of ``held``, made current; ends what a crash had left. Idempotent.

        Where it is not there any more it is made of what was delivered again, which must be there then.
        """

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
