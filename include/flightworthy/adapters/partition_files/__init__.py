"""Reads partitions where they land: CSV and Parquet, local or at any fsspec URL, and never by guessing.

What pandas would quietly repair (a shifted row, a doubled header, ``NA`` for Namibia, an id rounded to a float) is
refused or kept as written here. A refusal names file, column and line, and says what to do.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import pyarrow as pa

from flightworthy.adapters.partition_files import csv_text, parquet_parts
from flightworthy.adapters.partition_files.columns import Sheet, typed
from flightworthy.adapters.partition_files.event_time import keys_of_rows
from flightworthy.adapters.partition_files.listing import Landing
from flightworthy.errors import PartitionRefused
from flightworthy.partition import SourceFile
from flightworthy.spec import Source, Spec

__all__ = ["PartitionFiles"]

LARGEST: Final = 2 * 1024**3


@dataclass(slots=True, kw_only=True)
class PartitionFiles:
    """A `flightworthy.dataset.PartitionSource` of `pyarrow.Table`.

    ``types`` names what each declared column is (number, integer, category or boolean). A column whose cells are not
    of its type stays text, so that the expectations can show what it held. ``largest`` bounds, in bytes, each file and
    what it unpacks to; nothing larger is read.
    """

    source: Source
    types: Mapping[str, str]
    largest: int = LARGEST
    _sheets: dict[str, tuple[str, Sheet | PartitionRefused]] = field(default_factory=dict)

    @classmethod
    def of(cls, spec: Spec, *, largest: int = LARGEST) -> PartitionFiles:
        """The source of a model; the target is read as what ``positive`` is."""
        target = {bool: "boolean", int: "integer", str: "category"}[type(spec.positive)]
        types = {name: feature.type for name, feature in spec.features.items()}
        return cls(source=spec.source, types={**types, spec.target: target}, largest=largest)

    def files(self) -> tuple[SourceFile, ...]:
        """Every landed file by partition key; for rows picked by event time the one file, once per key it holds.

        A missing folder holds no files. Raises `PartitionRefused` if the keys of the one file cannot be told.
        """
        landed = Landing.of(self.source).files()
        if self.source.event_time is None:
            return landed
        return tuple(
            SourceFile(key=key, uri=file.uri, size=file.size, modified_at=file.modified_at)
            for file in landed
            for key in _or_raise(self._sheet(file)).keys
        )

    def read(self, keys: Sequence[str]) -> dict[str, pa.Table | PartitionRefused]:
        """The table of each key, typed, or why it cannot be read. A missing key is refused as such."""
        landed = Landing.of(self.source).files()
        contents: dict[str, Any] = {}
        for key in keys:
            parts = [file for file in landed if self.source.event_time is not None or file.key == key]
            try:
                contents[key] = self._partition(key, parts)
            except PartitionRefused as refusal:
                contents[key] = refusal
        return contents

    def unplaced(self) -> tuple[str, ...]:
        """The rows, of what was read so far, whose event time cannot be told; they are in no partition."""
        return tuple(
            row
            for _, sheet in self._sheets.values()
            if not isinstance(sheet, PartitionRefused)
            for row in sheet.unplaced
        )

    def _partition(self, key: str, files: Sequence[SourceFile]) -> pa.Table:
        if not files:
            raise PartitionRefused(f"partition {key} is no longer in its source; land it again", key=key)
        sheets = [_or_raise(self._sheet(file)).of(key) for file in files]
        return parquet_parts.joined([typed(sheet, self.types) for sheet in sheets], [file.uri for file in files])

    def _sheet(self, file: SourceFile) -> Sheet | PartitionRefused:
        """The file's cells, read once for as long as it does not change. Only the one file of many keys is kept."""
        kept, sheet = self._sheets.get(file.uri, ("", None))
        if sheet is None or kept != file.fingerprint:
            sheet = self._read(file)
            if self.source.event_time is not None:
                self._sheets[file.uri] = (file.fingerprint, sheet)
        return sheet

    def _read(self, file: SourceFile) -> Sheet | PartitionRefused:
        digest = None
        try:
            if file.size > self.largest:
                raise _too_large(file, self.largest)
            data = Landing.of(self.source).bytes_of(file)
            digest = hashlib.sha256(data).hexdigest()
            is_csv = file.uri.endswith(".csv")
            sheet = (
                csv_text.read(data, file.uri) if is_csv else parquet_parts.read(data, file.uri, largest=self.largest)
            )
            return keys_of_rows(sheet, self.source)
        except PartitionRefused as refusal:
            return PartitionRefused(refusal.message, **{"file": file.uri, "digest": digest, **refusal.facts})


def _or_raise(sheet: Sheet | PartitionRefused) -> Sheet:
    if isinstance(sheet, PartitionRefused):
        raise sheet
    return sheet


def _too_large(file: SourceFile, largest: int) -> PartitionRefused:
    return PartitionRefused(
        f"{file.uri} was not read: it has {file.size:,} bytes, and {largest:,} is the most for one file. "
        "Land smaller partitions: a finer source.partition, or several Parquet files under {partition}/.",
        file=file.uri,
        size=file.size,
        largest=largest,
    )
