"""Strict Parquet: a whole file, of flat columns, read a few rows at a time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import parquet

from flightworthy.adapters.partition_files.cells import Cells, refused
from flightworthy.adapters.partition_files.texts import checked
from flightworthy.adapters.partition_files.unpacking import LandedFile

__all__ = ["cells"]

_ROWS: Final = 2**16
"""Rows that are unpacked together; fewer where they are large."""
_ROWS_BYTES: Final = 32 * 1024**2


def cells(file: LandedFile, missing: tuple[str, ...]) -> Iterator[Cells]:
    """The columns of a file, of plain types, in batches. Nothing beyond the largest size allowed is unpacked.

    ``missing`` is what else of a text stands for no value.
    """
    if not file.size:
        raise refused(file.uri, "is empty (0 bytes)", "The upload may have been cut short; land it again.")
    first = 0
    with file.seekable() as opened:
        try:
            with parquet.ParquetFile(pa.PythonFile(opened, "r"), pre_buffer=False) as content:
                _check_columns(content.schema_arrow, file)
                for batch in _bounded(content, file):
                    plain = [_plain(column, missing) for column in batch.columns]
                    columns = pa.RecordBatch.from_arrays(plain, names=batch.schema.names)
                    yield checked(Cells(batch=columns, place=file, first=first))
                    first += batch.num_rows
        except (pa.ArrowException, OSError) as error:
            what = f"is not a whole Parquet file: {str(error).splitlines()[0].rstrip('.')}"
            raise refused(file.uri, what, "The upload may have been cut short; land it again.") from None
    if not first:
        raise refused(file.uri, "holds no rows", "Land the rows, or no file if the interval had none.")


def _check_columns(schema: pa.Schema, file: LandedFile) -> None:
    doubled = [name for name, count in Counter(schema.names).items() if count > 1]
    if doubled:
        what = f"names the column {doubled[0]!r} twice"
        raise refused(file.uri, what, "Nobody can tell which is meant; write each column once.", column=doubled[0])
    for column in schema:
        if not _is_plain(column.type):
            what = f"column {column.name!r} is of the type {column.type}"
            next_step = "A partition has flat columns of numbers, text, booleans and times."
            raise refused(file.uri, what, next_step, column=column.name)


def _is_plain(kind: pa.DataType) -> bool:
    if pa.types.is_dictionary(kind):
        return _is_plain(kind.value_type)
    checks = (
        pa.types.is_integer, pa.types.is_floating, pa.types.is_decimal, pa.types.is_boolean, pa.types.is_null,
        pa.types.is_string, pa.types.is_large_string, pa.types.is_string_view, pa.types.is_date, pa.types.is_timestamp,
    )  # fmt: skip
    return any(check(kind) for check in checks)


def _check_size(size: int, file: LandedFile) -> None:
    if size > file.largest:
        what = f"was not read: it unpacks to at least {size:,} bytes, and {file.largest:,} is the most"
        raise refused(
            file.uri, what, "Land smaller partitions, or raise source.largest.", size=size, largest=file.largest
        )


def _bounded(content: parquet.ParquetFile, file: LandedFile) -> Iterator[pa.RecordBatch]:
    groups = [content.metadata.row_group(each) for each in range(content.num_row_groups)]
    _check_size(sum(group.total_byte_size for group in groups), file)
    size, rows = 0, max(content.metadata.num_rows, 1)
    wide = max((group.total_byte_size for group in groups), default=0)
    most = max(min(_ROWS, _ROWS_BYTES * rows // max(wide, 1)), 64)
    # The footer's sizes are before dictionaries are unrolled; a page of one long text repeated is small only there.
    for batch in content.iter_batches(batch_size=min(most, 8192) if _may_unroll(content) else most):
        size += batch.nbytes
        _check_size(size, file)
        yield batch


def _may_unroll(content: parquet.ParquetFile) -> bool:
    return any(_is_text(column.type) for column in content.schema_arrow)


def _is_text(kind: pa.DataType) -> bool:
    if pa.types.is_dictionary(kind):
        return _is_text(kind.value_type)
    return any(check(kind) for check in (pa.types.is_string, pa.types.is_large_string, pa.types.is_string_view))


def _plain(column: pa.Array, missing: tuple[str, ...]) -> pa.Array:
    if pa.types.is_dictionary(column.type):
        column = pc.cast(column, column.type.value_type)
    if pa.types.is_null(column.type) or _is_text(column.type):
        column = pc.cast(column, pa.string())
        if missing:
            marked = pc.is_in(column, value_set=pa.array(missing, pa.string()))
            column = pc.if_else(marked, pa.scalar(None, pa.string()), column)
    return column
