"""What a database's columns are in Arrow: by what the server says of them or, where it does not, by their values."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

import pyarrow as pa

__all__ = ["Seen", "array_of", "told"]

_MOST_DIGITS: Final = 38
_EXACT: Final = 2**53
_INSTANT: Final = pa.timestamp("us", tz="UTC")
_POSTGRES: Final[Mapping[int, pa.DataType]] = {
    16: pa.bool_(),
    **dict.fromkeys((20, 21, 23), pa.int64()),
    **dict.fromkeys((700, 701), pa.float64()),
    **dict.fromkeys((18, 19, 25, 1042, 1043, 2950), pa.string()),
    1082: pa.date32(),
    1114: pa.timestamp("us"),
    1184: _INSTANT,
}
_NUMERIC: Final = 1700


def told(dialect: str, description: Sequence[Any]) -> pa.DataType | None:
    """The type of a column as the server describes it (`cursor.description`); None where it does not say enough."""
    if dialect != "postgresql":
        return None
    code, precision, scale = description[1], description[4], description[5]
    if code == _NUMERIC:
        known = precision is not None and scale is not None and 0 <= scale <= precision <= _MOST_DIGITS
        return pa.decimal128(precision, scale) if known else None
    return _POSTGRES.get(code)


@dataclass(slots=True, kw_only=True)
class Seen:
    """What the values of one column have been so far."""

    is_boolean: bool
    """Whether the spec says that it is one; some databases write 0 and 1 for it."""
    kinds: set[type] = field(default_factory=set)
    lowest: int = 0
    highest: int = 0
    digits: int = 0
    scale: int = 0

    def add(self, values: Iterable[Any]) -> None:
        """Look at some more. Raises TypeError, saying what no partition holds."""
        for value in values:
            if value is None:
                continue
            self.kinds.add(_kind(value))
            if type(value) is int:
                self.lowest, self.highest = min(self.lowest, value), max(self.highest, value)
            elif isinstance(value, Decimal) and value.is_finite():
                self._add_decimal(value)

    def _add_decimal(self, value: Decimal) -> None:
        _, digits, exponent = value.as_tuple()
        scale = max(-int(exponent), 0)
        self.digits = max(self.digits, len(digits) + max(int(exponent), 0) - scale)
        self.scale = max(self.scale, scale)

    @property
    def type(self) -> pa.DataType:
        """The one that holds all of them as they are; text where none does."""
        if self.kinds == {int}:
            return self._whole()
        if self.kinds and self.kinds <= {int, float}:
            return pa.float64() if self.lowest >= -_EXACT and self.highest <= _EXACT else pa.string()
        if self.kinds and self.kinds <= {int, Decimal}:
            digits = max(self.digits, len(str(self.highest)), len(str(-self.lowest)), 1) + self.scale
            return pa.decimal128(digits, self.scale) if digits <= _MOST_DIGITS else pa.string()
        return _OF_KIND.get(next(iter(self.kinds), str), pa.string()) if len(self.kinds) < 2 else pa.string()

    def _whole(self) -> pa.DataType:
        if self.is_boolean and self.lowest >= 0 and self.highest <= 1:
            return pa.bool_()
        if self.lowest >= -(2**63) and self.highest < 2**63:
            return pa.int64()
        return pa.uint64() if self.lowest >= 0 and self.highest < 2**64 else pa.string()


class _Aware(datetime):
    """The kind of an instant that names its zone; never made."""


_OF_KIND: Final[Mapping[type, pa.DataType]] = {
    bool: pa.bool_(),
    str: pa.string(),
    UUID: pa.string(),
    date: pa.date32(),
    datetime: pa.timestamp("us"),
    _Aware: _INSTANT,
}


def _kind(value: Any) -> type:
    if isinstance(value, datetime):
        return datetime if value.tzinfo is None else _Aware
    if type(value) in {bool, int, float, Decimal, str, date, UUID}:
        return type(value)
    raise TypeError(f"a value of the type {type(value).__name__}")


def array_of(values: Sequence[Any], kind: pa.DataType) -> pa.Array:
    """The values as an array of that type. What a decimal says instead of a number is missing, as it is in floats."""
    if pa.types.is_string(kind):
        return pa.array([None if value is None else _text(value) for value in values], kind)
    if pa.types.is_boolean(kind):
        return pa.array([None if value is None else bool(value) for value in values], kind)
    if pa.types.is_decimal(kind):
        return pa.array([_finite(value) for value in values], kind)
    return pa.array(values, kind)


def _text(value: Any) -> str:
    _kind(value)
    return value.isoformat() if isinstance(value, date) else str(value)


def _finite(value: Any) -> Decimal | None:
    if value is None:
        return None
    number = Decimal(value)
    if number.is_infinite():
        raise TypeError("an infinite number")
    return None if number.is_nan() else number
