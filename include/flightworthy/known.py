"""What was known when: what a run asks as of, and since when a row, or a partition's content, counts as known.

Where rows say themselves since when they are known, that is believed. Elsewhere the first content of a partition counts
as known at the end of its data interval, and each later one, a revision, as known since it was seen.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

__all__ = ["Ask", "Cutoff", "KnownSince", "Odd", "RowTimes"]


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownSince:
    """Where each row says since when it is known: ``columns`` joined by a blank, written as ``strptime`` reads it.

    Without ``written`` it is ISO 8601, or one column of instants. What names no zone is UTC, and a day its midnight.
    """

    columns: tuple[str, ...]
    written: str | None
    target: str | None = None
    """The column of the label: without one a row is not known, whatever it says. None: rows need no label."""

    @property
    def looked_at(self) -> tuple[str, ...]:
        """Every column that tells whether a row is known."""
        return self.columns if self.target is None else (*self.columns, self.target)

    def instant_of(self, text: str) -> datetime:
        """Read one such time. Raises ValueError."""
        read = datetime.fromisoformat(text) if self.written is None else datetime.strptime(text, self.written)  # noqa: DTZ007 - a format may or may not hold %z
        try:
            return read.replace(tzinfo=UTC) if read.tzinfo is None else read.astimezone(UTC)
        except OverflowError as error:
            raise ValueError(f"{text!r} is in no year of UTC that there is") from error


@dataclass(frozen=True, slots=True, kw_only=True)
class Cutoff:
    """Which rows of a dataset version are in it: those known before ``by``.

    The end of a data interval is the beginning of the next one, and what is known since then belongs to that.
    """

    known_since: KnownSince
    by: datetime
    unknown: Mapping[str, int]
    """How many rows are left out, by the digest of their partition. Rows become known in one order, so that this number
    says which."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RowTimes:
    """What the times of a partition's rows are held to."""

    known_since: KnownSince
    happened: KnownSince | None
    """Where each row says when it happened, in the same form."""
    begins: datetime
    """Of the partition's data interval: no row happened before, also one that does not say."""
    now: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Odd:
    """Rows that are not as they should be, by their places, and what the first of them says."""

    places: tuple[int, ...]
    example: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """What a run wants: the window of partitions that ends with ``key``, as it was known at ``as_of``."""

    model: str
    key: str | None
    """None: the newest there is."""
    window: int
    as_of: datetime | None
    """None: now, with all that was ever seen. Only an ask as of an instant gets the same answer for ever."""
    known_since: KnownSince | None
    """None: rows do not say."""

    @property
    def name(self) -> str:
        """What tells this ask from others of the same key."""
        since = self.known_since
        said = [
            self.as_of and self.as_of.astimezone(UTC).isoformat(),
            self.window,
            since and [list(since.columns), since.written],
        ]
        return hashlib.sha256(json.dumps(said).encode()).hexdigest()[:12]
