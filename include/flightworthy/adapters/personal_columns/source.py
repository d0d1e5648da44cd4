"""A source whose rows were treated before anybody gets them, wherever and however they are read."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from flightworthy.adapters.personal_columns.protection import Protection
from flightworthy.dataset import PartitionSource, Rows
from flightworthy.errors import PartitionRefused
from flightworthy.partition import SourceFile

__all__ = ["ProtectedSource"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ProtectedSource:
    """A `flightworthy.dataset.PartitionSource` of another one's rows."""

    source: PartitionSource[Any]
    protection: Protection

    def files(self) -> Sequence[SourceFile]:
        return self.source.files()

    def unplaced(self) -> Sequence[str]:
        return self.source.unplaced()

    def read(self, keys: Sequence[str]) -> Mapping[str, Any]:
        """Each key's rows; one that could not be read stays refused."""
        return {
            key: found if isinstance(found, PartitionRefused) else _Protected(rows=found, protection=self.protection)
            for key, found in self.source.read(keys).items()
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class _Protected:
    """`flightworthy.dataset.Rows`, treated batch by batch."""

    rows: Rows | pa.Table
    protection: Protection

    def attempts(self) -> Iterator[Iterator[pa.RecordBatch]]:
        """Each reading begins anew: what was seen in one that did not hold counts for nothing."""
        readings: Iterable[Iterable[pa.RecordBatch]]
        readings = [_batches(self.rows)] if isinstance(self.rows, pa.Table) else self.rows.attempts()
        for batches in readings:
            yield self._treated(batches)

    def _treated(self, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        protect = self.protection.begin()
        for batch in batches:
            yield from _batches(protect(pa.Table.from_batches([batch])))


def _batches(table: pa.Table) -> list[pa.RecordBatch]:
    """An empty one where no row is left, since that still says the columns."""
    return table.combine_chunks().to_batches() or [pa.RecordBatch.from_pylist([], schema=table.schema)]
