"""Strict CSV: UTF-8, one header, every row as long as it, every cell as written.

Only the empty cell is missing, and what the spec says. pyarrow parses, block by block; where it objects, Python's
slower reader finds the line to name.
"""

from __future__ import annotations

import io
import threading
from collections import Counter
from collections.abc import Iterator
from functools import partial
from typing import Final

import pyarrow as pa
from pyarrow import csv as arrow_csv

from flightworthy.adapters.partition_files import csv_offences
from flightworthy.adapters.partition_files.cells import Cells, refused
from flightworthy.adapters.partition_files.heads import check_head
from flightworthy.adapters.partition_files.quotes import Quotes
from flightworthy.adapters.partition_files.unpacking import LandedFile

__all__ = ["cells"]

BLOCK: Final = 4 * 1024**2
"""Bytes that are parsed together. A row is never longer."""
_OTHER_SEPARATORS = {";": "semicolons", "\t": "tabs", "|": "bars"}


def cells(file: LandedFile, missing: tuple[str, ...]) -> Iterator[Cells]:
    """The cells as text, in batches. Raises `PartitionRefused` where the file cannot be read without guessing."""
    file.line_of = partial(_line_of, file)
    names = _header(file)
    first = 0
    try:
        for batch in _parsed(file, names, missing):
            if batch.num_rows:
                yield Cells(batch=batch, place=file, first=first)
            first += batch.num_rows
    except pa.ArrowInvalid as error:
        raise csv_offences.found(file, len(names), longest=BLOCK) or refused(
            file.uri, f"cannot be read as CSV: {error}", "Export it again."
        ) from None


def _line_of(file: LandedFile, row: int) -> int:
    with file.again() as opened:
        return csv_offences.line_of(opened, row, longest=BLOCK)


def _parsed(file: LandedFile, names: list[str], missing: tuple[str, ...]) -> Iterator[pa.RecordBatch]:
    watched = _Watched(file)
    options = {
        "read_options": arrow_csv.ReadOptions(block_size=BLOCK),
        "parse_options": arrow_csv.ParseOptions(newlines_in_values=True),
        "convert_options": arrow_csv.ConvertOptions(
            column_types=dict.fromkeys(names, pa.string()), strings_can_be_null=True, null_values=["", *missing]
        ),
    }
    try:
        with arrow_csv.open_csv(pa.PythonFile(watched, "r"), **options) as reader:
            for place, batch in enumerate(reader):
                file.taken = watched.shares[min(place, len(watched.shares) - 1)]
                yield batch
    finally:
        # A thread of pyarrow's reads ahead, also after an error; nobody else could read the file.
        watched.stop()
    watched.quotes.end()
    if not watched.quotes.are_plain:
        csv_offences.refuse_stray_quote(file, longest=BLOCK)


def _header(file: LandedFile) -> list[str]:
    check_head(file.unpacked().read(16), file.uri, called="CSV")
    found = csv_offences.head(file, longest=BLOCK)
    if len(found) < 2:
        what = "has a header and no rows" if found else "holds nothing but blank lines"
        raise refused(file.uri, what, "Land the rows, or no file if the interval had none.")
    line, names = found[0]
    _check_names(names, file, line)
    return names


def _check_names(names: list[str], file: LandedFile, line: int) -> None:
    if len(names) == 1:
        for separator, called in _OTHER_SEPARATORS.items():
            if separator in names[0]:
                raise refused(file.uri, f"is separated by {called}", "Separate cells by commas.", line=line)
    if "" in names:
        place = names.index("") + 1
        raise refused(file.uri, f"has no name for column {place} in its header", "Name it or leave it out.", line=line)
    doubled = sorted(name for name, count in Counter(names).items() if count > 1)
    if doubled:
        what = f"names the column {doubled[0]!r} twice in its header"
        next_step = "Nobody can tell which is meant; export each column once."
        raise refused(file.uri, what, next_step, line=line, column=doubled[0])


class _Watched(io.RawIOBase):
    """The bytes as pyarrow takes them; a NUL byte is refused, and quotes are looked at."""

    def __init__(self, file: LandedFile) -> None:
        super().__init__()
        self._stream, self._file = file.unpacked(), file
        self._lines = 1
        self.shares: list[float] = []
        """How much of the file was read after each block; pyarrow reads some of them ahead."""
        self._reading = threading.Lock()
        self._stopped = False
        self.quotes = Quotes()

    def readable(self) -> bool:
        return True

    def stop(self) -> None:
        """From now on there is nothing more to read; waits for who is reading."""
        with self._reading:
            self._stopped = True

    def read(self, size: int = -1) -> bytes:
        with self._reading:
            return b"" if self._stopped else self._watched(self._stream.read(size))

    def _watched(self, chunk: bytes) -> bytes:
        if (at := chunk.find(b"\0")) >= 0:
            line = self._lines + chunk.count(b"\n", 0, at)
            raise refused(
                self._file.uri,
                f"holds a NUL byte in line {line}",
                "It is damaged, or not text; export it again.",
                line=line,
            )
        self.shares.append(self._file.position())
        self._lines += chunk.count(b"\n")
        self.quotes.take(chunk)
        return chunk
