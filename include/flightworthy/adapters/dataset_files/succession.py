"""Whoever asked for an interval before somebody was erased gets what is left of it: the same partitions without them.

Written by whoever holds the model's lock, after the contents were replaced. Idempotent: it follows the tombstones.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pyarrow.compute as pc
from pyarrow import parquet

from flightworthy.adapters.dataset_files import versions, writing
from flightworthy.adapters.dataset_files.cutoff import is_known
from flightworthy.adapters.dataset_files.erased import ErasedFiles
from flightworthy.dataset import DatasetVersion, PartitionVersion
from flightworthy.known import Cutoff

__all__ = ["hand_on"]


def hand_on(folder: Path, erased: ErasedFiles) -> None:
    """Let every ask whose dataset version lost a content have the version that took its place."""
    for file in sorted((folder / "asks").glob("*/*.json")):
        said = writing.read_json(file)
        before = versions.read(folder, folder.name, said["dataset"])
        after = _successor(folder, before, erased)
        if after.digest != before.digest:
            # The version first: an ask that names one which is not there could not be answered.
            versions.record(folder, after)
            writing.replace_json(file, {**said, "dataset": after.digest})


def _successor(folder: Path, version: DatasetVersion, erased: ErasedFiles) -> DatasetVersion:
    partitions = tuple(_current(folder, each, erased) for each in version.partitions)
    cutoff = None if version.cutoff is None else _recounted(folder, version.cutoff, version, partitions)
    return replace(version, partitions=partitions, cutoff=cutoff)


def _current(folder: Path, partition: PartitionVersion, erased: ErasedFiles) -> PartitionVersion:
    digest = erased.follow(partition.digest)
    manifest = writing.read_json(_content(folder, partition.key, digest) / "manifest.json", default=None)
    # One that went into quarantine meanwhile is in no version that can be read, then as now.
    return partition if manifest is None else replace(partition, digest=digest, rows=manifest["rows"])


def _recounted(
    folder: Path, cutoff: Cutoff, version: DatasetVersion, partitions: tuple[PartitionVersion, ...]
) -> Cutoff | None:
    """The same rule over what is left."""
    unknown = dict(cutoff.unknown)
    for before, after in zip(version.partitions, partitions, strict=True):
        if before.digest != after.digest and unknown.pop(before.digest, 0):
            unknown[after.digest] = _unknown_rows(folder, after, cutoff)
    left = {digest: count for digest, count in unknown.items() if count}
    return replace(cutoff, unknown=left) if left else None


def _unknown_rows(folder: Path, partition: PartitionVersion, cutoff: Cutoff) -> int:
    file = _content(folder, partition.key, partition.digest) / "data.parquet"
    there = set(parquet.read_schema(file).names)
    columns = [name for name in cutoff.known_since.looked_at if name in there]
    table = parquet.read_table(file, columns=columns, partitioning=None)
    return partition.rows - int(pc.sum(is_known(table, cutoff.known_since, cutoff.by)).as_py() or 0)


def _content(folder: Path, key: str, digest: str) -> Path:
    return folder / "partitions" / writing.folder_name(key) / digest[:12]
