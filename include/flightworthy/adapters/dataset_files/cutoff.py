"""Which rows of a table were known before an instant."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

from flightworthy.known import Cutoff, KnownSince

__all__ = ["instants", "is_known", "known_rows"]

_INSTANT = pa.timestamp("us", tz="UTC")


def known_rows(table: pa.Table, cutoff: Cutoff | None) -> pa.Table:
    """The rows that a dataset version with this cutoff has; all of them without one."""
    return table if cutoff is None else table.filter(is_known(table, cutoff.known_since, cutoff.by))


def is_known(table: pa.Table, known_since: KnownSince, by: object) -> pa.ChunkedArray:
    """Of each row. One that does not say, that lacks its label, or whose column is not there, is not known yet."""
    if not set(known_since.looked_at) <= set(table.column_names):
        return pa.chunked_array([pa.nulls(table.num_rows, pa.bool_()).fill_null(False)])
    known = pc.fill_null(pc.less(instants(table, known_since), pa.scalar(by, _INSTANT)), False)
    return known if known_since.target is None else pc.and_(known, pc.is_valid(table[known_since.target]))


def instants(table: pa.Table, known_since: KnownSince) -> pa.ChunkedArray:
    """Since when each row says that it is known; missing where it says nothing, or nothing that can be read."""
    columns = [table[name] for name in known_since.columns]
    if len(columns) == 1 and pa.types.is_temporal(columns[0].type):
        return _utc(columns[0])
    texts = [pc.cast(column, pa.large_string()) for column in columns]
    joined = pc.binary_join_element_wise(*texts, pa.scalar(" ", pa.large_string())) if len(texts) > 1 else texts[0]
    # Few days are many rows: each way of writing is read once.
    encoded = pa.chunked_array([joined.combine_chunks()]).dictionary_encode().combine_chunks()
    said = [_read(text, known_since) for text in encoded.dictionary.to_pylist()]
    return pa.chunked_array([pc.take(pa.array(said, _INSTANT), encoded.indices)])


def _utc(column: pa.ChunkedArray) -> pa.ChunkedArray:
    if pa.types.is_timestamp(column.type) and column.type.tz is not None:
        return pc.cast(column, _INSTANT)
    return pc.assume_timezone(pc.cast(column, pa.timestamp("us")), "UTC")


def _read(text: str | None, known_since: KnownSince) -> object:
    try:
        return None if text is None else known_since.instant_of(text)
    except (ValueError, OverflowError):
        return None
