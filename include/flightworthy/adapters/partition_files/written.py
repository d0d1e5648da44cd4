"""What cells of text may be. Each function gives the column if every cell is of its type, else None."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from flightworthy.adapters.partition_files.cells import Said

__all__ = ["allows", "candidates"]

# "007" is a code, not seven; "0x10" and " 1" are not numbers either.
_INTEGER = r"^-?(0|[1-9][0-9]*)$"
_EXACT = 15
"""Digits that a float holds, whatever they are."""
_ZERO, _MINUS, _PLUS = (np.uint8(byte) for byte in b"0-+")


def candidates(kind: str | None, *, says_types: bool) -> tuple[Callable[[pa.Array], pa.Array | None], ...]:
    """What a column of the declared ``kind`` may be, the first that fits; text always does."""
    declared = {
        "category": (_text,),
        "boolean": (_boolean, _text),
        "integer": (_signed, _unsigned, _text),
        "number": (_number, _text),
    }
    if kind is not None:
        return declared[kind]
    return (_signed, _unsigned, _unrounded, *((_literal,) if says_types else ()), _text)


def allows(candidate: Callable[[pa.Array], pa.Array | None], said: Said) -> bool:
    """Whether cells that say what they are may be that: text is never made into a number, nor a boolean into one."""
    if said == "text":
        return candidate is _text
    return candidate in (_boolean, _literal, _text) if said == "boolean" else candidate is not _literal


def _text(cells: pa.Array) -> pa.Array:
    return cells


def _literal(cells: pa.Array) -> pa.Array | None:
    """Where a format has words of its own for true and false. Nothing but missing cells fits too."""
    return _boolean(cells)


def _boolean(cells: pa.Array) -> pa.Array | None:
    lower = pc.utf8_lower(cells)
    known = pc.is_in(lower, value_set=pa.array(["true", "false", "1", "0", None]))
    if not pc.all(known).as_py():
        return None
    return pc.if_else(
        pc.is_null(cells), pa.scalar(None, pa.bool_()), pc.is_in(lower, value_set=pa.array(["true", "1"]))
    )


def _signed(cells: pa.Array) -> pa.Array | None:
    return _whole(cells, pa.int64())


def _unsigned(cells: pa.Array) -> pa.Array | None:
    return _whole(cells, pa.uint64())


def _whole(cells: pa.Array, kind: pa.DataType) -> pa.Array | None:
    """Exact or not at all: a number too large for 64 bits is rather text than rounded."""
    column = _cast(cells, kind)
    if column is None:
        return None
    # pyarrow reads 007 and 0x10 too: nothing may stand behind a leading zero.
    return None if _behind_leading_zero(_Bytes.of(cells)).any() else column


def _number(cells: pa.Array) -> pa.Array | None:
    return _cast(cells, pa.float64())


def _unrounded(cells: pa.Array) -> pa.Array | None:
    """A number where nobody said so: no code with leading zeros, and no whole number that a float would round."""
    column = _cast(cells, pa.float64())
    if column is None:
        return None
    content = _Bytes.of(cells)
    if _is_digit(_behind_leading_zero(content)).any():
        return None
    if (is_long := content.lengths > _EXACT).any():
        long = cells.filter(pa.array(is_long))
        if pc.any(pc.match_substring_regex(long, _INTEGER)).as_py():
            return None
    return column


def _is_digit(byte: np.ndarray) -> np.ndarray:
    found: np.ndarray = (byte - _ZERO) < 10
    return found


def _behind_leading_zero(content: _Bytes) -> np.ndarray:
    """The byte behind it of each cell that begins with a zero, after its sign if it has one; 0 if nothing follows."""
    first = content.at(0, slice(None))
    plain = np.flatnonzero(first == _ZERO)
    signed = np.flatnonzero((first == _MINUS) | (first == _PLUS))
    signed = signed[content.at(1, signed) == _ZERO]
    return np.concatenate([content.at(1, plain), content.at(2, signed)])


@dataclass(frozen=True, slots=True)
class _Bytes:
    """The bytes of cells, where they lie."""

    text: np.ndarray
    starts: np.ndarray
    lengths: np.ndarray
    """0 where a cell is missing."""

    @classmethod
    def of(cls, cells: pa.Array) -> Self:
        _, offsets, text = cells.buffers()
        ends = np.frombuffer(offsets, np.int32)[cells.offset : cells.offset + len(cells) + 1]
        lengths = np.diff(ends)
        if cells.null_count:
            lengths = np.where(cells.is_null().to_numpy(zero_copy_only=False), 0, lengths)
        return cls(np.frombuffer(text or b"\0", np.uint8), ends[:-1], lengths)

    def at(self, place: int, rows: np.ndarray | slice) -> np.ndarray:
        """The byte at ``place`` of each of these rows, 0 where the cell is shorter."""
        found: np.ndarray = self.text.take(self.starts[rows] + place, mode="clip")
        found[self.lengths[rows] <= place] = 0
        return found


def _cast(cells: pa.Array, kind: pa.DataType) -> pa.Array | None:
    try:
        return pc.cast(cells, kind)
    except pa.ArrowInvalid:
        return None
