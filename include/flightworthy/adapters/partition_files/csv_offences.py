"""Python's own CSV reader, slow and exact, for naming the line that pyarrow objected to."""

from __future__ import annotations

import codecs
import csv
import io
from collections.abc import Generator, Iterator
from contextlib import closing
from itertools import islice
from typing import Any

from flightworthy.adapters.partition_files.cells import refused
from flightworthy.adapters.partition_files.unpacking import LandedFile
from flightworthy.errors import PartitionRefused

__all__ = ["found", "head", "line_of", "refuse_stray_quote"]


def found(file: LandedFile, columns: int, *, longest: int) -> PartitionRefused | None:
    """The first thing that is wrong with the file's bytes or the lengths of its rows."""
    if (refusal := _not_utf8(file)) is not None:
        return refusal
    begins = 1
    try:
        for begins, record in _records(file, longest):
            if len(record) != columns:
                what = f"has {len(record)} cells in line {begins}, and its header {columns}"
                longer = len(record) > columns
                next_step = "A cell with a comma needs quotes." if longer else "Write missing cells as empty ones."
                return refused(file.uri, what, next_step, line=begins)
    except csv.Error:
        return _long(file, begins + 1, longest)
    return None


def head(file: LandedFile, *, longest: int) -> list[tuple[int, list[str]]]:
    """The header and the first row, if there are such, each with the line on which it begins."""
    found: list[tuple[int, list[str]]] = []
    try:
        with closing(_records(file, longest)) as records:
            found.extend(islice(records, 2))
    except csv.Error:
        raise _long(file, 1 + len(found), longest) from None
    return found


def line_of(file: LandedFile, row: int, *, longest: int) -> int:
    """The line on which a row begins; rows are counted from 0, after the header."""
    for place, (begins, _) in enumerate(_records(file, longest), start=-1):
        if place == row:
            return begins
    raise IndexError(row)


def refuse_stray_quote(file: LandedFile, *, longest: int) -> None:
    """Raises `PartitionRefused` where a quote is never closed, or more follows in its cell: rows became one cell.

    pyarrow takes both as they come.
    """
    last = 1
    try:
        for begins, _ in _records(file, longest, strict=True):
            last = begins
    except csv.Error as error:
        last = _next_line(file, last, longest)
        what = f"opens a quote in line {last} that is never closed: all that follows would be one cell"
        if "expected after" in str(error):
            what = (
                f"has more behind a closing quote, in the row that begins in line {last}: rows may have become one cell"
            )
        elif "end of data" not in str(error) and "field" not in str(error):
            return
        raise refused(file.uri, what, 'Close it, or write "" for a quote inside a cell.', line=last) from None


def _next_line(file: LandedFile, begins: int, longest: int) -> int:
    """The line after the record that begins in line ``begins``."""
    try:
        return next((start for start, _ in _records(file, longest) if start > begins), begins)
    except csv.Error:
        return begins + 1


def _long(file: LandedFile, line: int, longest: int) -> PartitionRefused:
    what = f"holds a row of more than {longest:,} bytes, which begins in line {line} or later"
    return refused(file.uri, what, "A quote may be open; else the cells are no table's.", line=line)


def _not_utf8(file: LandedFile) -> PartitionRefused | None:
    decoder, stream, line = codecs.getincrementaldecoder("utf-8")(), file.unpacked(), 1
    left = b""
    while chunk := stream.read(2**20):
        try:
            decoder.decode(chunk)
        except UnicodeDecodeError as error:
            at: bytes = error.object
            line += at.count(b"\n", 0, error.start)
            what = f"is not UTF-8: line {line} holds the byte 0x{at[error.start]:02x}"
            return refused(file.uri, what, "If it is Latin-1 or Windows-1252, save it as UTF-8.", line=line)
        line += chunk.count(b"\n")
        left = decoder.getstate()[0]
    if left:
        what = f"is not UTF-8: it ends within a character, in line {line}"
        return refused(file.uri, what, "The upload may have been cut short; land it again.", line=line)
    return None


def _records(file: LandedFile, longest: int, *, strict: bool = False) -> Generator[tuple[int, list[str]], None, None]:
    """Every record with the line on which it begins; blank lines are none."""
    before = csv.field_size_limit(longest)
    try:
        reader = csv.reader(_lines(file.unpacked(), longest), strict=strict)
        begins = 1
        for record in reader:
            if record:
                yield begins, record
            begins = reader.line_num + 1
    finally:
        csv.field_size_limit(before)


def _lines(stream: Any, longest: int) -> Iterator[str]:
    text = io.TextIOWrapper(io.BufferedReader(stream, 2**18), encoding="utf-8-sig", errors="replace", newline="")
    while line := text.readline(longest + 1):
        if len(line) > longest:
            raise csv.Error("line longer than field limit")
        yield line
