"""A source whose rows were treated before anybody gets them, wherever and however they are read."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import pyarrow as pa

from flightworthy.adapters.personal_columns.protection import Protection
from flightworthy.dataset import PartitionSource, Rows
from flightworthy.errors import PartitionRefused
from flightworthy.partition import SourceFile

__all__ = ["ProtectedSource"]

ReadT = TypeVar("ReadT")


@dataclass(frozen=True, slots=True, kw_only=True)
class ProtectedSource:
    """A `flightworthy.dataset.PartitionSource` of another one's rows."""

    source: PartitionSource[Any]
    protection: Protection

    def files(self) -> Sequence[SourceFile]:
        try:
            return self.source.files()
        except PartitionRefused as refusal:
            raise _hushed(refusal, self.protection) from None

    def unplaced(self) -> Sequence[PartitionRefused]:
        return [_hushed(each, self.protection) for each in self.source.unplaced()]

    def read(self, keys: Sequence[str]) -> Mapping[str, Any]:
        """Each key's rows; one that could not be read stays refused."""
        return {
            key: _hushed(found, self.protection)
            if isinstance(found, PartitionRefused)
            else _Protected(rows=found, protection=self.protection)
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
        for batches in self._told(readings):
            yield self._treated(batches)

    def _treated(self, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        protect = self.protection.begin()
        for batch in self._told(batches):
            yield from _batches(protect(pa.Table.from_batches([batch])))

    def _told(self, read: Iterable[ReadT]) -> Iterator[ReadT]:
        """The source's refusals show the cell that they are about, which here may name a person."""
        try:
            yield from read
        except PartitionRefused as refusal:
            raise _hushed(refusal, self.protection) from None


def _hushed(refusal: PartitionRefused, protection: Protection) -> PartitionRefused:
    column = str(refusal.facts.get("column"))
    if not {column, *column.split(" ")} & protection.treatments.keys():
        return refusal
    where = ", ".join(f"{name} {refusal.facts[name]}" for name in ("line", "row") if name in refusal.facts)
    file = refusal.facts.get("file", "the source")
    return PartitionRefused(
        f"{file}{where and f' {where}'}, column {column!r}: a cell cannot be read as what the column is. It is not "
        "shown, since model.yaml declares the column as personal. Correct it at its source.",
        **refusal.facts,
    )


def _batches(table: pa.Table) -> list[pa.RecordBatch]:
    """An empty one where no row is left, since that still says the columns."""
    return table.combine_chunks().to_batches() or [pa.RecordBatch.from_pylist([], schema=table.schema)]
