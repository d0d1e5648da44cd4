"""Several files that are one partition: the same columns in each, whatever their order."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import pyarrow as pa

from flightworthy.adapters.partition_files.cells import Cells, refused

__all__ = ["joined"]


def joined(parts: Iterable[Iterator[Cells]]) -> Iterator[Cells]:
    """The rows of all parts. Raises `PartitionRefused` unless they have the same columns of the same types."""
    first: Cells | None = None
    for part in parts:
        agreed = False
        for cells in part:
            first = first or cells
            if not agreed:
                _check(first, cells)
                agreed = True
            yield cells if first.place is cells.place else _ordered(cells, first.batch.schema.names)


def _ordered(cells: Cells, names: list[str]) -> Cells:
    return Cells(
        batch=cells.batch.select(names), place=cells.place, first=cells.first, rows=cells.rows, said=cells.said
    )


def _check(first: Cells, cells: Cells) -> None:
    problem = _difference(first.batch.schema, cells.batch.schema)
    if problem:
        what = f"does not go with {first.place.uri}, a part of the same partition: {problem}"
        raise refused(cells.place.uri, what, "Write all parts with one schema.")


def _difference(one: pa.Schema, other: pa.Schema) -> str | None:
    for name in one.names:
        if name not in other.names:
            return f"column {name!r} is missing"
        here, there = other.field(name).type, one.field(name).type
        if _family(here) != _family(there):
            return f"column {name!r} is {here} here and {there} there"
    extra = [name for name in other.names if name not in one.names]
    return f"column {extra[0]!r} is only here" if extra else None


def _family(kind: pa.DataType) -> pa.DataType:
    """Types that are kept as one."""
    if pa.types.is_integer(kind) and kind != pa.uint64():
        return pa.int64()
    if pa.types.is_floating(kind):
        return pa.float64()
    if pa.types.is_timestamp(kind):
        return pa.timestamp("us", tz=kind.tz)
    return pa.date32() if pa.types.is_date(kind) else kind
