"""Rows whose times cannot be: what is not known, or not before it happened, is said and not passed over in silence."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from flightworthy.adapters.dataset_files.cutoff import instants, is_known
from flightworthy.known import KnownSince, Odd, RowTimes

__all__ = ["odd_times"]


def odd_times(table: pa.Table, times: RowTimes) -> tuple[Odd, ...]:
    """Known since what is no time; since before they happened; and since long ago, though they lack their label.

    An empty cell is no odd one: it says that the row is not known yet.
    """
    since = times.known_since
    known = instants(table, since)
    missing = [pc.is_null(table[name]) for name in since.columns]
    unread = pc.is_null(known)
    for each in missing:
        unread = pc.and_not(unread, each)
    early = pc.and_not(pc.less(known, _happened(table, times)), _is_same_day(known, _happened(table, times)))
    asked = (unread, early, _lacks_label(table, times))
    return tuple(_odd(table, since, each) for each in asked)


def _happened(table: pa.Table, times: RowTimes) -> pa.ChunkedArray:
    """When each row happened at the earliest."""
    begins = pa.scalar(times.begins, pa.timestamp("us", tz="UTC"))
    said = times.happened
    if said is None or not set(said.columns) <= set(table.column_names):
        return pa.chunked_array([pa.repeat(begins, table.num_rows)])
    return pc.fill_null(instants(table, said), begins)


def _is_same_day(known: pa.ChunkedArray, happened: pa.ChunkedArray) -> pa.ChunkedArray:
    """Midnight stands for its day, in whose course a row may well have happened."""
    return pc.equal(known, pc.floor_temporal(happened, unit="day"))


def _lacks_label(table: pa.Table, times: RowTimes) -> pa.ChunkedArray:
    since = times.known_since
    if since.target is None:
        return pa.chunked_array([pa.nulls(table.num_rows, pa.bool_())])
    is_due = is_known(table, KnownSince(columns=since.columns, written=since.written), times.now)
    return pc.and_(is_due, pc.is_null(table[since.target]))


def _odd(table: pa.Table, since: KnownSince, asked: pa.ChunkedArray) -> Odd:
    places = np.flatnonzero(pc.fill_null(asked, False).to_numpy())
    if not len(places):
        return Odd(places=(), example=None)
    first = " ".join(str(table[name][int(places[0])].as_py()) for name in since.columns)
    return Odd(places=tuple(places.tolist()), example=first)
