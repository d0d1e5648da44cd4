"""Strict JSON lines: one flat object a line, the same keys in each, every value as written."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final

import pyarrow as pa

from flightworthy.adapters.partition_files.cells import Cells, Said, refused
from flightworthy.adapters.partition_files.heads import check_head
from flightworthy.adapters.partition_files.texts import checked
from flightworthy.adapters.partition_files.unpacking import LandedFile
from flightworthy.errors import PartitionRefused

__all__ = ["cells"]

_LONGEST: Final = 4 * 1024**2
"""Bytes of a line."""
_ROWS: Final = 2**14
_BYTES: Final = 16 * 1024**2
_WRITE_ALL = "Write every key in every line, and null for what is missing."


class _Number(str):
    """A number as it is written: 1e400 and 9007199254740993 are not what a float makes of them."""

    __slots__ = ()


class _Constant(str):
    """NaN or Infinity, which Python reads and JSON does not have."""

    __slots__ = ()


class _Pairs(list[tuple[str, Any]]):
    """An object with all its keys, also the doubled ones."""


_SAID: Final[dict[type, Said]] = {str: "text", _Number: "number", bool: "boolean"}
_decode = json.JSONDecoder(
    object_pairs_hook=_Pairs, parse_int=_Number, parse_float=_Number, parse_constant=_Constant
).decode


def cells(file: LandedFile, missing: tuple[str, ...]) -> Iterator[Cells]:
    """The cells as text, with what they are written as. Raises `PartitionRefused` at the first line that is no row."""
    file.line_of = partial(_line_of, file)
    check_head(file.unpacked().read(16), file.uri, called="JSON lines")
    reading = _Reading(file=file, missing=frozenset(missing))
    size = 0
    for line, text in _lines(file):
        reading.add(line, text)
        size += len(text)
        if len(reading.rows) >= _ROWS or size >= _BYTES:
            yield checked(reading.cells())
            size = 0
    if reading.rows:
        yield checked(reading.cells())
    if not reading.first:
        raise refused(file.uri, "holds no rows", "Land the rows, or no file if the interval had none.")


@dataclass(slots=True, kw_only=True)
class _Reading:
    file: LandedFile
    missing: frozenset[str]
    names: tuple[str, ...] = ()
    said: dict[str, Said] = field(default_factory=dict)
    first: int = 0
    rows: list[Sequence[Any]] = field(default_factory=list)
    lines: list[int] = field(default_factory=list)

    def add(self, line: int, text: str) -> None:
        """Take in one line."""
        record = self._record(line, text)
        names = tuple(name for name, _ in record)
        self.names = self.names or names
        if names == self.names and self.lines:
            values: Sequence[Any] = [value for _, value in record]
        else:
            self._check_names(line, names)
            found = dict(record)
            values = [found[name] for name in self.names]
        self.rows.append(values)
        self.lines.append(line)

    def cells(self) -> Cells:
        """What was taken in since the last time."""
        columns = [
            self._column(name, column) for name, column in zip(self.names, zip(*self.rows, strict=True), strict=True)
        ]
        cells = Cells(
            batch=pa.RecordBatch.from_arrays(columns, names=list(self.names)),
            place=self.file,
            first=self.first,
            said=dict(self.said),
        )
        self.first += len(self.rows)
        self.rows, self.lines = [], []
        return cells

    def _record(self, line: int, text: str) -> _Pairs:
        try:
            record = _decode(text)
        except json.JSONDecodeError as error:
            raise self._refused(line, f"line {line} is not JSON: {error.msg} (column {error.colno})", _OBJECT) from None
        except RecursionError:
            raise self._refused(line, f"line {line} is nested too deeply", _OBJECT) from None
        if not isinstance(record, _Pairs) or not record:
            raise self._refused(line, f"line {line} is no object with keys", _OBJECT)
        return record

    def _check_names(self, line: int, names: tuple[str, ...]) -> None:
        for name in names:
            if not _is_text(name):
                what = f"names the key {name!r} in line {line}: half a character (a lone surrogate) is no text"
                raise self._refused(line, what, "Export it again.", column=name)
            if names.count(name) > 1:
                what = f"names the key {name!r} twice in line {line}"
                raise self._refused(line, what, "Nobody can tell which is meant; write each key once.", column=name)
            if name not in self.names:
                raise self._refused(
                    line, f"has the key {name!r} in line {line}, and not before", _WRITE_ALL, column=name
                )
        for name in self.names:
            if name not in names:
                raise self._refused(line, f"lacks the key {name!r} in line {line}", _WRITE_ALL, column=name)

    def _column(self, name: str, column: Sequence[Any]) -> pa.Array:
        found = set(map(type, column)) - {type(None)}
        kinds = {_SAID.get(kind) for kind in found} | ({self.said[name]} if name in self.said else set())
        if len(kinds) > 1 or None in kinds:
            self._refuse_first_odd(name, column)
        self.said.update((name, kind) for kind in kinds if kind)
        if bool in found:
            column = [None if value is None else str(value).lower() for value in column]
        elif self.missing and str in found:
            column = [None if value in self.missing else value for value in column]
        try:
            return pa.array(column, pa.string())
        except UnicodeEncodeError:
            row = next(row for row, value in enumerate(column) if value and not _is_text(value))
            what = f"line {self.lines[row]}, column {name!r}: half a character (a lone surrogate) is no text"
            raise self._refused(self.lines[row], what, "Export it again.", column=name) from None

    def _refuse_first_odd(self, name: str, column: Sequence[Any]) -> None:
        known = self.said.get(name)
        for line, value in zip(self.lines, column, strict=True):
            place = f"line {line}, column {name!r}:"
            if isinstance(value, _Constant):
                what = f"{place} {value} is not a finite number"
                raise self._refused(line, what, "Write a number, or null if it is missing.", column=name)
            if isinstance(value, list):
                what = f"{place} holds an object or a list"
                raise self._refused(
                    line, what, "A partition has flat columns; write each value under its own key.", column=name
                )
            if value is not None:
                kind = _SAID[type(value)]
                if known not in (None, kind):
                    what = f"{place} {kind}, and {known} before"
                    raise self._refused(line, what, "Write a column's values all alike.", column=name)
                known = kind

    def _refused(self, line: int, what: str, next_step: str, **facts: Any) -> PartitionRefused:
        return refused(self.file.uri, what, next_step, line=line, **facts)


_OBJECT = 'Each line holds one object, such as {"age": 40, "sex": "f"}.'


def _is_text(value: str) -> bool:
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def _lines(file: LandedFile) -> Iterator[tuple[int, str]]:
    """Every line that is not blank, with its number."""
    stream, number = io.BufferedReader(file.unpacked(), 2**18), 0
    while raw := stream.readline(_LONGEST + 1):
        number += 1
        if len(raw) > _LONGEST:
            what = f"holds a line of more than {_LONGEST:,} bytes, line {number}"
            raise refused(file.uri, what, _OBJECT, line=number)
        try:
            text = raw.decode("utf-8-sig" if number == 1 else "utf-8").strip()
        except UnicodeDecodeError as error:
            what = f"is not UTF-8: line {number} holds the byte 0x{raw[error.start]:02x}"
            raise refused(file.uri, what, "Save it as UTF-8.", line=number) from None
        if text:
            yield number, text


def _line_of(file: LandedFile, row: int) -> int:
    with file.again() as opened:
        for place, (line, _) in enumerate(_lines(opened)):
            if place == row:
                return line
    raise IndexError(row)
