"""The columns of Parquet files as pandas would show them, known without reading a row of them where the files say so.

A suite must mean the same on both engines, and its types are pandas': whole numbers with a gap are floats there, unless
floats would round them.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import parquet

__all__ = ["Column", "columns_of"]

_EXACT: Final = 2**53
_OBJECT: Final = np.dtype(object)


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """A column: what DuckDB selects for it, and what pandas would call it."""

    name: str
    dtype: Any
    """pandas' own."""
    example: object
    """A value of the kind that an object column holds; None for the other columns, and where all are missing."""
    widened: bool
    """Whole numbers that are floats because some are missing."""

    @property
    def is_empty(self) -> bool:
        """Nothing but gaps."""
        return bool(self.dtype == _OBJECT and self.example is None)

    @property
    def is_text(self) -> bool:
        return isinstance(self.example, str) or self.is_empty

    @property
    def is_number(self) -> bool:
        return bool(pd.api.types.is_numeric_dtype(self.dtype)) and not self.is_boolean

    @property
    def is_whole(self) -> bool:
        """Whole numbers, that stay so."""
        return self.is_number and not str(self.dtype).startswith("float")

    @property
    def is_boolean(self) -> bool:
        return bool(pd.api.types.is_bool_dtype(self.dtype)) or isinstance(self.example, bool)

    @property
    def kind(self) -> str:
        """What its values can be compared with: a truth counts as a number, as in Python."""
        if self.is_text:
            return "text"
        return "number" if self.is_number or self.is_boolean else str(self.dtype)

    def comparable(self, values: Iterable[Any]) -> list[Any]:
        """Those of ``values`` that could stand in the column: ``"7"`` is no number."""
        if self.is_text:
            return [value for value in values if isinstance(value, str)]
        if self.is_number or self.is_boolean:
            return [value for value in values if isinstance(value, bool | int | float)]
        return [value for value in values if value is not None]

    def held(self, values: Iterable[Any]) -> list[Any]:
        """Those of ``values`` that could stand in the column, as it would hold them: of its own type, none rounded."""
        comparable = self.comparable(values)
        if self.is_boolean:
            return [bool(value) for value in comparable if value in {0, 1}]
        if not self.is_number:
            return comparable
        if self.is_whole:
            return [int(value) for value in comparable if value == value // 1]
        return [float(value) for value in comparable]


def columns_of(files: Sequence[Path]) -> tuple[Column, ...]:
    """The columns of files that share a schema, in order. Raises what pyarrow raises where there is no such file."""
    schema = parquet.read_schema(files[0])
    return tuple(_column(files, field) for field in schema)


def _column(files: Sequence[Path], field: pa.Field) -> Column:
    missing, rows, extremes = _counts(files, field.name)
    gap = missing > 0
    widened = pa.types.is_integer(field.type) and gap and not any(abs(each) > _EXACT for each in extremes)
    example = _example(field.type, gap=gap)
    return Column(
        name=field.name,
        dtype=np.dtype(float) if widened else _dtype(field.type, gap=gap),
        example=example if missing < rows else None,
        widened=widened,
    )


def _dtype(kind: pa.DataType, *, gap: bool) -> Any:
    if pa.types.is_timestamp(kind):
        return pd.DatetimeTZDtype("us", kind.tz) if kind.tz else np.dtype("datetime64[us]")
    if _example(kind, gap=gap) is not None:
        return _OBJECT
    if pa.types.is_integer(kind) and gap:
        return pd.UInt64Dtype() if kind == pa.uint64() else pd.Int64Dtype()
    return np.dtype(kind.to_pandas_dtype())


def _example(kind: pa.DataType, *, gap: bool) -> object:
    """What a cell holds where pandas keeps Python's own objects."""
    if pa.types.is_string(kind) or pa.types.is_large_string(kind):
        return "text"
    if pa.types.is_date(kind):
        return dt.date(2000, 1, 1)
    return True if pa.types.is_boolean(kind) and gap else None


def _counts(files: Sequence[Path], name: str) -> tuple[int, int, list[int]]:
    """How many are missing, of how many; and the lowest and highest whole number."""
    missing = rows = 0
    extremes: list[int] = []
    for file in files:
        metadata = parquet.read_metadata(file)
        place = next(at for at in range(metadata.num_columns) if metadata.schema.column(at).path == name)
        chunks = [metadata.row_group(group).column(place).statistics for group in range(metadata.num_row_groups)]
        rows += metadata.num_rows
        if all(chunk is not None and chunk.has_null_count for chunk in chunks):
            missing += sum(chunk.null_count for chunk in chunks)
            ends = [end for chunk in chunks if chunk.has_min_max for end in (chunk.min, chunk.max)]
        else:
            column = parquet.read_table(file, columns=[name], partitioning=None)[name]
            missing += column.null_count
            ends = list(pc.min_max(column).as_py().values()) if pa.types.is_integer(column.type) else []
        extremes += [end for end in ends if isinstance(end, int)]
    return missing, rows, extremes
