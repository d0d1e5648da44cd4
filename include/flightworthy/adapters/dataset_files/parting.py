"""A partition without some of its rows, only those rows, and both put together again: batch by batch.

Each is a `flightworthy.dataset.Rows`; places are counted from 0 and grow.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
from pyarrow import parquet

__all__ = ["Joined", "Only", "Without"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Without:
    """The rows of ``file`` but those at ``places``."""

    file: Path
    places: Sequence[int]

    def attempts(self) -> Iterator[Iterator[pa.RecordBatch]]:
        """The one reading that it takes."""
        yield _parted(self.file, self.places, wanted=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Only:
    """The rows of ``file`` at ``places``."""

    file: Path
    places: Sequence[int]

    def attempts(self) -> Iterator[Iterator[pa.RecordBatch]]:
        """The one reading that it takes."""
        yield _parted(self.file, self.places, wanted=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Joined:
    """The rows of ``kept``, with those of ``rows`` that are ``picked`` at their ``places`` in between."""

    kept: Path
    rows: Path
    picked: Sequence[int]
    places: Sequence[int]

    def attempts(self) -> Iterator[Iterator[pa.RecordBatch]]:
        """The one reading that it takes."""
        yield self._batches()

    def _batches(self) -> Iterator[pa.RecordBatch]:
        rows = parquet.read_table(self.rows, partitioning=None).take(pa.array(self.picked, pa.int64()))
        theirs = np.asarray(self.places, np.int64)
        with parquet.ParquetFile(self.kept) as kept:
            mine = np.delete(np.arange(kept.metadata.num_rows + len(theirs)), theirs)
            place = 0
            for batch in kept.iter_batches():
                ours, mine = mine[: batch.num_rows], mine[batch.num_rows :]
                # Those that stand before the last row of this batch; after the last of all, the rest.
                end = int(np.searchsorted(theirs, ours[-1])) if len(mine) else len(theirs)
                order = np.argsort(np.concatenate([ours, theirs[place:end]]), kind="stable")
                both = pa.concat_tables([pa.Table.from_batches([batch]), rows.slice(place, end - place)])
                yield from both.take(order).to_batches()
                place = end


def _parted(file: Path, places: Sequence[int], *, wanted: bool) -> Iterator[pa.RecordBatch]:
    picked = np.asarray(places, np.int64)
    with parquet.ParquetFile(file) as opened:
        begin = 0
        for batch in opened.iter_batches():
            inside = picked[(picked >= begin) & (picked < begin + batch.num_rows)] - begin
            mask = np.full(batch.num_rows, not wanted)
            mask[inside] = wanted
            yield batch.filter(pa.array(mask))
            begin += batch.num_rows
