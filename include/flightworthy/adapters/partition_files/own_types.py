"""What columns that have a type already may be; only what loses nothing is converted."""

from __future__ import annotations

from collections.abc import Callable

import pyarrow as pa
import pyarrow.compute as pc

__all__ = ["candidates"]

_EXACT = 2**53

_DAY = 24 * 3600 * 10**6
_FIRST, _LAST = -719_162 * _DAY, 2_932_897 * _DAY - 1
"""Microseconds since 1970 of the first and the last instant that Python's own times hold."""

Candidate = Callable[[pa.Array], pa.Array | None]


def candidates(own: pa.DataType, kind: str | None) -> tuple[Candidate, ...]:
    """What a column of the type ``own``, declared as ``kind``, may be, the first that fits."""
    if kind == "category" and (pa.types.is_integer(own) or pa.types.is_boolean(own)):
        return (_text,)
    if kind == "integer" and (pa.types.is_floating(own) or pa.types.is_decimal(own)):
        return (_whole, _float, _text)
    if kind == "number" and pa.types.is_integer(own):
        return (_float,)
    for check, found in _CANDIDATES:
        if check(own):
            return found
    return (_same,)


def _same(column: pa.Array) -> pa.Array:
    return column


def _text(column: pa.Array) -> pa.Array:
    return pc.cast(column, pa.string())


def _signed(column: pa.Array) -> pa.Array:
    return pc.cast(column, pa.int64())


def _float(column: pa.Array) -> pa.Array | None:
    """NaN is how Parquet files write a missing number."""
    floats = pc.cast(column, pa.float64(), safe=False)
    if pa.types.is_decimal(column.type) and not _is_exact(column, floats):
        return None
    return without_nan(floats)


def _is_exact(column: pa.Array, floats: pa.Array) -> bool:
    try:
        back = pc.cast(floats, column.type)
    except pa.ArrowInvalid:
        return False
    return pc.all(pc.equal(back, column)).as_py() is not False


def _whole(column: pa.Array) -> pa.Array | None:
    """Whole numbers with a gap, which pandas writes as floats, are whole numbers still, as long as they are exact."""
    try:
        if pa.types.is_decimal(column.type):
            return pc.cast(column, pa.int64())
        floats = without_nan(pc.cast(column, pa.float64(), safe=False))
        exact = pc.less_equal(pc.abs(floats), float(_EXACT))
        return pc.cast(floats, pa.int64()) if pc.all(exact).as_py() is not False else None
    except pa.ArrowInvalid:
        return None


def without_nan(column: pa.Array) -> pa.Array:
    """The floats, missing where they are not a number."""
    return pc.if_else(pc.is_nan(column), pa.scalar(None, column.type), column)


def _microseconds(column: pa.Array) -> pa.Array | None:
    """Times of the years 1 to 9999: a store may hold others, and nobody could read them."""
    try:
        times = pc.cast(column, pa.timestamp("us", tz=column.type.tz))
    except pa.ArrowInvalid:
        return None
    return times if _is_between(pc.cast(times, pa.int64()), _FIRST, _LAST) else None


def _days(column: pa.Array) -> pa.Array | None:
    days = pc.cast(column, pa.date32())
    return days if _is_between(pc.cast(days, pa.int32()), _FIRST // _DAY, _LAST // _DAY) else None


def _is_between(column: pa.Array, first: int, last: int) -> bool:
    ends = pc.min_max(column).as_py()
    return ends["min"] is None or bool(first <= ends["min"] and ends["max"] <= last)


def _is_decimal_of_digits(own: pa.DataType) -> bool:
    return bool(pa.types.is_decimal(own) and own.scale <= 0)


_CANDIDATES: tuple[tuple[Callable[[pa.DataType], bool], tuple[Candidate, ...]], ...] = (
    (lambda own: pa.types.is_integer(own) and own != pa.uint64(), (_signed,)),
    (_is_decimal_of_digits, (_whole, _text)),
    (pa.types.is_decimal, (_float, _text)),
    (pa.types.is_floating, (_float,)),
    (pa.types.is_timestamp, (_microseconds,)),
    (pa.types.is_date, (_days,)),
)
