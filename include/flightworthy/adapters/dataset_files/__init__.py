"""Keeps dataset versions as files: Parquet with a manifest, each partition version whole or not there at all.

::

    <root>/<model>/partitions/<key>/revisions.json          which contents the partition has had, the newest last;
                                                            when each was seen, and in which files
    <root>/<model>/partitions/<key>/<digest>/data.parquet
    <root>/<model>/partitions/<key>/<digest>/manifest.json
    <root>/<model>/partitions/<key>/<digest>/passed.json    once a suite has passed it
    <root>/<model>/quarantine/<key>/<digest>/reason.json    and its data.parquet, unless it could not be read
    <root>/<model>/versions/<digest>.json                   what a dataset version is made of
    <root>/<model>/asks/<key>/<ask>.json                    which version an ask as of an instant got, and gets again
    <root>/<model>/fingerprints.json                        of the files that were last read for each key

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
import pyarrow.compute as pc
from pyarrow import parquet

from flightworthy.adapters.dataset_files import staging, versions, writing
from flightworthy.adapters.dataset_files.content import digest_of, frame_of, united
from flightworthy.adapters.dataset_files.cutoff import is_known, known_rows
from flightworthy.adapters.dataset_files.erased import ErasedFiles
from flightworthy.adapters.dataset_files.erasing import DatasetErasure
from flightworthy.dataset import (
    DatasetVersion,
    PartitionVersion,
    Quarantined,
    Revision,
    Rows,
    Split,
    Staged,
    split_of,
)
from flightworthy.erasure import Replaced
from flightworthy.errors import ArtifactRefused, PartitionRefused
from flightworthy.known import Ask, KnownSince

__all__ = ["DatasetErasure", "DatasetFiles", "PartitionRows"]


@dataclass(frozen=True, slots=True, kw_only=True)
class DatasetFiles:
    """A `flightworthy.dataset.DatasetStore` of `flightworthy.dataset.Rows` under the folder ``root``.

    A `pyarrow.Table`, where somebody has one, is taken for its rows.
    """

    root: Path

    def current(self, model: str) -> dict[str, PartitionVersion]:
        return {key: contents[-1].partition for key, contents in self.history(model).items()}

    def keys(self, model: str) -> list[str]:
        """Every key that ever had a partition, in time order."""
        return sorted(writing.name_of(path) for path in writing.folders(self.root / model / "partitions"))

    def revisions(self, model: str, key: str) -> list[PartitionVersion]:
        """Every content of ``key`` that is not in quarantine, the current one last."""
        return [each.partition for each in self._contents(model, key)]

    def history(self, model: str) -> dict[str, list[Revision]]:
        return {key: contents for key in self.keys(model) if (contents := self._contents(model, key))}

    def _contents(self, model: str, key: str) -> list[Revision]:
        folder = self._key_folder(model, key)
        contents = []
        for seen in writing.read_json(folder / "revisions.json", default=[]):
            manifest = writing.read_json(folder / seen["digest"][:12] / "manifest.json", default=None)
            if manifest is not None:
                at, sources = datetime.fromisoformat(seen["seen_at"]), tuple(seen["sources"])
                contents.append(Revision(partition=_partition(manifest), seen_at=at, sources=sources))
        return contents

    def fingerprints(self, model: str) -> dict[str, str]:
        marks: dict[str, str] = writing.read_json(self.root / model / "fingerprints.json", default={})
        return marks

    def note_fingerprints(self, model: str, marks: Mapping[str, str]) -> None:
        with self._locked(model):
            known = self.fingerprints(model)
            if not marks.items() <= known.items():
                writing.replace_json(self.root / model / "fingerprints.json", dict(sorted({**known, **marks}.items())))

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
            self._add_revision(partition, sources, now)
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
        """Every value of a column in the version's rows, once; no column is read that is not needed."""
        needed = [column, *(version.cutoff.known_since.columns if version.cutoff else ())]
        tables = (self._columns(partition, needed) for partition in version.partitions)
        parts = [known_rows(table, version.cutoff)[column].unique() for table in tables]
        return list(dict.fromkeys(value for part in parts for value in part.to_pylist()))

    def frame(self, version: DatasetVersion) -> pd.DataFrame:
        """The rows of a dataset version in time order; a column's type is the one that holds it in every partition."""
        tables = (self._table(partition) for partition in version.partitions)
        return frame_of(united([known_rows(table, version.cutoff) for table in tables]))

    def splits(
        self, version: DatasetVersion, *, entity: str, holdout: float, validation: float
    ) -> dict[Split, pd.DataFrame]:
        """The rows to train on, to choose a trial by and to judge on; no entity is in two of them."""
        frame = self.frame(version)
        sides = frame[entity].map(lambda each: split_of(each, holdout=holdout, validation=validation))
        return {split: frame[sides == split].reset_index(drop=True) for split in Split}

    def record(self, version: DatasetVersion) -> None:
        with self._locked(version.model):
            versions.record(self.root / version.model, version)

    def version(self, model: str, digest: str) -> DatasetVersion:
        """A recorded dataset version by its digest (or the first twelve characters of it)."""
        return versions.read(self.root / model, model, digest)

    def has_version(self, model: str, digest: str) -> bool:
        """Whether a version with this digest was recorded here."""
        return versions.is_recorded(self.root / model, digest)

    def unknown_rows(self, partition: PartitionVersion, known_since: KnownSince, *, by: datetime) -> int:
        table = self._columns(partition, known_since.columns)
        return int(partition.rows - pc.sum(is_known(table, known_since, by)).as_py())

    def answered(self, ask: Ask, key: str) -> DatasetVersion | None:
        found = versions.answered(self.root / ask.model, ask, key)
        if found is None:
            return None
        version, is_checked = found
        is_whole = all(self._folder(partition).exists() for partition in version.partitions)
        return version if is_checked or is_whole else None

    def answer(self, ask: Ask, version: DatasetVersion) -> None:
        with self._locked(version.model):
            versions.answer(self.root / version.model, ask, version)

    def settle(self, version: DatasetVersion, left: DatasetVersion) -> None:
        with self._locked(version.model):
            versions.settle(self.root / version.model, version, left)

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

    def _columns(self, partition: PartitionVersion, names: Sequence[str]) -> pa.Table:
        """Those of the named columns that there are."""
        file = self._folder(partition) / "data.parquet"
        there = parquet.read_schema(file).names
        return parquet.read_table(file, columns=[name for name in names if name in there], partitioning=None)

    def _table(self, partition: PartitionVersion) -> pa.Table:
        file = self._folder(partition) / "data.parquet"
        table = parquet.read_table(file, partitioning=None) if file.exists() else None
        if table is None or digest_of(table) != partition.digest:
            raise self._refused(partition, file, "is not there" if table is None else _CHANGED)
        return table

    def _refused(self, partition: PartitionVersion, file: Path, what: str) -> ArtifactRefused:
        gone = ErasedFiles(folder=self.root / partition.model).replacement(partition.digest)
        return _refused(partition, file, what) if gone is None else _is_gone(partition, gone)

    def _add_revision(self, partition: PartitionVersion, sources: Sequence[str], now: datetime) -> None:
        file = self._key_folder(partition.model, partition.key) / "revisions.json"
        revisions = writing.read_json(file, default=[])
        if not revisions or revisions[-1]["digest"] != partition.digest:
            # A clock that was set back must not make a revision older than the one that it revises.
            seen_at = max([now.isoformat(), *(each["seen_at"] for each in revisions[-1:])], key=datetime.fromisoformat)
            seen = {"digest": partition.digest, "seen_at": seen_at, "sources": list(sources)}
            writing.replace_json(file, [*revisions, seen])

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
