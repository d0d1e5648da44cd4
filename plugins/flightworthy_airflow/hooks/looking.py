"""The looks into one source: which partitions it holds, and which of them are whole by now."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from flightworthy.errors import PartitionRefused
from flightworthy.partition import Arrivals, SourceFile, arrivals, key_of
from flightworthy_airflow.hooks.sources import listing, missing_of, partitions_of

if TYPE_CHECKING:
    from datetime import datetime

    from flightworthy.spec import Source

__all__ = ["Looks"]

log = logging.getLogger(__name__)


@dataclass(slots=True, kw_only=True)
class Looks:
    """What is kept in mind of a source between two looks; all of it can be found again.

    ``called`` is what the log calls it. All of it blocks; look from a thread, no two at once.
    """

    source: Source
    called: str
    _before: tuple[SourceFile, ...] = ()
    _counted: dict[str, str] = field(default_factory=dict)
    _why_not: dict[str, str] = field(default_factory=dict)
    _read: tuple[SourceFile, ...] = ()
    """The one file of all partitions, as it was when it was read; and then what it held."""
    _held: tuple[SourceFile, ...] = ()

    def look(self, known: Mapping[str, str], *, now: datetime, only: str | None = None) -> Arrivals:
        """What has arrived beside what is ``known``; of the partition ``only`` where one is named.

        Raises `Unavailable` where the source does not answer, or lets nobody in.
        """
        files = listing(self.source)
        if self.source.is_one_file:
            held = self._of(only, self._partitions(files))
            return arrivals(held, before=held, known=known)
        before, self._before = self._before, self._of(only, files)
        # A table has rows of today as soon as the day has begun; a file has landed.
        ended = self._ended(self._before, now) if self.source.is_sql else self._before
        return arrivals(
            ended, before=before, known=known, is_whole=None if self.source.complete.named is None else self._is_whole
        )

    def _partitions(self, files: tuple[SourceFile, ...]) -> tuple[SourceFile, ...]:
        """Those in the one file, which is read once it has settled with other bytes than it was last read with."""
        before, self._before = self._before, files
        if files and files != self._read and self._has_landed(files, before):
            self._held = self._in_one(files[0])
            self._read = files
        return self._held

    def _has_landed(self, files: tuple[SourceFile, ...], before: tuple[SourceFile, ...]) -> bool:
        return files == before if self.source.complete.named is None else self._is_whole("", files)

    def _in_one(self, file: SourceFile) -> tuple[SourceFile, ...]:
        """What one file holds, but for intervals that went on when it was written: of those it is a part.

        Where it cannot be read it holds nothing, until it is written again.
        """
        try:
            held = partitions_of(self.source, file)
        except PartitionRefused as refused:
            log.warning("source_not_read model=%s reason=%s", self.called, refused)
            return ()
        ended = self._ended(held, file.modified_at)
        for part in held[len(ended) :]:
            log.info("not_whole model=%s partition=%s reason=its interval had not ended yet", self.called, part.key)
        log.info("read model=%s uri=%s partitions=%d", self.called, file.uri, len(held))
        return ended

    def _ended(self, files: tuple[SourceFile, ...], at: datetime) -> tuple[SourceFile, ...]:
        current = key_of(at, self.source.partition)
        return tuple(file for file in files if file.key < current)

    @staticmethod
    def _of(only: str | None, files: tuple[SourceFile, ...]) -> tuple[SourceFile, ...]:
        return files if only is None else tuple(file for file in files if file.key == only)

    def _is_whole(self, key: str, files: Sequence[SourceFile]) -> bool:
        why = missing_of(self.source, key, files, counted=self._counted)
        if why is not None and self._why_not.get(key) != why:
            log.info("not_whole model=%s partition=%s reason=%s", self.called, key or "of all", why)
        self._why_not.pop(key, None)
        if why is not None:
            self._why_not[key] = why
        return why is None
