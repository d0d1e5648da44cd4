"""Rows of one file picked by when they happened."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv as arrow_csv

from flightworthy.adapters.partition_files.cells import Cells, Place
from flightworthy.adapters.partition_files.scratch import Scratch
from flightworthy.errors import PartitionRefused
from flightworthy.partition import key_of
from flightworthy.spec import EventTime

__all__ = ["Sorted", "sorted_by_time"]

_LOST: Final = 0.01
_SHOWN: Final = 20
_ROWS_ALONE: Final = arrow_csv.WriteOptions(include_header=False)
"""A text is quoted and a missing cell is empty, so that no two rows are written alike."""


@dataclass(slots=True, kw_only=True)
class Sorted:
    """One file's rows by partition key."""

    uri: str
    scratch: Scratch = field(default_factory=Scratch)
    rows: int = 0
    nameless: int = 0
    refusals: list[PartitionRefused] = field(default_factory=list)
    """Of the first rows that belong to no partition, each with its line and why."""

    place: Place | None = None

    def cells(self, key: str) -> Iterator[Cells]:
        """The rows of one partition. Raises `PartitionRefused` if there are none."""
        keys = self.scratch.keys
        if key not in keys or self.place is None:
            raise PartitionRefused(
                f"{self.uri} holds no row of partition {key}. Its first is {keys[0]}, its last {keys[-1]}.", key=key
            )
        return self.scratch.cells(key, self.place)

    def digest(self, key: str) -> str:
        """Of the rows of one partition as they are written, in their order.

        It depends on nothing else in the file: neither on other partitions' rows, nor on where batches begin.
        """
        counted, kinds = hashlib.sha256(), dict[str, str]()
        for cells in self.cells(key):
            rows = pa.BufferOutputStream()
            arrow_csv.write_csv(cells.batch, rows, _ROWS_ALONE)
            counted.update(rows.getvalue())
            kinds = kinds or {each.name: str(each.type) for each in cells.batch.schema}
            for name, said in (cells.said or {}).items():
                if cells.batch.column(name).null_count < cells.batch.num_rows:
                    kinds[name] = said
        counted.update(repr(list(kinds.items())).encode())
        return counted.hexdigest()


def sorted_by_time(all_cells: Iterable[Cells], *, uri: str, event_time: EventTime, pattern: str) -> Sorted:
    """All rows, laid aside under the partition keys of their times.

    A row whose time cannot be read is in no partition, and is told. Many such rows mean that the format is not the
    file's: then `PartitionRefused`, rather than a dataset that quietly lost them.
    """
    found = Sorted(uri=uri)
    keys: dict[str | None, str | None] = {None: None}
    for cells in all_cells:
        found.place = cells.place
        times = _times(cells, event_time).dictionary_encode()
        texts = [*times.dictionary.to_pylist(), None]
        for text in texts:
            if text not in keys:
                keys[text] = _key(text, event_time.format, pattern)
        codes = pc.fill_null(times.indices, len(texts) - 1).to_numpy(zero_copy_only=False)
        _lay_aside(found, cells, [keys[text] for text in texts], codes)
        for row in _nameless(found, texts, keys, codes):
            found.refusals.append(_unreadable(cells, event_time, texts[codes[row]], row))
        found.rows += cells.batch.num_rows
    if found.nameless > _LOST * found.rows:
        first = found.refusals[0]
        raise PartitionRefused(f"{first.message} So it is for {found.nameless:,} rows.", **first.facts)
    return found


def _lay_aside(found: Sorted, cells: Cells, keys: list[str | None], codes: np.ndarray) -> None:
    names = sorted({key for key in keys if key is not None})
    places = np.array([names.index(key) if key is not None else -1 for key in keys])[codes]
    order = np.argsort(places, kind="stable")
    starts = np.searchsorted(places[order], np.arange(len(names) + 1))
    for place, key in enumerate(names):
        rows = order[starts[place] : starts[place + 1]]
        if len(rows):
            found.scratch.add(key, cells, rows)


def _nameless(
    found: Sorted, texts: list[str | None], keys: dict[str | None, str | None], codes: np.ndarray
) -> list[int]:
    lost = np.array([keys[text] is None for text in texts])
    rows = np.flatnonzero(lost[codes])
    found.nameless += len(rows)
    return [int(row) for row in rows[: max(_SHOWN - len(found.refusals), 0)]]


def _times(cells: Cells, event_time: EventTime) -> pa.Array:
    names = cells.batch.schema.names
    for name in event_time.columns:
        if name not in names:
            raise PartitionRefused(
                f"{cells.place.uri} has no column {name!r}, which source.event_time names; it has {', '.join(names)}.",
                column=name,
            )
    parts = [pc.cast(cells.batch.column(name), pa.string()) for name in event_time.columns]
    return pc.binary_join_element_wise(*parts, " ") if len(parts) > 1 else parts[0]


def _key(text: str | None, written: str | None, pattern: str) -> str | None:
    if text is None or written is None:
        return None
    try:
        instant = datetime.strptime(text, written)  # noqa: DTZ007 - a format may or may not hold %z
        return key_of(instant if instant.tzinfo else instant.replace(tzinfo=UTC), pattern)
    except (ValueError, OverflowError):  # 9999-12-31T23:59-05:00 is in no year that there is
        return None


def _unreadable(cells: Cells, event_time: EventTime, text: str | None, row: int) -> PartitionRefused:
    what = "the time is missing" if text is None else f"{text!r} is not written as {event_time.format!r}"
    next_step = "Nobody can tell whose partition the row is; correct it and land the file again."
    return cells.refused(" ".join(event_time.columns), row, what, next_step)
