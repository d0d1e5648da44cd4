"""What cells of text may be. Each function gives the column if every cell is of its type, else None."""

from __future__ import annotations

from collections.abc import Callable

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
    first, length = _starts(cells, 0)
    if ((first == _ZERO) & (length > 1)).any():
        return None
    if (negative := first == _MINUS).any():
        second, _ = _starts(cells, 1)
        if (negative & (second == _ZERO) & (length > 2)).any():
            return None
    return column


def _number(cells: pa.Array) -> pa.Array | None:
    return _cast(cells, pa.float64())


def _unrounded(cells: pa.Array) -> pa.Array | None:
    """A number where nobody said so: no code with leading zeros, and no whole number that a float would round."""
    column = _cast(cells, pa.float64())
    if column is None:
        return None
    first, length = _starts(cells, 0)
    second, _ = _starts(cells, 1)
    if ((first == _ZERO) & _is_digit(second)).any():
        return None
    if (signed := (first == _MINUS) | (first == _PLUS)).any():
        third, _ = _starts(cells, 2)
        if (signed & (second == _ZERO) & _is_digit(third)).any():
            return None
    if (length > _EXACT).any():
        long = cells.filter(pa.array(length > _EXACT))
        if pc.any(pc.match_substring_regex(long, _INTEGER)).as_py():
            return None
    return column


def _is_digit(byte: np.ndarray) -> np.ndarray:
    found: np.ndarray = (byte - _ZERO) < 10
    return found


def _starts(cells: pa.Array, place: int) -> tuple[np.ndarray, np.ndarray]:
    """The byte of each cell at ``place``, 0 where it is shorter; and the length of each, 0 where it is missing."""
    _, offsets, text = cells.buffers()
    ends = np.frombuffer(offsets, np.int32)[cells.offset : cells.offset + len(cells) + 1]
    length = np.diff(ends)
    if cells.null_count:
        length = np.where(cells.is_null().to_numpy(zero_copy_only=False), 0, length)
    if text is None or not text.size:
        return np.zeros(len(cells), np.uint8), length
    at = np.minimum(ends[:-1] + place, text.size - 1)
    return np.where(length > place, np.frombuffer(text, np.uint8)[at], 0), length


def _cast(cells: pa.Array, kind: pa.DataType) -> pa.Array | None:
    try:
        return pc.cast(cells, kind)
    except pa.ArrowInvalid:
        return None
