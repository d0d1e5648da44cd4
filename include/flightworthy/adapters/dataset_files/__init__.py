"""Keeps dataset versions as files: Parquet with a manifest, each partition version whole or not there at all.

::

    <root>/<model>/partitions/<key>/revisions.json          which contents the partition has had, the newest last
    <root>/<model>/partitions/<key>/<digest>/data.parquet
    <root>/<model>/partitions/<key>/<digest>/manifest.json
    <root>/<model>/partitions/<key>/<digest>/passed.json    once a suite has passed it
    <root>/<model>/quarantine/<key>/<digest>/reason.json    and its data.parquet, unless it could not be read
    <root>/<model>/versions/<digest>.json                   what a dataset version is made of

Folders carry the first twelve characters of a digest, files all of it. A process may be killed at any instant.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import pandas as pd
import pyarrow as pa
from pyarrow import parquet

from flightworthy.adapters.dataset_files import staging, writing
from flightworthy.adapters.dataset_files.content import digest_of, frame_of, united
from flightworthy.adapters.dataset_files.erased import ErasedFiles
from flightworthy.adapters.dataset_files.erasing import PartitionErasure
from flightworthy.dataset import DatasetVersion, PartitionVersion, Quarantined, Rows, Split, Staged, split_of
from flightworthy.erasure import Person, Removed, Replaced
from flightworthy.errors import ArtifactRefused, PartitionRefused
from flightworthy.personal import Keys

__all__ = ["DatasetFiles", "PartitionRows"]


@dataclass(frozen=True, slots=True, kw_only=True)
class DatasetFiles:
    """A `flightworthy.dataset.DatasetStore` of `flightworthy.dataset.Rows` under the folder ``root``.

    A `pyarrow.Table`, where somebody has one, is taken for its rows.
    """

    root: Path

    def current(self, model: str) -> dict[str, PartitionVersion]:
        return {key: versions[-1] for key in self.keys(model) if (versions := self.revisions(model, key))}

    def keys(self, model: str) -> list[str]:
        """Every key that ever had a partition, in time order."""
        return sorted(writing.name_of(path) for path in writing.folders(self.root / model / "partitions"))

    def revisions(self, model: str, key: str) -> list[PartitionVersion]:
        """Every content of ``key`` that is not in quarantine, the current one last."""
        folder = self._key_folder(model, key)
        versions = []
        for revision in writing.read_json(folder / "revisions.json", default=[]):
            manifest = writing.read_json(folder / revision["digest"][:12] / "manifest.json", default=None)
            if manifest is not None:
                versions.append(_partition(manifest))
        return versions

    @contextmanager
    def staged(self, model: str, content: Rows | pa.Table) -> Iterator[Staged]:
        """The rows in a file of this store's disk, read to the last and hashed on the way; gone when the block ends.

        Never more than some blocks of rows are in memory. What the rows raise while they are read is raised.
        """
        with writing.room(self.root / model) as room:
            yield staging.stage(content, room / "data.parquet")

    def write(
        self, model: str, key: str, content: Staged | Rows | pa.Table, *, sources: Sequence[str], now: datetime
    ) -> PartitionVersion:
        if not isinstance(content, Staged):
            with self.staged(model, content) as staged:
                return self.write(model, key, staged, sources=sources, now=now)
        partition = PartitionVersion(model=model, key=key, digest=content.digest, rows=content.rows)
        folder = self._folder(partition)
        with self._locked(model):
            if not folder.exists():
                with writing.new_folder(folder) as making:
                    writing.write_json(making / "manifest.json", _manifest(partition, content, sources, now))
                    content.file.rename(making / "data.parquet")
            # The content first: a name in the list without its folder would be a partition lost.
            self._add_revision(partition, now)
        return partition

    def read(self, partition: PartitionVersion) -> pd.DataFrame:
        """One partition's rows. Raises `ArtifactRefused` if the stored rows are not those of the digest."""
        return frame_of(self._table(partition))

    def rows(self, partition: PartitionVersion) -> PartitionRows:
        """One partition's rows where they lie. Raises `ArtifactRefused` if the file is not the one that was written."""
        file = self._folder(partition) / "data.parquet"
        known = writing.read_json(self._folder(partition) / "manifest.json", default={}).get("file_sha256")
        if not file.exists() or (known is not None and writing.sha256_of(file) != known):
            raise self._refused(partition, file, "is not there" if not file.exists() else _CHANGED)
        return PartitionRows(file=file)

    def distinct(self, version: DatasetVersion, column: str) -> list[Any]:
        """Every value of a column, once; no other column is read."""
        files = [self._folder(partition) / "data.parquet" for partition in version.partitions]
        parts = [parquet.read_table(file, columns=[column], partitioning=None)[column].unique() for file in files]
        return list(dict.fromkeys(value for part in parts for value in part.to_pylist()))

    def frame(self, version: DatasetVersion) -> pd.DataFrame:
        """All rows of a dataset version in time order; a column's type is the one that holds it in every partition."""
        return frame_of(united([self._table(partition) for partition in version.partitions]))

    def splits(
        self, version: DatasetVersion, *, entity: str, holdout: float, validation: float
    ) -> dict[Split, pd.DataFrame]:
        """The rows to train on, to choose a trial by and to judge on; no entity is in two of them."""
        frame = self.frame(version)
        sides = frame[entity].map(lambda each: split_of(each, holdout=holdout, validation=validation))
        return {split: frame[sides == split].reset_index(drop=True) for split in Split}

    def record(self, version: DatasetVersion) -> None:
        file = self.root / version.model / "versions" / f"{version.digest[:12]}.json"
        partitions = [{"key": each.key, "digest": each.digest, "rows": each.rows} for each in version.partitions]
        with self._locked(version.model):
            if not file.exists():
                said = {"digest": version.digest, "model": version.model, "partitions": partitions}
                writing.replace_json(file, said)

    def version(self, model: str, digest: str) -> DatasetVersion:
        """A recorded dataset version by its digest (or the first twelve characters of it)."""
        file = self.root / model / "versions" / f"{digest[:12]}.json"
        said = writing.read_json(file, default=None)
        if said is None or not said["digest"].startswith(digest):
            raise ArtifactRefused(
                f"{model} has no dataset version {digest[:12]}: {file} is missing or another's. "
                "Run ingest again; it names the versions it makes.",
                model=model,
                digest=digest,
            )
        partitions = tuple(PartitionVersion(model=model, **each) for each in said["partitions"])
        return DatasetVersion(model=model, as_of=partitions[-1].key if partitions else "", partitions=partitions)

    def has_passed(self, partition: PartitionVersion) -> bool:
        return (self._folder(partition) / "passed.json").exists()

    def mark_passed(self, partition: PartitionVersion, *, suite: str, now: datetime) -> None:
        with self._locked(partition.model):
            said = {"suite": suite, "passed_at": now.isoformat()}
            writing.replace_json(self._folder(partition) / "passed.json", said)

    def quarantined(self, model: str) -> list[Quarantined]:
        return [
            _quarantined(said, folder)
            for key_folder in writing.folders(self.root / model / "quarantine")
            for folder in writing.folders(key_folder)
            if (said := writing.read_json(folder / "reason.json", default=None)) is not None
        ]

    def quarantine(
        self, partition: PartitionVersion, *, reason: str, objections: Sequence[str], now: datetime
    ) -> Quarantined:
        before, after = (
            self._folder(partition),
            self._quarantine_folder(partition.model, partition.key, partition.digest),
        )
        with self._locked(partition.model):
            if before.exists() and after.exists():
                writing.remove_folder(before)
            elif before.exists():
                # The reason first: one rename then moves both, so that nothing is ever refused without saying why.
                said = _reason(partition.model, partition.key, partition.digest, reason, objections, now)
                writing.replace_json(before / "reason.json", said)
                writing.move_folder(before, after)
        return _quarantined(writing.read_json(after / "reason.json"), after)

    def refuse(self, model: str, key: str, refusal: PartitionRefused, *, now: datetime) -> Quarantined:
        digest = str(refusal.facts.get("digest") or writing.sha256(refusal.message.encode()))
        folder = self._quarantine_folder(model, key, digest)
        with self._locked(model):
            if not folder.exists():
                with writing.new_folder(folder) as making:
                    said = _reason(model, key, digest, refusal.message, [refusal.message], now)
                    writing.write_json(making / "reason.json", said)
        return _quarantined(writing.read_json(folder / "reason.json"), folder)

    def erased(self, model: str) -> Mapping[str, frozenset[str]]:
        """The pseudonyms of those who were erased, by the fingerprint of the key that made them."""
        return self._erased(model).by_key()

    def settle_key(self, model: str, keys: Keys) -> None:
        """Let the model's pseudonyms go with this key from now on. Raises Refused where they go with another."""
        with self._locked(model):
            self._erased(model).settle_key(keys)

    def list_erased(self, model: str, person: Person, *, now: datetime) -> None:
        """Put somebody on the list of those whose rows are left out. Idempotent."""
        with self._locked(model):
            self._erased(model).add(person.entity, person.key, now)

    def erase(
        self, model: str, person: Person, *, column: str, now: datetime, is_dry_run: bool = False
    ) -> list[Removed]:
        """Take somebody's rows out of every content of every partition, quarantine included. Idempotent."""
        folder = self.root / model
        if not folder.is_dir():
            return []
        erasure = PartitionErasure(folder=folder, person=person, column=column, now=now, is_dry_run=is_dry_run)
        with self._locked(model):
            return list(erasure.run())

    def replaced(self, model: str) -> list[Replaced]:
        """Every content that is gone for somebody's sake."""
        return list(self._erased(model).replaced())

    def gone(self, version: DatasetVersion) -> list[Replaced]:
        """The contents of a dataset version that are gone for somebody's sake: it can never be read as it was."""
        found = (self._erased(version.model).replacement(each.digest) for each in version.partitions)
        return [each for each in found if each is not None]

    def recorded(self, model: str) -> list[DatasetVersion]:
        """Every dataset version that was ever made."""
        files = sorted((self.root / model / "versions").glob("*.json"))
        return [self.version(model, writing.read_json(file)["digest"]) for file in files]

    def _erased(self, model: str) -> ErasedFiles:
        return ErasedFiles(folder=self.root / model)

    def _table(self, partition: PartitionVersion) -> pa.Table:
        file = self._folder(partition) / "data.parquet"
        table = parquet.read_table(file, partitioning=None) if file.exists() else None
        if table is None or digest_of(table) != partition.digest:
            raise self._refused(partition, file, "is not there" if table is None else _CHANGED)
        return table

    def _refused(self, partition: PartitionVersion, file: Path, what: str) -> ArtifactRefused:
        gone = self._erased(partition.model).replacement(partition.digest)
        return _refused(partition, file, what) if gone is None else _is_gone(partition, gone)

    def _add_revision(self, partition: PartitionVersion, now: datetime) -> None:
        file = self._key_folder(partition.model, partition.key) / "revisions.json"
        revisions = writing.read_json(file, default=[])
        if not revisions or revisions[-1]["digest"] != partition.digest:
            writing.replace_json(file, [*revisions, {"digest": partition.digest, "ingested_at": now.isoformat()}])

    def _key_folder(self, model: str, key: str) -> Path:
        return self.root / model / "partitions" / writing.folder_name(key)

    def _folder(self, partition: PartitionVersion) -> Path:
        return self._key_folder(partition.model, partition.key) / partition.digest[:12]

    def _quarantine_folder(self, model: str, key: str, digest: str) -> Path:
        return self.root / model / "quarantine" / writing.folder_name(key) / digest[:12]

    @contextmanager
    def _locked(self, model: str) -> Iterator[None]:
        with writing.locked(self.root / model):
            yield


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


def _manifest(partition: PartitionVersion, staged: Staged, sources: Sequence[str], now: datetime) -> dict[str, Any]:
    return {
        "model": partition.model,
        "key": partition.key,
        "digest": partition.digest,
        "rows": partition.rows,
        "columns": dict(staged.columns),
        "file_sha256": staged.file_sha256,
        "sources": list(sources),
        "ingested_at": now.isoformat(),
    }


def _partition(manifest: Mapping[str, Any]) -> PartitionVersion:
    return PartitionVersion(**{name: manifest[name] for name in ("model", "key", "digest", "rows")})


def _reason(model: str, key: str, digest: str, reason: str, objections: Sequence[str], now: datetime) -> dict[str, Any]:
    return {
        "model": model,
        "key": key,
        "digest": digest,
        "reason": reason,
        "objections": list(objections),
        "quarantined_at": now.isoformat(),
    }


def _quarantined(said: Mapping[str, Any], folder: Path) -> Quarantined:
    return Quarantined(
        model=said["model"],
        key=said["key"],
        digest=said["digest"],
        reason=said["reason"],
        objections=tuple(said["objections"]),
        quarantined_at=datetime.fromisoformat(said["quarantined_at"]),
        uri=str(folder),
    )
