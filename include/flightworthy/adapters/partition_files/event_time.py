"""Rows of one file picked by when they happened."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from flightworthy.adapters.partition_files.columns import Sheet
from flightworthy.errors import PartitionRefused
from flightworthy.partition import key_of
from flightworthy.spec import EventTime, Source

__all__ = ["keys_of_rows"]

_LOST: Final = 0.01
_SHOWN: Final = 20


def keys_of_rows(sheet: Sheet, source: Source) -> Sheet:
    """The sheet with the rows of every partition key; unchanged where a file holds one partition.

    A row whose time cannot be read is in no partition, and the sheet says so. Many such rows mean that the format is
    not the file's: then `PartitionRefused`, rather than a dataset that quietly lost them.
    """
    if source.event_time is None:
        return sheet
    times = _times(sheet, source.event_time).dictionary_encode()
    texts = times.dictionary.to_pylist()
    keys = [_key(text, source.event_time.format, source.partition) for text in texts]
    codes = pc.fill_null(times.indices, -1).to_numpy(zero_copy_only=False)
    picks = {}
    for key in sorted({key for key in keys if key is not None}):
        picks[key] = np.flatnonzero(np.isin(codes, [place for place, each in enumerate(keys) if each == key]))
    nameless = np.flatnonzero(np.isin(codes, [-1, *(place for place, key in enumerate(keys) if key is None)]))
    refusals = [
        _unreadable(sheet, source.event_time, texts[codes[row]] if codes[row] >= 0 else None, int(row))
        for row in nameless[:_SHOWN]
    ]
    if len(nameless) > _LOST * sheet.cells.num_rows:
        first = refusals[0]
        raise PartitionRefused(f"{first.message} So it is for {len(nameless):,} rows.", **first.facts)
    return replace(sheet, picks=picks, unplaced=tuple(refusal.message for refusal in refusals))


def _times(sheet: Sheet, event_time: EventTime) -> pa.Array:
    for name in event_time.columns:
        if name not in sheet.cells.column_names:
            raise PartitionRefused(
                f"{sheet.file} has no column {name!r}, which source.event_time names; "
                f"it has {', '.join(sheet.cells.column_names)}.",
                column=name,
            )
    parts = [pc.cast(sheet.cells[name].combine_chunks(), pa.string()) for name in event_time.columns]
    return pc.binary_join_element_wise(*parts, " ") if len(parts) > 1 else parts[0]


def _key(text: str, written: str, pattern: str) -> str | None:
    try:
        instant = datetime.strptime(text, written)  # noqa: DTZ007 - a format may or may not hold %z
    except ValueError:
        return None
    return key_of(instant if instant.tzinfo else instant.replace(tzinfo=UTC), pattern)


def _unreadable(sheet: Sheet, event_time: EventTime, text: str | None, row: int) -> PartitionRefused:
    what = "the time is missing" if text is None else f"{text!r} is not written as {event_time.format!r}"
    next_step = "Nobody can tell whose partition the row is; correct it and land the file again."
    return sheet.refused(" ".join(event_time.columns), row, what, next_step)
