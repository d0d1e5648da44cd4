"""Rows on their way in: a Parquet file written block by block beside the partitions, its digest taken as they pass."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import pyarrow as pa
from pyarrow import parquet

from flightworthy.adapters.dataset_files import writing
from flightworthy.adapters.dataset_files.content import CellsDigest, batches_of, blocks
from flightworthy.dataset import Rows, Staged

__all__ = ["stage"]


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
    digest, rows, writer = CellsDigest(), 0, None
    try:
        for block in blocks(batches):
            digest.update(block)
            rows += block.num_rows
            with writing.needing_disk(file):
                writer = writer or parquet.ParquetWriter(file, block.schema, compression="zstd")
                writer.write_table(block, row_group_size=max(block.num_rows, 1))
    finally:
        if writer is not None:
            with writing.needing_disk(file):
                writer.close()
    if writer is None:
        return None
    return Staged(
        file=file,
        digest=digest.hexdigest(),
        rows=rows,
        columns={column.name: str(column.type) for column in writer.schema},
        file_sha256=writing.sha256_of(file),
    )
