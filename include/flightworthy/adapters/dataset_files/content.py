"""What a partition holds, apart from how a file wrote it: plain types, blocks of rows, a digest of the cells."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

__all__ = ["BLOCK", "CellsDigest", "batches_of", "blocks", "digest_of", "frame_of", "plain", "united"]

BLOCK: Final = 2**17
"""Rows that are hashed, and written as a row group, together. Part of what a digest is: it never changes."""
_EXACT = 2**53


def blocks(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.Table]:
    """The same rows in plain types, `BLOCK` at a time, however they were cut into batches; the last may be shorter.

    There is always at least one, if only to say the columns, unless there is no batch at all.
    """
    waiting: list[pa.RecordBatch] = []
    count = 0
    for batch in batches:
        waiting.append(batch)
        count += batch.num_rows
        while count >= BLOCK:
            table = pa.Table.from_batches(waiting)
            yield plain(table.slice(0, BLOCK))
            count -= BLOCK
            # Always one batch, even an empty one: it says the columns of a partition without rows.
            waiting = table.slice(BLOCK).to_batches() if count else []
    if waiting:
        yield plain(pa.Table.from_batches(waiting))


def plain(table: pa.Table) -> pa.Table:
    """The table with one type per kind of cell, no chunks, and none of the metadata that its writer left."""
    return pa.table({name: _plain(table[name].combine_chunks()) for name in table.column_names})


def _plain(column: pa.Array) -> pa.Array:
    kind = column.type
    if pa.types.is_dictionary(kind):
        return _plain(pc.cast(column, kind.value_type))
    if pa.types.is_integer(kind) and kind != pa.uint64():
        return pc.cast(column, pa.int64())
    if pa.types.is_floating(kind) or pa.types.is_decimal(kind):
        column = pc.cast(column, pa.float64())
        # A sum is no number if one of its parts is none, and costs a fraction of asking each.
        may_hold_nan = math.isnan(pc.sum(column).as_py() or 0.0)
        return pc.if_else(pc.is_nan(column), pa.scalar(None, pa.float64()), column) if may_hold_nan else column
    if pa.types.is_null(kind) or pa.types.is_string(kind) or pa.types.is_string_view(kind):
        return pc.cast(column, pa.large_string())
    if pa.types.is_timestamp(kind):
        return pc.cast(column, pa.timestamp("us", tz=kind.tz))
    if pa.types.is_date(kind):
        return pc.cast(column, pa.date32())
    if kind in {pa.bool_(), pa.uint64(), pa.large_string()}:
        return column
    raise TypeError(f"a partition holds numbers, text, booleans and times; not {kind}")


class CellsDigest:
    """sha256 over names, types and cells of the `blocks` of a partition. The order of rows and columns counts.

    Each column is hashed on its own, block by block, so that no more than a block is ever looked at.
    """

    def __init__(self) -> None:
        self._rows = 0
        self._schema: list[list[str]] = []
        self._columns: list[Any] = []

    def update(self, block: pa.Table) -> None:
        """Take in the next block."""
        if not self._columns:
            self._schema = [[column.name, str(column.type)] for column in block.schema]
            self._columns = [hashlib.sha256() for _ in self._schema]
        self._rows += block.num_rows
        for digest, column in zip(self._columns, block.columns, strict=True):
            for part in _bytes_of(column.combine_chunks()):
                digest.update(part)

    def hexdigest(self) -> str:
        """The digest of all blocks so far."""
        columns = [digest.hexdigest() for digest in self._columns]
        return hashlib.sha256(json.dumps([self._schema, self._rows, columns]).encode()).hexdigest()


def digest_of(table: pa.Table) -> str:
    """The `CellsDigest` of a whole table."""
    digest = CellsDigest()
    for block in blocks(batches_of(table)):
        digest.update(block)
    return digest.hexdigest()


def batches_of(table: pa.Table) -> list[pa.RecordBatch]:
    """A table's batches; an empty one where it has no rows, since that still says the columns."""
    return table.to_batches() or [pa.RecordBatch.from_pylist([], schema=table.schema)]


def _bytes_of(column: pa.Array) -> Iterator[Any]:
    """Which cells are missing, then the values; what stands beneath a missing cell is its writer's, and is blanked."""
    yield np.packbits(column.is_null().to_numpy(zero_copy_only=False)).tobytes()
    if pa.types.is_large_string(column.type):
        yield from _text_bytes(pc.fill_null(column, ""))
    elif pa.types.is_boolean(column.type):
        yield np.packbits(pc.fill_null(column, False).to_numpy(zero_copy_only=False)).tobytes()
    else:
        if pa.types.is_temporal(column.type):
            column = pc.cast(column, pa.int32() if column.type == pa.date32() else pa.int64())
        values = pc.fill_null(column, 0).to_numpy(zero_copy_only=False)
        # Zero has a sign in floats, and -0.0 equals 0.0.
        yield values + 0.0 if pa.types.is_floating(column.type) else values


def _text_bytes(cells: pa.Array) -> Iterator[Any]:
    yield pc.binary_length(cells).to_numpy(zero_copy_only=False).astype("<i8", copy=False)
    _, offsets, text = cells.buffers()
    if len(cells) and text is not None:
        ends = np.frombuffer(offsets, np.int64)[cells.offset : cells.offset + len(cells) + 1]
        yield memoryview(text)[int(ends[0]) : int(ends[-1])]


def united(tables: Sequence[pa.Table]) -> pa.Table:
    """All rows, each column of the type that holds it everywhere; a column that a table lacks is missing there."""
    fields: dict[str, pa.DataType] = {}
    for table in tables:
        for column in table.schema:
            known = fields.get(column.name)
            fields[column.name] = column.type if known is None else _wider(known, column.type)
    schema = pa.schema(list(fields.items()))
    return pa.concat_tables([_fitted(table, schema) for table in tables]) if tables else pa.table({})


def _wider(one: pa.DataType, other: pa.DataType) -> pa.DataType:
    if one == other:
        return one
    numbers = (pa.types.is_integer, pa.types.is_floating)
    if all(any(check(kind) for check in numbers) for kind in (one, other)):
        return pa.float64()
    return pa.large_string()


def _fitted(table: pa.Table, schema: pa.Schema) -> pa.Table:
    columns = []
    for column in schema:
        if column.name in table.column_names:
            columns.append(pc.cast(table[column.name], column.type, safe=False))
        else:
            columns.append(pa.nulls(table.num_rows, column.type))
    return pa.table(columns, schema=schema)


def frame_of(table: pa.Table) -> pd.DataFrame:
    """As pandas: whole numbers stay whole; with a gap they become floats, unless that would round them."""
    frame: pd.DataFrame = table.to_pandas()
    for name in table.column_names:
        column = table[name]
        if pa.types.is_integer(column.type) and column.null_count and _rounds(column):
            frame[name] = pd.array(column.to_pylist(), dtype="UInt64" if column.type == pa.uint64() else "Int64")
    return frame


def _rounds(column: pa.ChunkedArray) -> bool:
    extremes = pc.min_max(column).as_py()
    return extremes["min"] is not None and max(-extremes["min"], extremes["max"]) > _EXACT
