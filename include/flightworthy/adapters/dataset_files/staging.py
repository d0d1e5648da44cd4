"""Rows on their way in: a Parquet file written block by block beside the partitions, its digest taken as they pass."""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
from pyarrow import parquet

from flightworthy.adapters.dataset_files import writing
from flightworthy.adapters.dataset_files.content import CellsDigest, batches_of, blocks
from flightworthy.adapters.dataset_files.places import Places
from flightworthy.dataset import Rows, Staged

__all__ = ["stage", "staged"]

_WAITING: Final = 2
"""Blocks that were read and wait to be written."""


@contextmanager
def staged(places: Places, model: str, content: Rows | pa.Table) -> Iterator[Staged]:
    """The rows in a file of this store's disk, read to the last and hashed on the way; gone when the block ends.

    Never more than some blocks of rows are in memory. What the rows raise while they are read is raised.
    """
    with writing.room(places.root / model) as room:
        yield stage(content, room / "data.parquet")


def stage(content: Rows | pa.Table, file: Path) -> Staged:
    """Write the rows to ``file``. The same rows give the same bytes and the same digest, however they come in batches.

    Raises what the rows raise, and `Unavailable` where the disk does not take them.
    """
    attempts: Iterable[Iterable[pa.RecordBatch]]
    attempts = [batches_of(content)] if isinstance(content, pa.Table) else content.attempts()
    staged = None
    for batches in attempts:
        staged = _written(batches, file)
    if staged is None:
        raise ValueError("these rows were never read: they yielded no attempt, or not a single batch")
    return staged


def _written(batches: Iterable[pa.RecordBatch], file: Path) -> Staged | None:
    """None where an attempt ended before its first batch."""
    with closing(_Sink(file)) as sink, ThreadPoolExecutor(max_workers=1) as beside:
        pending: deque[Future[None]] = deque()
        for block in blocks(batches):
            # Hashing and writing take as long as reading does, and leave Python to the reader meanwhile.
            pending.append(beside.submit(sink.take, block))
            if len(pending) > _WAITING:
                pending.popleft().result()
        for each in pending:
            each.result()
    return sink.staged()


class _Hashed:
    """A file that is written once, from its first byte to its last, and hashed on the way."""

    def __init__(self, file: Path) -> None:
        self._opened = file.open("wb")
        self._digest = hashlib.sha256()
        self.flush, self.tell = self._opened.flush, self._opened.tell

    @property
    def closed(self) -> bool:
        return self._opened.closed

    def write(self, content: Any) -> int:
        self._digest.update(content)
        return self._opened.write(content)

    def close(self) -> None:
        self._opened.close()

    def sha256(self) -> str:
        """Of all that was written, in hexadecimal."""
        return self._digest.hexdigest()


class _Sink:
    """A Parquet file in the making and the digest of what is in it."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._digest = CellsDigest()
        self._rows = 0
        self._written: _Hashed | None = None
        self._writer: parquet.ParquetWriter | None = None

    def take(self, block: pa.Table) -> None:
        """Hash and write the next block."""
        self._digest.update(block)
        self._rows += block.num_rows
        with writing.needing_disk(self._file):
            if self._writer is None:
                self._written = _Hashed(self._file)
                self._writer = _writer(self._written, block.schema)
            self._writer.write_table(block, row_group_size=max(block.num_rows, 1))

    def close(self) -> None:
        """Write the file's end."""
        with writing.needing_disk(self._file):
            if self._writer is not None:
                self._writer.close()
            if self._written is not None:
                self._written.close()

    def staged(self) -> Staged | None:
        """What is in the file that was closed; None if there never was a block."""
        if self._writer is None or self._written is None:
            return None
        return Staged(
            file=self._file,
            digest=self._digest.hexdigest(),
            rows=self._rows,
            columns={column.name: str(column.type) for column in self._writer.schema},
            file_sha256=self._written.sha256(),
        )


def _writer(file: Any, schema: pa.Schema) -> parquet.ParquetWriter:
    """A dictionary pays for text; whole numbers are smallest, and three times as fast to read, as differences."""
    texts = [column.name for column in schema if pa.types.is_large_string(column.type)]
    wholes = [column.name for column in schema if pa.types.is_integer(column.type)]
    differences = dict.fromkeys(wholes, "DELTA_BINARY_PACKED")
    return parquet.ParquetWriter(file, schema, compression="zstd", use_dictionary=texts, column_encoding=differences)
