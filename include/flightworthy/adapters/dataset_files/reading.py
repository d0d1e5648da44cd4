"""Rows that are kept, read again: only ever those that were written."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pandas as pd
import pyarrow as pa
from pyarrow import parquet

from flightworthy.adapters.dataset_files import writing
from flightworthy.adapters.dataset_files.content import digest_of, frame_of
from flightworthy.adapters.dataset_files.erased import ErasedFiles
from flightworthy.adapters.dataset_files.places import Places
from flightworthy.dataset import PartitionVersion
from flightworthy.erasure import Replaced
from flightworthy.errors import ArtifactRefused

__all__ = ["KeptRows", "PartitionRows"]

_CHANGED: Final = "holds other rows than when it was written"


@dataclass(frozen=True, slots=True, kw_only=True)
class PartitionRows:
    """A partition's rows in their file."""

    file: Path

    @property
    def files(self) -> tuple[Path, ...]:
        return (self.file,)

    @property
    def columns(self) -> tuple[str, ...]:
        return tuple(parquet.read_schema(self.file).names)

    def frame(self) -> pd.DataFrame:
        """All of them, as `DatasetFiles.read` gives them."""
        return frame_of(parquet.read_table(self.file, partitioning=None))


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptRows:
    """The rows below the places of a dataset."""

    places: Places

    def where(self, partition: PartitionVersion) -> PartitionRows:
        """One partition's rows where they lie. Raises `ArtifactRefused` if the file is not the one that was written."""
        file = self.places.folder(partition) / "data.parquet"
        known = writing.read_json(self.places.folder(partition) / "manifest.json", default={}).get("file_sha256")
        if not file.exists() or (known is not None and writing.sha256_of(file) != known):
            raise self._refused(partition, file, "is not there" if not file.exists() else _CHANGED)
        return PartitionRows(file=file)

    def columns(self, partition: PartitionVersion, names: Sequence[str]) -> pa.Table:
        """Those of the named columns that there are, each once."""
        file = self.places.folder(partition) / "data.parquet"
        there = parquet.read_schema(file).names
        return parquet.read_table(
            file, columns=[name for name in dict.fromkeys(names) if name in there], partitioning=None
        )

    def table(self, partition: PartitionVersion) -> pa.Table:
        """All of them. Raises `ArtifactRefused` if they are not those of the digest."""
        file = self.places.folder(partition) / "data.parquet"
        table = parquet.read_table(file, partitioning=None) if file.exists() else None
        if table is None or digest_of(table) != partition.digest:
            raise self._refused(partition, file, "is not there" if table is None else _CHANGED)
        return table

    def _refused(self, partition: PartitionVersion, file: Path, what: str) -> ArtifactRefused:
        gone = ErasedFiles(folder=self.places.root / partition.model).replacement(partition.digest)
        return _refused(partition, file, what) if gone is None else _is_gone(partition, gone)


def _refused(partition: PartitionVersion, file: Path, what: str) -> ArtifactRefused:
    return ArtifactRefused(
        f"{file} {what}: partition {partition.key} of {partition.model} was {partition.digest[:12]}. "
        "Remove its folder and run ingest again to take it from its source.",
        model=partition.model,
        key=partition.key,
        digest=partition.digest,
    )


def _is_gone(partition: PartitionVersion, gone: Replaced) -> ArtifactRefused:
    return ArtifactRefused(
        f"partition {partition.key} of {partition.model} is not what it was ({partition.digest[:12]}): somebody's rows "
        f"were erased from it at {gone.replaced_at}, and {gone.replaced_by[:12]} stands in its place. No dataset "
        "version with the old one can be read again; run ingest again for one without those rows.",
        model=partition.model,
        key=partition.key,
        digest=partition.digest,
        replaced_by=gone.replaced_by,
    )
