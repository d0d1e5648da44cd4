"""What was refused and waits: whole partitions, and single rows while the rest of their partition goes on."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from flightworthy.dataset import PartitionVersion

__all__ = ["Discard", "Quarantined", "RefusedRows", "WaitingRow"]


@dataclass(frozen=True, slots=True, kw_only=True)
class RefusedRows:
    """Rows that are set aside while the rest of their partition goes on."""

    places: tuple[int, ...]
    """Where in the partition they stand, counted from 0; growing."""
    reasons: tuple[tuple[str, ...], ...]
    """Of each row, what it does not meet."""
    objections: tuple[str, ...]
    """What any of them do not meet, with how many."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Discard:
    """A person has given up what waits in quarantine."""

    actor: str
    reason: str
    at: datetime
    rows: tuple[int, ...] | None
    """Which rows, by their numbers; None: all of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WaitingRow:
    """A row that was set aside."""

    number: int
    """Where it stood when it was set aside, counted from 0; it keeps its number whatever becomes of the others."""
    place: int
    """Where in its partition it stands: another place than its number, where somebody was erased since."""
    reasons: tuple[str, ...]
    state: Literal["waits", "given up", "taken back"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Quarantined:
    """A partition version that was refused, or the rows of it that were, and why. It is in no dataset version."""

    model: str
    key: str
    digest: str
    """Of the content that was refused, or of which rows were."""
    source_digest: str
    """Of what the source delivered: another one where that content had gone on without some rows before."""
    reason: str
    objections: tuple[str, ...]
    quarantined_at: datetime
    uri: str
    rows: int | None
    """How many are apart, whether they wait or were given up; None if they could not be read."""
    given_up: int
    """How many of them a person has given up."""
    returned: tuple[int, ...]
    """The numbers of rows that were set aside with them and have been taken back in."""
    kept: PartitionVersion | None
    """What goes on without these rows; None where the whole partition waits."""
    known: int
    """How many revisions its key had had by then; one more is a try at mending it."""
    discarded: Discard | None
    """How a person gave it up; None as long as any of it waits."""

    @property
    def is_whole(self) -> bool:
        return self.kept is None

    @property
    def waiting(self) -> int:
        """How many rows nobody has decided about."""
        return (self.rows or 0) - self.given_up

    @property
    def told(self) -> str:
        """In a line: which partition, since when, why."""
        return (
            f"partition {self.key} of {self.model} waits in quarantine since "
            f"{self.quarantined_at:%Y-%m-%d %H:%M} UTC: {self.reason}"
        )
