"""Everybody's rows but one's: of a content, and of one whose refused rows wait apart from the rest."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import parquet

from flightworthy.adapters.dataset_files import staging
from flightworthy.adapters.dataset_files.parting import Joined
from flightworthy.dataset import Staged
from flightworthy.personal import text_of

__all__ = ["Left", "Others", "Pair"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Others:
    """`flightworthy.dataset.Rows`: those of a file that are not somebody's, by the values of a column."""

    file: Path
    column: str
    names: Collection[str]

    def left_out(self) -> int:
        """How many rows are theirs; none where there is no file, or no such column."""
        return int(self.theirs().sum())

    def theirs(self) -> np.ndarray:
        """Of each row whether it is theirs."""
        if not self.file.exists() or self.column not in parquet.read_schema(self.file).names:
            return np.zeros(0, dtype=bool)
        cells = parquet.read_table(self.file, columns=[self.column], partitioning=None)[self.column]
        return np.asarray(self._are_theirs(cells))

    def attempts(self) -> Iterator[Iterator[pa.RecordBatch]]:
        """The one reading that it takes."""
        yield self._batches()

    def _batches(self) -> Iterator[pa.RecordBatch]:
        with parquet.ParquetFile(self.file) as opened:
            for batch in opened.iter_batches():
                theirs = self._are_theirs(pa.chunked_array([batch[batch.schema.names.index(self.column)]]))
                yield batch.filter(pa.array(~theirs))

    def _are_theirs(self, cells: pa.ChunkedArray) -> np.ndarray:
        encoded = cells.combine_chunks().dictionary_encode()
        known = [value is not None and text_of(value) in self.names for value in encoded.dictionary.to_pylist()]
        found = pc.fill_null(pa.array(known, pa.bool_()).take(encoded.indices), False)
        return np.asarray(found.to_numpy(zero_copy_only=False), dtype=bool)


@dataclass(frozen=True, slots=True, kw_only=True)
class Left:
    """What is left of a `Pair`, in scratch files; ``digest`` is that of both put together."""

    kept: Staged
    waiting: Staged
    reasons: pa.Table
    digest: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """Rows that wait, in the folder ``waiting``, and the content that went on without them, in ``kept``."""

    kept: Path
    waiting: Path
    returned: Collection[int]
    """The numbers of rows in ``waiting`` that were taken back in: they are in ``kept`` too."""
    column: str
    names: Collection[str]

    def left_out(self) -> int:
        """How many rows of either are somebody's; none where what went on is not there any more."""
        if not (self.kept / "data.parquet").exists():
            return 0
        return self._others(self.kept).left_out() + self._others(self.waiting).left_out()

    def without(self, room: Path) -> Left:
        """Both without their rows, and the places of what waits counted anew."""
        kept, waiting = self._others(self.kept), self._others(self.waiting)
        reasons = parquet.read_table(self.waiting / "reasons.parquet", partitioning=None)
        if "number" not in reasons.column_names:
            # By which people know them.
            reasons = reasons.append_column("number", reasons["place"])
        places, theirs = reasons["place"].to_numpy(), waiting.theirs()
        apart = ~np.isin(reasons["number"].to_numpy(), list(self.returned))
        whole = np.zeros(int(apart.sum()) + len(kept.theirs()), dtype=bool)
        whole[places] = theirs
        whole[np.delete(np.arange(len(whole)), places[apart])] = kept.theirs()
        left = reasons.filter(pa.array(~theirs))
        moved = places[~theirs] - np.cumsum(whole)[places[~theirs]]
        left = left.set_column(left.column_names.index("place"), "place", pa.array(moved, pa.int64()))
        for name in ("kept", "waiting", "whole"):
            (room / name).mkdir()
        staged = staging.stage(kept, room / "kept" / "data.parquet")
        others = staging.stage(waiting, room / "waiting" / "data.parquet")
        picked = np.flatnonzero(apart[~theirs])
        joined = Joined(kept=staged.file, rows=others.file, picked=picked.tolist(), places=moved[picked].tolist())
        digest = staging.stage(joined, room / "whole" / "data.parquet").digest
        return Left(kept=staged, waiting=others, reasons=left, digest=digest)

    def _others(self, folder: Path) -> Others:
        return Others(file=folder / "data.parquet", column=self.column, names=self.names)
