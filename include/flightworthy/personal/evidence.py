"""When a column counts as a person's: enough of its cells, told by number and share, never by a value.

A likely kind is believed from `LEAST` different values and its share on. The share is looked at after 8, 16, 32 … rows
and then after every 1,024th, counted from the partition's first row: so the answer is the same however the rows were
cut into batches, and a partition that is refused is refused early.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final

from flightworthy.errors import PartitionRefused
from flightworthy.personal.kinds import Kind

__all__ = ["LEAST", "Finding", "Tally", "refusal_of"]

LEAST: Final = 5
_EVERY: Final = 1_024
_EARLY: Final = (8, 16, 32, 64, 128, 256, 512)


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """A column that looks like a person's; ``cells`` of ``seen`` cells do, and ``by`` says whence it is known."""

    column: str
    kind: str
    by: str
    cells: int
    seen: int

    @property
    def told(self) -> str:
        """In one line, without a value."""
        if self.by == "name":
            return f"{self.column}: by its name it holds {self.kind}"
        share = self.cells / self.seen
        part = f"{share:.0%}" if share >= 0.01 else "less than 1 %"
        return f"{self.column}: {part} of {self.seen:,} cells look like {self.kind}"


@dataclass(slots=True, kw_only=True)
class Tally:
    """What was seen of one kind in one column so far, row by row."""

    kind: Kind
    believed: tuple[int, int] | None = None
    """Cells of this kind, and all, when it was first enough; None while it is not."""
    _rows: int = 0
    _cells: int = 0
    _hits: int = 0
    _different: set[str] = field(default_factory=set, repr=False)
    _is_varied_at: int | None = None

    def add(self, present: bytes, hit: bytes, values: Iterable[tuple[int, str]]) -> None:
        """Count the next rows: a 1 for each that has a value, and for each whose value is of this kind.

        ``values``: those of this kind in order, each with its place among the rows.
        """
        self._note(values)
        start = 0
        for stop in (*self._looks(len(hit)), len(hit)):
            self._cells += present.count(1, start, stop)
            self._hits += hit.count(1, start, stop)
            self._rows += stop - start
            if stop > start and self.believed is None and _is_look(self._rows) and self._is_enough():
                self.believed = (self._hits, self._cells)
            start = stop

    def _note(self, values: Iterable[tuple[int, str]]) -> None:
        for place, value in values:
            if self._is_varied_at is not None:
                return
            self._different.add(value)
            if len(self._different) == LEAST:
                self._is_varied_at = self._rows + place + 1
                self._different.clear()

    def _is_enough(self) -> bool:
        is_varied = self._is_varied_at is not None and self._rows >= self._is_varied_at
        return is_varied and self._hits >= self.kind.share * self._cells

    def _looks(self, rows: int) -> list[int]:
        """Where among the next rows it is time to look."""
        first, last = self._rows + 1, self._rows + rows
        later = range(-(-first // _EVERY) * _EVERY, last + 1, _EVERY)
        return [look - self._rows for look in (*_EARLY, *later) if first <= look <= last]


def _is_look(rows: int) -> bool:
    return rows % _EVERY == 0 or rows in _EARLY


def refusal_of(findings: Sequence[Finding]) -> PartitionRefused:
    """The refusal that names every such column, and says what a person does about it."""
    columns = list(dict.fromkeys(each.column for each in findings))
    told = "; ".join(each.told for each in findings)
    return PartitionRefused(
        f"The partition seems to name people in columns that nobody declared: {told}. Nothing of it was written. Say "
        f"in model.yaml, under personal.columns, what becomes of {', '.join(columns)}: pseudonym, drop or something "
        "coarser; or under personal.not_personal why it names nobody.",
        columns=columns,
        findings=[each.told for each in findings],
    )
