"""Strict CSV: UTF-8, one header, every row as long as it, every cell as written.

Only the empty cell is missing. pyarrow parses; where it objects, Python's slower reader finds the line to name.
"""

from __future__ import annotations

import csv
import io
import re
from collections import Counter
from collections.abc import Iterator

import pyarrow as pa
from pyarrow import csv as arrow_csv

from flightworthy.adapters.partition_files.columns import Sheet
from flightworthy.errors import PartitionRefused

__all__ = ["read"]

_BLOCK = 16 * 1024**2
_PACKED = {b"\x1f\x8b": "gzip", b"PK\x03\x04": "zip", b"BZh": "bzip2", b"\xfd7zXZ": "xz", b"\x28\xb5\x2f\xfd": "zstd"}
_OTHER_SEPARATORS = {";": "semicolons", "\t": "tabs", "|": "bars"}


def read(data: bytes, file: str) -> Sheet:
    """The cells as text."""
    text = _decoded(data, file)
    names = _header(text, file)
    if text.count('"') % 2:
        _refuse_open_quote(text, file)
    try:
        table = arrow_csv.read_csv(
            io.BytesIO(data),
            read_options=arrow_csv.ReadOptions(block_size=_BLOCK),
            parse_options=arrow_csv.ParseOptions(newlines_in_values=True),
            convert_options=arrow_csv.ConvertOptions(
                column_types=dict.fromkeys(names, pa.string()), strings_can_be_null=True, null_values=[""]
            ),
        )
    except pa.ArrowInvalid as error:
        raise _ragged(text, names, file) or _refused(
            file, f"cannot be read as CSV: {error}", "Export it again."
        ) from None
    if not table.num_rows:
        raise _refused(file, "has a header and no rows", "Land the rows, or no file if the interval had none.")
    return Sheet(file=file, cells=table, line_of=lambda row: _line_of(text, row))


def _decoded(data: bytes, file: str) -> str:
    if not data:
        raise _refused(file, "is empty (0 bytes)", "The upload may have been cut short; land it again.")
    for magic, name in _PACKED.items():
        if data.startswith(magic):
            raise _refused(file, f"is not CSV but a {name} archive", "Land it unpacked, or as Parquet.")
    if data[:2] in {b"\xff\xfe", b"\xfe\xff"}:
        raise _refused(file, "is UTF-16, not UTF-8", "Save it as UTF-8 and land it again.")
    if (at := data.find(b"\0")) >= 0:
        line = data.count(b"\n", 0, at) + 1
        raise _refused(
            file, f"holds a NUL byte in line {line}", "It is damaged, or not text; export it again.", line=line
        )
    try:
        return data.decode().removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        what = f"is not UTF-8: line {line} holds the byte 0x{data[error.start]:02x}"
        raise _refused(file, what, "If it is Latin-1 or Windows-1252, save it as UTF-8.", line=line) from None


def _header(text: str, file: str) -> list[str]:
    names = next(_records(text))[1]
    if len(names) == 1:
        for separator, called in _OTHER_SEPARATORS.items():
            if separator in names[0]:
                raise _refused(file, f"is separated by {called}", "Separate cells by commas.", line=1)
    doubled = sorted(name for name, count in Counter(names).items() if count > 1)
    if doubled:
        what = f"names the column {doubled[0]!r} twice in its header"
        raise _refused(
            file, what, "Nobody can tell which is meant; export each column once.", line=1, column=doubled[0]
        )
    if "" in names:
        place = names.index("") + 1
        raise _refused(file, f"has no name for column {place} in its header", "Name it or leave it out.", line=1)
    return names


def _records(text: str, *, strict: bool = False) -> Iterator[tuple[int, list[str]]]:
    """Every record with the line on which it begins; blank lines are none."""
    reader = csv.reader(io.StringIO(text, newline=""), strict=strict)
    begins = 1
    for record in reader:
        if record:
            yield begins, record
        begins = reader.line_num + 1


def _refuse_open_quote(text: str, file: str) -> None:
    last = 1
    try:
        for begins, _ in _records(text, strict=True):
            last = begins
    except csv.Error as error:
        if re.search("end of data|field limit|field larger", str(error)):
            last = _next_line(text, last)
            what = f"opens a quote in line {last} that is never closed: all that follows would be one cell"
            raise _refused(file, what, 'Close it, or write "" for a quote inside a cell.', line=last) from None


def _next_line(text: str, begins: int) -> int:
    """The line after the record that begins in line ``begins``."""
    starts = [start for start, _ in _records(text)]
    return next((start for start in starts if start > begins), begins)


def _ragged(text: str, names: list[str], file: str) -> PartitionRefused | None:
    for begins, record in _records(text):
        if len(record) != len(names):
            what = f"has {len(record)} cells in line {begins}, and its header {len(names)}"
            next_step = (
                "A cell with a comma needs quotes."
                if len(record) > len(names)
                else "Write missing cells as empty ones."
            )
            return _refused(file, what, next_step, line=begins)
    return None


def _line_of(text: str, row: int) -> int:
    for place, (begins, _) in enumerate(_records(text), start=-1):
        if place == row:
            return begins
    raise IndexError(row)


def _refused(file: str, what: str, next_step: str, **facts: object) -> PartitionRefused:
    return PartitionRefused(f"{file} {what}. {next_step}", file=file, **facts)
