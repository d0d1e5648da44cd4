"""Cells become columns: a declared type where every cell is of it, otherwise text as written."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from flightworthy.errors import PartitionRefused

__all__ = ["Sheet", "typed"]

# "007" is a code, not seven; "0x10" and " 1" are not numbers either.
_INTEGER = r"^-?(0|[1-9][0-9]*)$"
_PADDED = r"^[-+]?0[0-9]"
_EXACT = 2**53


@dataclass(frozen=True, slots=True, kw_only=True)
class Sheet:
    """What a file holds, before anybody asked what the cells mean."""

    file: str
    cells: pa.Table
    line_of: Callable[[int], int] | None
    """The line of a row (counted from 0) of the file; None where a file has no lines."""
    rows: np.ndarray | None = None
    """Which rows of the file these are, if not all."""
    picks: Mapping[str, np.ndarray] = field(default_factory=dict)
    """The rows of each partition key, where one file holds many."""
    unplaced: tuple[str, ...] = ()
    """The rows that belong to no partition, each with its line and why."""

    @property
    def keys(self) -> tuple[str, ...]:
        return tuple(sorted(self.picks))

    def of(self, key: str) -> Sheet:
        """The rows of one partition."""
        if not self.picks:
            return self
        rows = self.picks.get(key)
        if rows is None:
            raise PartitionRefused(
                f"{self.file} holds no row of partition {key}. Its first is {self.keys[0]}, its last {self.keys[-1]}.",
                key=key,
            )
        return Sheet(file=self.file, cells=self.cells.take(rows), line_of=self.line_of, rows=rows)

    def where(self, row: int) -> dict[str, int]:
        """The row as a person finds it: by its line, or by its number in the file."""
        number = row if self.rows is None else int(self.rows[row])
        return {"line": self.line_of(number)} if self.line_of else {"row": number}

    def refused(self, column: str, row: int, what: str, next_step: str) -> PartitionRefused:
        """A refusal that names file, column and line."""
        where = self.where(row)
        place = " ".join(f"{name} {number}" for name, number in where.items())
        return PartitionRefused(
            f"{self.file} {place}, column {column!r}: {what}. {next_step}", file=self.file, column=column, **where
        )


def typed(sheet: Sheet, types: Mapping[str, str]) -> pa.Table:
    """Every column as declared in ``types``; an undeclared one is integer, number or text, as its cells allow."""
    columns = {}
    for name in sheet.cells.column_names:
        cells = sheet.cells[name].combine_chunks()
        column = (_from_text if sheet.line_of else _from_typed)(cells, types.get(name))
        if pa.types.is_floating(column.type):
            # NaN is how Parquet files write a missing number; in a CSV somebody wrote "nan".
            column = column if sheet.line_of else _without_nan(column)
            _refuse_infinite(sheet, name, cells, column)
        columns[name] = column
    return pa.table(columns)


def _refuse_infinite(sheet: Sheet, name: str, cells: pa.Array, column: pa.Array) -> None:
    odd = pc.fill_null(pc.invert(pc.is_finite(column)), False)
    if pc.any(odd).as_py():
        row = int(np.flatnonzero(odd.to_numpy(zero_copy_only=False))[0])
        what = f"{cells[row].as_py()!r} is not a finite number"
        raise sheet.refused(name, row, what, "Write a number, or leave the cell empty if it is missing.")


def _without_nan(column: pa.Array) -> pa.Array:
    return pc.if_else(pc.is_nan(column), pa.scalar(None, column.type), column)


def _from_text(cells: pa.Array, kind: str | None) -> pa.Array:
    if kind == "category":
        return cells
    if kind == "boolean":
        return _booleans(cells)
    whole = pc.all(pc.match_substring_regex(cells, _INTEGER)).as_py() is not False
    if kind == "integer" or (kind is None and whole):
        return _integers(cells) if whole else cells
    if kind is None and pc.any(pc.match_substring_regex(cells, _PADDED)).as_py():
        return cells
    column = _cast(cells, pa.float64())
    return cells if column is None else column


def _booleans(cells: pa.Array) -> pa.Array:
    lower = pc.utf8_lower(cells)
    known = pc.is_in(lower, value_set=pa.array(["true", "false", "1", "0", None]))
    if not pc.all(known).as_py():
        return cells
    return pc.if_else(
        pc.is_null(cells), pa.scalar(None, pa.bool_()), pc.is_in(lower, value_set=pa.array(["true", "1"]))
    )


def _integers(cells: pa.Array) -> pa.Array:
    """Exact or not at all: a number too large for 64 bits stays text rather than being rounded."""
    for width in (pa.int64(), pa.uint64()):
        if (column := _cast(cells, width)) is not None:
            return column
    return cells


def _cast(cells: pa.Array, kind: pa.DataType) -> pa.Array | None:
    try:
        return pc.cast(cells, kind)
    except pa.ArrowInvalid:
        return None


def _from_typed(cells: pa.Array, kind: str | None) -> pa.Array:
    """A Parquet column has a type already; only what loses nothing is converted."""
    is_whole = pa.types.is_integer(cells.type)
    if kind == "category":
        return pc.cast(cells, pa.string()) if is_whole or pa.types.is_boolean(cells.type) else cells
    if pa.types.is_decimal(cells.type) or pa.types.is_floating(cells.type) or (kind == "number" and is_whole):
        column = pc.cast(cells, pa.float64(), safe=False)
        return _whole(column) if kind == "integer" else column
    if is_whole and cells.type != pa.uint64():
        return pc.cast(cells, pa.int64())
    return cells


def _whole(column: pa.Array) -> pa.Array:
    """Whole numbers with a gap, which pandas writes as floats, are whole numbers still, as long as they are exact."""
    column = _without_nan(column)
    exact = pc.and_(pc.equal(column, pc.round(column)), pc.less_equal(pc.abs(column), float(_EXACT)))
    return pc.cast(column, pa.int64()) if pc.all(exact).as_py() is not False else column
