"""Where everything of a dataset lies, and who may write there: one at a time."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from flightworthy.adapters.dataset_files import writing
from flightworthy.dataset import PartitionVersion

__all__ = ["Places"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Places:
    """Folders below ``root``; they carry the first twelve characters of a digest."""

    root: Path

    def key_folder(self, model: str, key: str) -> Path:
        """All contents that a partition has had."""
        return self.root / model / "partitions" / writing.folder_name(key)

    def folder(self, partition: PartitionVersion) -> Path:
        """One content of a partition."""
        return self.key_folder(partition.model, partition.key) / partition.digest[:12]

    def quarantine_folder(self, model: str, key: str, digest: str) -> Path:
        """Where that content waits, or the rows that were set aside from it."""
        return self.quarantine_key_folder(model, key) / digest[:12]

    def quarantine_key_folder(self, model: str, key: str) -> Path:
        """All that was refused of a partition."""
        return self.root / model / "quarantine" / writing.folder_name(key)

    @contextmanager
    def locked(self, model: str) -> Iterator[None]:
        """One writer at a time."""
        with writing.locked(self.root / model):
            yield
