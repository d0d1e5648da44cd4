"""What a partition holds, apart from how a file wrote it: plain types, a digest of the cells, one type per column."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

__all__ = ["digest_of", "frame_of", "plain", "united"]

_EXACT = 2**53


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
        return pc.if_else(pc.is_nan(column), pa.scalar(None, pa.float64()), column)
    if pa.types.is_null(kind) or pa.types.is_string(kind) or pa.types.is_string_view(kind):
        return pc.cast(column, pa.large_string())
    if pa.types.is_timestamp(kind):
        return pc.cast(column, pa.timestamp("us", tz=kind.tz))
    if pa.types.is_date(kind):
        return pc.cast(column, pa.date32())
    if kind in {pa.bool_(), pa.uint64(), pa.large_string()}:
        return column
    raise TypeError(f"a partition holds numbers, text, booleans and times; not {kind}")


def digest_of(table: pa.Table) -> str:
    """sha256 over names, types and cells of a `plain` table. The order of rows and columns counts."""
    digest = hashlib.sha256()
    schema = [[column.name, str(column.type)] for column in table.schema]
    digest.update(json.dumps([schema, table.num_rows]).encode())
    for name in table.column_names:
        column = table[name].combine_chunks()
        digest.update(np.packbits(column.is_null().to_numpy(zero_copy_only=False)).tobytes())
        for part in _bytes_of(column):
            digest.update(part)
    return digest.hexdigest()


def _bytes_of(column: pa.Array) -> list[bytes]:
    """The values alone; what stands beneath a missing cell is whatever its writer left there, and is blanked."""
    if pa.types.is_large_string(column.type):
        cells = pc.fill_null(column, "")
        lengths = pc.binary_length(cells).to_numpy(zero_copy_only=False).astype("<i8")
        return [lengths.tobytes(), "".join(cells.to_pylist()).encode()]
    if pa.types.is_boolean(column.type):
        return [np.packbits(pc.fill_null(column, False).to_numpy(zero_copy_only=False)).tobytes()]
    if pa.types.is_temporal(column.type):
        column = pc.cast(column, pa.int32() if column.type == pa.date32() else pa.int64())
    # Zero has a sign in floats, and -0.0 equals 0.0.
    return [(pc.fill_null(column, 0).to_numpy(zero_copy_only=False) + 0).tobytes()]


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
