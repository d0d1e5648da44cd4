"""Cells become columns: a declared type where every cell is of it, otherwise text as written.

A type follows from all cells of a column, and they come in batches. So a column is taken for the first type that it may
have until a cell says otherwise; the rows before are then read once more. Which type it is in the end depends on its
cells alone, never on where a batch begins.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from flightworthy.adapters.partition_files import own_types, written
from flightworthy.adapters.partition_files.cells import Cells, refused
from flightworthy.errors import PartitionRefused

__all__ = ["TypedRows"]

Protect = Callable[[], Callable[[pa.Table], pa.Table]]
"""Begins with a partition's first row; what it gives is applied to each batch of its typed rows."""
Candidate = Callable[[pa.Array], pa.Array | None]
_RESERVED: Final = frozenset({"file_row_number", "flightworthy_file", "flightworthy_position"})


@dataclass(frozen=True, slots=True, kw_only=True)
class TypedRows:
    """`flightworthy.dataset.Rows` of cells that can be read as often as asked."""

    read: Callable[[], Iterator[Cells]]
    types: Mapping[str, str]
    protect: Protect | None = None

    def attempts(self) -> Iterator[Iterator[pa.RecordBatch]]:
        """One attempt where all columns are what they seemed to be; some more otherwise, and at most one per type."""
        typing = _Typing(types=self.types)
        while True:
            yield self._attempt(typing)
            if typing.holds:
                return

    def _attempt(self, typing: _Typing) -> Iterator[pa.RecordBatch]:
        typing.begin()
        protect = self.protect() if self.protect else None
        for cells in self.read():
            batch = typing.typed(cells)
            # What came before is of another type than it seemed; the rest is only looked at for the types it has.
            if typing.holds and protect is not None:
                yield from protect(pa.Table.from_batches([batch])).to_batches()
            elif typing.holds:
                yield batch
        typing.end()


@dataclass(slots=True, kw_only=True)
class _Typing:
    types: Mapping[str, str]
    holds: bool = True
    _candidates: dict[str, tuple[Candidate, ...]] = field(default_factory=dict)
    _begun: bool = False
    _odd: dict[str, tuple[Cells, int]] = field(default_factory=dict)
    """The first cell of a column that is no finite number."""

    def begin(self) -> None:
        self.holds, self._begun, self._odd = True, False, {}

    def typed(self, cells: Cells) -> pa.RecordBatch:
        """The columns, each as what it may still be."""
        schema = cells.batch.schema
        if not self._begun:
            _check_names(schema.names, cells)
        columns = [self._column(cells, column.name) for column in schema]
        self._begun = True
        return pa.RecordBatch.from_arrays(columns, names=schema.names)

    def end(self) -> None:
        """Raises `PartitionRefused` if a column of numbers holds what is no number."""
        if self.holds and self._odd:
            # The first row's, whichever column a block showed first.
            name, (cells, row) = min(self._odd.items(), key=lambda each: each[1][0].number(each[1][1]))
            what = f"{cells.batch[name][row].as_py()!r} is not a finite number"
            raise cells.refused(name, row, what, "Write a number, or leave the cell empty if it is missing.")

    def _column(self, cells: Cells, name: str) -> pa.Array:
        array = cells.batch.column(name)
        if name not in self._candidates:
            self._candidates[name] = _candidates_of(cells, name, self.types.get(name))
        while True:
            candidates = self._candidates[name]
            column = candidates[0](array) if _may_be(candidates[0], cells, name) else None
            if column is not None:
                break
            if len(candidates) == 1:
                raise _untyped(cells, name, candidates[0])
            self._candidates[name] = candidates[1:]
            self.holds = self.holds and not self._begun
        if pa.types.is_floating(column.type):
            self._look_for_odd(cells, name, column)
        return column

    def _look_for_odd(self, cells: Cells, name: str, column: pa.Array) -> None:
        # A sum is finite only if all of its parts are, and costs a fraction of asking each.
        if name not in self._odd and not math.isfinite(pc.sum(column).as_py() or 0.0):
            odd = np.flatnonzero(pc.fill_null(pc.invert(pc.is_finite(column)), False).to_numpy(zero_copy_only=False))
            if len(odd):
                self._odd[name] = (cells, int(odd[0]))


def _check_names(names: list[str], cells: Cells) -> None:
    """DuckDB and Great Expectations take ``Age`` for ``age``: what is expected of one would be asked of the other."""
    known: dict[str, str] = {}
    for name in names:
        if name.lower() in _RESERVED:
            what = f"has a column {name!r}, a name that the checking of rows takes for their place"
            raise refused(cells.place.uri, what, "Rename it, or leave it out.", column=name)
        if (other := known.setdefault(name.lower(), name)) != name:
            what = f"names columns that differ only in case, {other!r} and {name!r}"
            next_step = "Databases take one for the other; rename one of them, or leave it out."
            raise refused(cells.place.uri, what, next_step, column=name)


def _candidates_of(cells: Cells, name: str, kind: str | None) -> tuple[Candidate, ...]:
    if cells.place.line_of is None:
        return own_types.candidates(cells.batch.schema.field(name).type, kind)
    return written.candidates(kind, says_types=cells.said is not None)


def _may_be(candidate: Candidate, cells: Cells, name: str) -> bool:
    said = (cells.said or {}).get(name)
    return said is None or written.allows(candidate, said)


def _untyped(cells: Cells, name: str, candidate: Candidate) -> PartitionRefused:
    """Of the first cell that is none; found by halves, since only all of a column's cells together are looked at."""
    column = cells.batch.column(name)
    first, size = 0, len(column)
    while size > 1:
        half = size // 2
        if candidate(column.slice(first, half)) is None:
            size = half
        else:
            first, size = first + half, size - half
    what = f"a value of the type {column.type} cannot be kept as it is"
    next_step = "Days, and times to the microsecond, are kept, of the years 1 to 9999; write them so."
    return cells.refused(name, first, what, next_step)
