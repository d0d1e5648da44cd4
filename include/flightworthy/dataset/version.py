"""What there is to learn from: contents of partitions, their revisions, and dataset versions named by their digest."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from flightworthy.known import Cutoff

__all__ = [
    "Belated",
    "DatasetVersion",
    "PartitionVersion",
    "Revised",
    "Revision",
    "known_by",
    "newer_than",
    "revised",
    "version_of",
]


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
    ended_at: datetime | None = None
    """Since when it stands no more: what came in its place then, a person has given up."""


def known_by(contents: Sequence[Revision], as_of: datetime | None) -> Revision | None:
    """The newest of a partition's contents that was known; they come as they were seen, without those in quarantine.

    The first counts from the end of its data interval on, whenever it was seen: history is loaded late, and is no news.
    None also where a person has given up what had come in its place: nobody vouches for what that had corrected.
    """
    known = [each for place, each in enumerate(contents) if not place or as_of is None or each.seen_at <= as_of]
    if not known:
        return None
    ended_at = known[-1].ended_at
    return known[-1] if ended_at is None or (as_of is not None and as_of < ended_at) else None


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
        current = known_by(history[key], None)
        told = [Revised(content=each, kind=Belated.REVISION, is_current=each is current) for each in later]
        if earliest is not None and first.seen_at > earliest:
            told.insert(0, Revised(content=first, kind=Belated.LATE, is_current=first is current))
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
