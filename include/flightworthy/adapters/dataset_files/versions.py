"""What dataset versions are made of, and which one each ask got: JSON beside the partitions.

Written by whoever holds the model's lock.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

from flightworthy.adapters.dataset_files import writing
from flightworthy.dataset import DatasetVersion, PartitionVersion
from flightworthy.errors import ArtifactRefused
from flightworthy.known import Ask, Cutoff, KnownSince

__all__ = ["answer", "answered", "asked_since", "is_recorded", "read", "record", "settle"]


def record(folder: Path, version: DatasetVersion) -> None:
    """Keep what ``version`` is made of, in the model's folder. Idempotent."""
    file = _file(folder, version.digest)
    if file.exists():
        # When it was last asked for, for retention.
        file.touch()
        return
    said: dict[str, Any] = {
        "digest": version.digest,
        "model": version.model,
        "partitions": [{"key": each.key, "digest": each.digest, "rows": each.rows} for each in version.partitions],
    }
    if version.cutoff is not None:
        since = version.cutoff.known_since
        said["cutoff"] = {
            "columns": list(since.columns),
            "written": since.written,
            "target": since.target,
            "by": version.cutoff.by.isoformat(),
            "unknown": dict(version.cutoff.unknown),
        }
    writing.replace_json(file, said)


def read(folder: Path, model: str, digest: str) -> DatasetVersion:
    """A recorded version by its digest, or the first twelve characters of it. Raises ArtifactRefused."""
    if not is_recorded(folder, digest):
        raise ArtifactRefused(
            f"{model} has no dataset version {digest[:12]}: {_file(folder, digest)} is missing or another's. "
            "Run ingest again; it names the versions it makes.",
            model=model,
            digest=digest,
        )
    return _version(model, writing.read_json(_file(folder, digest)))


def is_recorded(folder: Path, digest: str) -> bool:
    """Whether `read` finds it."""
    said = writing.read_json(_file(folder, digest), default=None)
    return said is not None and said["digest"].startswith(digest)


def asked_since(folder: Path, model: str, at: datetime) -> list[DatasetVersion]:
    """The versions that were recorded, for the first time or again, since then."""
    files = sorted((folder / "versions").glob("*.json"))
    since = [file for file in files if file.stat().st_mtime >= at.timestamp()]
    return [_version(model, writing.read_json(file)) for file in since]


def answer(folder: Path, ask: Ask, version: DatasetVersion) -> None:
    """Remember what an ask gets, unless a checked answer stands."""
    file = _ask_file(folder, ask, version.as_of)
    said = writing.read_json(file, default=None)
    if said is None or (not said["checked"] and said["dataset"] != version.digest):
        writing.replace_json(
            file,
            {
                "as_of": ask.as_of and ask.as_of.isoformat(),
                "window": ask.window,
                "dataset": version.digest,
                "checked": False,
            },
        )


def answered(folder: Path, ask: Ask, key: str) -> tuple[DatasetVersion, bool] | None:
    """What an ask got, and whether that was checked."""
    said = writing.read_json(_ask_file(folder, ask, key), default=None)
    if said is None:
        return None
    return replace(read(folder, ask.model, said["dataset"]), as_of=key), said["checked"]


def settle(folder: Path, version: DatasetVersion, left: DatasetVersion) -> None:
    """Whoever asked and got ``version`` gets from now on what its check left of it. Idempotent."""
    for file in sorted((folder / "asks" / writing.folder_name(version.as_of)).glob("*.json")):
        said = writing.read_json(file)
        if not said["checked"] and said["dataset"] == version.digest:
            writing.replace_json(file, {**said, "dataset": left.digest, "checked": True})


def _version(model: str, said: Mapping[str, Any]) -> DatasetVersion:
    partitions = tuple(PartitionVersion(model=model, **each) for each in said["partitions"])
    return DatasetVersion(
        model=model,
        as_of=partitions[-1].key if partitions else "",
        partitions=partitions,
        cutoff=_cutoff(said["cutoff"]) if "cutoff" in said else None,
    )


def _cutoff(said: Mapping[str, Any]) -> Cutoff:
    since = KnownSince(columns=tuple(said["columns"]), written=said["written"], target=said.get("target"))
    return Cutoff(known_since=since, by=datetime.fromisoformat(said["by"]), unknown=said["unknown"])


def _file(folder: Path, digest: str) -> Path:
    return folder / "versions" / f"{digest[:12]}.json"


def _ask_file(folder: Path, ask: Ask, key: str) -> Path:
    return folder / "asks" / writing.folder_name(key) / f"{ask.name}.json"
