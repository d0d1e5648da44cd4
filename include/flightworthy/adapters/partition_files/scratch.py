"""Cells laid aside by partition key while one file of many partitions is read."""

from __future__ import annotations

import tempfile
import weakref
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa

from flightworthy.adapters.partition_files.cells import Cells, Place, Said

__all__ = ["Scratch"]

_NUMBER = "\0number"
"""The column that says which row of the file it was; no file can name one so."""


def _nameless() -> Any:
    return tempfile.TemporaryFile(prefix="flightworthy-")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Piece:
    start: int
    size: int
    said: Mapping[str, Said] | None


@dataclass(frozen=True, slots=True, kw_only=True, weakref_slot=True)
class Scratch:
    """One file in the temporary folder without a name, so that a killed process leaves nothing."""

    file: Any = field(default_factory=_nameless)
    pieces: dict[str, list[_Piece]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        weakref.finalize(self, self.file.close)

    @property
    def keys(self) -> tuple[str, ...]:
        return tuple(sorted(self.pieces))

    def add(self, key: str, cells: Cells, rows: np.ndarray) -> None:
        """Lay aside those ``rows`` of ``cells``."""
        numbers = rows + cells.first if cells.rows is None else cells.rows[rows]
        taken = cells.batch.take(pa.array(rows)).append_column(_NUMBER, pa.array(numbers, pa.int64()))
        start = self.file.tell()
        with pa.ipc.new_stream(pa.PythonFile(_StaysOpen(self.file), "w"), taken.schema) as writer:
            writer.write_batch(taken)
        self.pieces.setdefault(key, []).append(_Piece(start=start, size=self.file.tell() - start, said=cells.said))

    def cells(self, key: str, place: Place) -> Iterator[Cells]:
        """What was laid aside under ``key``, in the order of the file."""
        for piece in self.pieces.get(key, ()):
            self.file.seek(piece.start)
            with pa.ipc.open_stream(self.file.read(piece.size)) as reader:
                for batch in reader:
                    rows = batch.column(_NUMBER).to_numpy()
                    yield Cells(batch=batch.drop_columns([_NUMBER]), place=place, rows=rows, said=piece.said)


class _StaysOpen:
    """pyarrow closes what it has written to."""

    closed = False

    def __init__(self, file: Any) -> None:
        self.write, self.flush, self.tell = file.write, file.flush, file.tell

    def close(self) -> None:
        """Leave it."""
