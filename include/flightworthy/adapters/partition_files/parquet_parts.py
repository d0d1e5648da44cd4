"""Strict Parquet: a whole file, of flat columns; several files of one partition must agree on them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import parquet

from flightworthy.adapters.partition_files.columns import Sheet
from flightworthy.errors import PartitionRefused

__all__ = ["joined", "read"]


def read(data: bytes, file: str, *, largest: int) -> Sheet:
    """The columns of a file, of plain types. Nothing that unpacks to more than ``largest`` bytes is unpacked."""
    if not data:
        raise _refused(file, "is empty (0 bytes)", "The upload may have been cut short; land it again.")
    try:
        content = parquet.ParquetFile(pa.BufferReader(data))
        _check_columns(content.schema_arrow, file)
        _check_size(
            sum(content.metadata.row_group(each).total_byte_size for each in range(content.num_row_groups)),
            file,
            largest,
        )
        table = _bounded(content, file, largest)
    except (pa.ArrowException, OSError) as error:
        what = f"is not a whole Parquet file: {str(error).splitlines()[0].rstrip('.')}"
        raise _refused(file, what, "The upload may have been cut short; land it again.") from None
    if not table.num_rows:
        raise _refused(file, "holds no rows", "Land the rows, or no file if the interval had none.")
    return Sheet(file=file, cells=table, line_of=None)


def joined(tables: Sequence[pa.Table], files: Sequence[str]) -> pa.Table:
    """One table of all parts. Raises `PartitionRefused` unless the parts have the same columns of the same types."""
    first = tables[0]
    for table, file in zip(tables[1:], files[1:], strict=True):
        problem = _difference(first.schema, table.schema)
        if problem:
            what = f"does not go with {files[0]}, a part of the same partition: {problem}"
            raise _refused(file, what, "Write all parts with one schema.")
    return pa.concat_tables([table.select(first.column_names) for table in tables]).combine_chunks()


def _difference(one: pa.Schema, other: pa.Schema) -> str | None:
    for name in one.names:
        if name not in other.names:
            return f"column {name!r} is missing"
        if one.field(name).type != other.field(name).type:
            return f"column {name!r} is {other.field(name).type} here and {one.field(name).type} there"
    extra = [name for name in other.names if name not in one.names]
    return f"column {extra[0]!r} is only here" if extra else None


def _check_columns(schema: pa.Schema, file: str) -> None:
    doubled = [name for name, count in Counter(schema.names).items() if count > 1]
    if doubled:
        what = f"names the column {doubled[0]!r} twice"
        raise _refused(file, what, "Nobody can tell which is meant; write each column once.", column=doubled[0])
    for column in schema:
        if not _is_plain(column.type):
            what = f"column {column.name!r} is of the type {column.type}"
            next_step = "A partition has flat columns of numbers, text, booleans and times."
            raise _refused(file, what, next_step, column=column.name)


def _is_plain(kind: pa.DataType) -> bool:
    if pa.types.is_dictionary(kind):
        return _is_plain(kind.value_type)
    checks = (
        pa.types.is_integer, pa.types.is_floating, pa.types.is_decimal, pa.types.is_boolean, pa.types.is_null,
        pa.types.is_string, pa.types.is_large_string, pa.types.is_string_view, pa.types.is_date, pa.types.is_timestamp,
    )  # fmt: skip
    return any(check(kind) for check in checks)


def _check_size(size: int, file: str, largest: int) -> None:
    if size > largest:
        what = f"was not read: it unpacks to at least {size:,} bytes, and {largest:,} is the most"
        raise _refused(file, what, "Land smaller partitions.", size=size, largest=largest)


def _bounded(content: parquet.ParquetFile, file: str, largest: int) -> pa.Table:
    batches, size = [], 0
    # The footer's sizes are before dictionaries are unrolled; a page of one long text repeated is small only there.
    for batch in content.iter_batches(batch_size=8192):
        size += batch.nbytes
        _check_size(size, file, largest)
        batches.append(batch)
    table = pa.Table.from_batches(batches, schema=content.schema_arrow)
    return pa.table({name: _plain(table[name]) for name in table.column_names})


def _plain(column: pa.ChunkedArray) -> pa.ChunkedArray:
    kind = column.type
    if pa.types.is_dictionary(kind):
        column = pc.cast(column, kind.value_type)
    if pa.types.is_null(kind) or pa.types.is_large_string(column.type) or pa.types.is_string_view(column.type):
        return pc.cast(column, pa.string())
    return column


def _refused(file: str, what: str, next_step: str, **facts: object) -> PartitionRefused:
    return PartitionRefused(f"{file} {what}. {next_step}", file=file, **facts)
