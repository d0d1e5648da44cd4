"""Strict JSON lines: one flat object a line, the same keys in each, every value as written.

A line that is written like the first is taken apart by one expression; any other is decoded, and that decides. No
library reads as strictly: pyarrow's makes 1e+20 of 99999999999999999999, takes NaN, and fills in a missing key.
"""

from __future__ import annotations

import io
import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

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


_MARKS: Final = {str: '"', _Number: "", _Constant: "!"}
"""What stands around a value in a cell, whose first character so says what it is."""
_NESTED, _MISSING = "[", "null"
_SAID: Final[dict[str, Said]] = {'"': "text", **dict.fromkeys("-0123456789", "number"), "t": "boolean", "f": "boolean"}
_PLAIN: Final = r'("[^"\\\x00-\x1f]*+"|-?+(?:0|[1-9][0-9]*+)(?:\.[0-9]++)?+(?:[eE][+-]?+[0-9]++)?+|true|false|null)'
"""A value without an escape; nothing in it is tried twice, however long a line is."""
_GAP: Final = r"[ \t\r]*+"
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
    alike: re.Pattern[str] | None = None
    said: dict[str, Said] = field(default_factory=dict)
    first: int = 0
    rows: list[tuple[str, ...]] = field(default_factory=list)
    lines: list[int] = field(default_factory=list)

    def add(self, line: int, text: str) -> None:
        """Take in one line."""
        found = self.alike.fullmatch(text) if self.alike else None
        self.rows.append(found.groups() if found else self._decoded(line, text))
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

    def _decoded(self, line: int, text: str) -> tuple[str, ...]:
        record = self._record(line, text)
        names = tuple(name for name, _ in record)
        if self.alike is None:
            self.names = names
        if self.alike is None or names != self.names:
            self._check_names(line, names)
        self.alike = self.alike or _alike(names)
        found = dict(record)
        return tuple(_cell(found[name]) for name in self.names)

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

    def _column(self, name: str, column: Sequence[str]) -> pa.Array:
        try:
            cells = pa.array(column, pa.string())
        except UnicodeEncodeError:
            self._refuse_first_odd(name, column)
            row = next(row for row, cell in enumerate(column) if not _is_text(cell))
            what = f"line {self.lines[row]}, column {name!r}: half a character (a lone surrogate) is no text"
            raise self._refused(self.lines[row], what, "Export it again.", column=name) from None
        marks = _first_bytes(cells)
        kinds = {_SAID.get(chr(mark)) for mark in set(marks.tolist()) - {ord("n")}}
        kinds |= {self.said[name]} if name in self.said else set()
        if len(kinds) > 1 or None in kinds:
            self._refuse_first_odd(name, column)
        self.said.update((name, kind) for kind in kinds if kind)
        missing = pa.array(marks == ord("n"))
        if "text" in kinds:
            cells = pc.utf8_slice_codeunits(cells, 1, -1)
            if self.missing:
                missing = pc.or_(missing, pc.is_in(cells, pa.array(sorted(self.missing))))
        return pc.if_else(missing, pa.scalar(None, pa.string()), cells)

    def _refuse_first_odd(self, name: str, column: Sequence[str]) -> None:
        known = self.said.get(name)
        for line, cell in zip(self.lines, column, strict=True):
            place = f"line {line}, column {name!r}:"
            if cell.startswith(_MARKS[_Constant]):
                what = f"{place} {cell[1:-1]} is not a finite number"
                raise self._refused(line, what, "Write a number, or null if it is missing.", column=name)
            if cell == _NESTED:
                what = f"{place} holds an object or a list"
                raise self._refused(
                    line, what, "A partition has flat columns; write each value under its own key.", column=name
                )
            if cell != _MISSING:
                kind = _SAID[cell[0]]
                if known not in (None, kind):
                    what = f"{place} {kind}, and {known} before"
                    raise self._refused(line, what, "Write a column's values all alike.", column=name)
                known = kind

    def _refused(self, line: int, what: str, next_step: str, **facts: Any) -> PartitionRefused:
        return refused(self.file.uri, what, next_step, line=line, **facts)


_OBJECT = 'Each line holds one object, such as {"age": 40, "sex": "f"}.'


def _alike(names: tuple[str, ...]) -> re.Pattern[str]:
    """What a line is that has these keys in this order, and values without escapes."""
    keys = (re.escape(json.dumps(name, ensure_ascii=False)) + f"{_GAP}:{_GAP}{_PLAIN}" for name in names)
    return re.compile(rf"\{{{_GAP}" + f"{_GAP},{_GAP}".join(keys) + rf"{_GAP}\}}")


def _cell(value: Any) -> str:
    """A decoded value as the expression finds one that has no escapes."""
    if value is None:
        return _MISSING
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list):
        return _NESTED
    mark = _MARKS[type(value)]
    return f"{mark}{value}{mark}"


def _first_bytes(cells: pa.Array) -> np.ndarray:
    """Of texts that are none of them empty."""
    _, starts, content = cells.buffers()
    places = np.frombuffer(starts, np.int32, len(cells), cells.offset * 4)
    first: np.ndarray = np.frombuffer(content, np.uint8)[places]
    return first


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
