"""Keeps dataset versions as files: Parquet with a manifest, each partition version whole or not there at all.

::

    <root>/<model>/partitions/<key>/revisions.json          which contents the partition has had, the newest last;
                                                            when each was seen, and in which files
    <root>/<model>/partitions/<key>/<digest>/data.parquet
    <root>/<model>/partitions/<key>/<digest>/manifest.json
    <root>/<model>/partitions/<key>/<digest>/passed.json    once a suite has passed it
    <root>/<model>/quarantine/<key>/<digest>/               see `quarantine`
    <root>/<model>/versions/<digest>.json                   what a dataset version is made of
    <root>/<model>/asks/<key>/<ask>.json                    which version an ask as of an instant got, and gets again
    <root>/<model>/fingerprints.json                        of the files that were last read for each key

Folders carry the first twelve characters of a digest, files all of it. A process may be killed at any instant.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
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
from flightworthy.adapters.dataset_files.parting import Joined, Only, Without
from flightworthy.adapters.dataset_files.places import Places
from flightworthy.adapters.dataset_files.quarantine import QuarantineFiles
from flightworthy.dataset import DatasetVersion, PartitionVersion, Revision, Rows, Split, Staged, split_of
from flightworthy.erasure import Replaced
from flightworthy.errors import ArtifactRefused, PartitionRefused
from flightworthy.known import Ask, KnownSince
from flightworthy.quarantine import Discard, Quarantined, RefusedRows

__all__ = ["DatasetErasure", "DatasetFiles", "PartitionRows"]


@dataclass(frozen=True, slots=True, kw_only=True)
class DatasetFiles:
    """A `flightworthy.dataset.DatasetStore` of `flightworthy.dataset.Rows` under the folder ``root``.

    A `pyarrow.Table`, where somebody has one, is taken for its rows.
    """

    root: Path

    def current(self, model: str) -> dict[str, PartitionVersion]:
        newest = {key: contents[-1] for key, contents in self.history(model).items()}
        return {key: each.partition for key, each in newest.items() if not each.is_pruned}

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
            if manifest is not None or "pruned" in seen:
                partition = PartitionVersion(**seen["pruned"]) if manifest is None else _partition(manifest)
                at, sources = datetime.fromisoformat(seen["seen_at"]), tuple(seen["sources"])
                contents.append(Revision(partition=partition, seen_at=at, sources=sources, is_pruned=manifest is None))
        return contents

    def asked_since(self, model: str, at: datetime) -> list[DatasetVersion]:
        """The dataset versions that somebody made or asked for since then."""
        return versions.asked_since(self.root / model, model, at)

    def let_go(self, partition: PartitionVersion) -> None:
        """Remove a content's rows; that it was there, and when, is still known. Idempotent."""
        with self._locked(partition.model):
            listed = self._listed(partition.model, partition.key)
            told = {"model": partition.model, "key": partition.key, "digest": partition.digest, "rows": partition.rows}
            # Told before it is done: a content that is gone without a word would make a revision the first one.
            writing.replace_json(
                self._key_folder(partition.model, partition.key) / "revisions.json",
                [{**each, "pruned": told} if each["digest"] == partition.digest else each for each in listed],
            )
            if self._folder(partition).exists():
                writing.remove_folder(self._folder(partition))

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
        with self._locked(model):
            self._keep(partition, content, _manifest(partition, content, sources, now))
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
        return self._quarantine.all(model)

    def refused(self, model: str) -> list[Quarantined]:
        """Partitions that wait whole: nobody has given them up, and nothing was taken in for them since."""
        return [
            held
            for held in self.quarantined(model)
            if held.is_whole and held.discarded is None and not self._is_mended(held)
        ]

    def quarantine(
        self, partition: PartitionVersion, *, reason: str, objections: Sequence[str], now: datetime
    ) -> Quarantined:
        with self._locked(partition.model):
            known = len(self._listed(partition.model, partition.key))
            return self._quarantine.put(partition, reason=reason, objections=objections, known=known, now=now)

    def refuse(self, model: str, key: str, refusal: PartitionRefused, *, now: datetime) -> Quarantined:
        with self._locked(model):
            return self._quarantine.note(model, key, refusal, known=len(self._listed(model, key)), now=now)

    def part(self, partition: PartitionVersion, places: Sequence[int]) -> PartitionVersion:
        """Write ``partition`` without the rows at ``places``; it is a revision once they are set aside. Idempotent."""
        manifest = writing.read_json(self._folder(partition) / "manifest.json")
        with self.staged(partition.model, Without(file=self.rows(partition).file, places=tuple(places))) as staged:
            kept = replace(partition, digest=staged.digest, rows=staged.rows)
            with self._locked(partition.model):
                said = {**manifest, "digest": kept.digest, "rows": kept.rows, "file_sha256": staged.file_sha256}
                self._keep(kept, staged, {**said, "source_digest": _source_digest(manifest)})
        return kept

    def forget(self, kept: PartitionVersion) -> None:
        """Take away what was parted in vain. What is a revision stays."""
        with self._locked(kept.model):
            listed = self._listed(kept.model, kept.key)
            if kept.digest not in {each["digest"] for each in listed} and self._folder(kept).exists():
                writing.remove_folder(self._folder(kept))

    def set_aside(
        self, partition: PartitionVersion, kept: PartitionVersion, refused: RefusedRows, *, reason: str, now: datetime
    ) -> Quarantined:
        """Have ``kept`` go on for ``partition``, whose other rows wait. No row is lost, at whatever instant it dies."""
        only = Only(file=self.rows(partition).file, places=refused.places)
        with self.staged(partition.model, only) as staged:
            if kept.rows + staged.rows != partition.rows:
                raise _uneven(partition, kept, staged.rows)
            with self._locked(partition.model):
                held = self._quarantine.set_aside(partition, kept, staged, refused, reason=reason, now=now)
        self.go_on(held, now=now)
        return held

    def go_on(self, held: Quarantined, *, now: datetime) -> PartitionVersion:
        """See `flightworthy.dataset.DatasetStore`."""
        if held.kept is None:
            raise ValueError(f"{held.uri} holds a whole partition; nothing went on without it")
        before = self._key_folder(held.model, held.key) / held.digest[:12]
        with self._locked(held.model):
            # The rest is current before the whole goes: at no instant is a row in neither place.
            # It is known since the whole is, which it goes on for.
            seen = self._seen(held.model, held.key, held.digest)
            self._list(held.kept, {"source_digest": held.source_digest, **seen})
            if before.exists():
                writing.remove_folder(before)
        return held.kept

    def may_return(self, held: Quarantined) -> None:
        """See `flightworthy.quarantine.verbs.QuarantineStore`."""
        if held.rows is None:
            raise _cannot_return(held, "nobody could read it. Land a corrected one, or give it up with `discard`")
        stands = self.current(held.model).get(held.key)
        if self._is_mended(held) if held.kept is None else stands not in {held.kept, _content(held)}:
            raise _cannot_return(held, "another content of it has come since, and stands. Give this one up")

    def take_back(self, held: Quarantined, *, actor: str, reason: str, now: datetime) -> PartitionVersion:
        """See `flightworthy.quarantine.verbs.QuarantineStore`."""
        partition, waiting = _content(held), Path(held.uri)
        passed = {"suite": None, "passed_at": now.isoformat(), "waived": {"actor": actor, "reason": reason}}
        if held.kept is None:
            with self._locked(held.model):
                # The folder last: until then all of it waits, and whoever asks again finds it there.
                (waiting / "discarded.json").unlink(missing_ok=True)
                writing.replace_json(waiting / "passed.json", passed)
                self._list(partition, self._seen(held.model, held.key, held.digest))
                writing.move_folder(waiting, self._folder(partition))
                return partition
        return self._put_together(held, held.kept, passed, now)

    def _put_together(
        self, held: Quarantined, kept: PartitionVersion, passed: Mapping[str, Any], now: datetime
    ) -> PartitionVersion:
        """What the source had delivered: the rows that went on and those that wait, each in its place."""
        partition, refused = _content(held), self._quarantine.refused_rows(held)
        manifest = writing.read_json(self._folder(kept) / "manifest.json")
        whole = Joined(kept=self.rows(kept).file, rows=Path(held.uri) / "data.parquet", places=refused.places)
        with self.staged(held.model, whole) as staged:
            if staged.digest != held.digest:
                raise _cannot_return(held, "its rows are not those that were set aside: somebody changed them")
            with self._locked(held.model):
                said = {**manifest, "digest": staged.digest, "rows": staged.rows, "file_sha256": staged.file_sha256}
                self._keep(partition, staged, said)
                writing.replace_json(self._folder(partition) / "passed.json", passed)
                self._add_revision(partition, manifest["sources"], now)
                # The waiting rows last: until then whoever asks again finds them.
                writing.remove_folder(Path(held.uri))
        return partition

    def give_up(self, held: Quarantined, discard: Discard) -> None:
        """See `flightworthy.quarantine.verbs.QuarantineStore`."""
        with self._locked(held.model):
            self._quarantine.give_up(held, discard)

    def waiting_rows(self, held: Quarantined) -> tuple[pa.Table, RefusedRows | None]:
        """The rows that wait, and where only some of a partition do, the place of each and its reasons."""
        return self._quarantine.rows(held), None if held.is_whole else self._quarantine.refused_rows(held)

    def _is_mended(self, held: Quarantined) -> bool:
        folder = self._key_folder(held.model, held.key)
        since = self._listed(held.model, held.key)[held.known :]
        return any("pruned" in each or (folder / each["digest"][:12] / "manifest.json").exists() for each in since)

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

    def _keep(self, partition: PartitionVersion, staged: Staged, manifest: Mapping[str, Any]) -> None:
        folder = self._folder(partition)
        if not folder.exists():
            with writing.new_folder(folder) as making:
                writing.write_json(making / "manifest.json", manifest)
                staged.file.rename(making / "data.parquet")

    def _listed(self, model: str, key: str) -> list[dict[str, Any]]:
        """Every revision there was, those in quarantine too."""
        listed: list[dict[str, Any]] = writing.read_json(self._key_folder(model, key) / "revisions.json", default=[])
        return listed

    def _add_revision(self, partition: PartitionVersion, sources: Sequence[str], now: datetime) -> None:
        # A clock that was set back must not make a revision older than the one that it revises.
        before = [each["seen_at"] for each in self._listed(partition.model, partition.key)[-1:]]
        seen_at = max([now.isoformat(), *before], key=datetime.fromisoformat)
        self._list(partition, {"seen_at": seen_at, "sources": list(sources)})

    def _list(self, partition: PartitionVersion, seen: Mapping[str, Any]) -> None:
        listed = self._listed(partition.model, partition.key)
        if not listed or listed[-1]["digest"] != partition.digest:
            file = self._key_folder(partition.model, partition.key) / "revisions.json"
            writing.replace_json(file, [*listed, {"digest": partition.digest, **seen}])

    def _seen(self, model: str, key: str, digest: str) -> dict[str, Any]:
        """When a content was last seen, and in which files."""
        found = next(each for each in reversed(self._listed(model, key)) if each["digest"] == digest)
        return {"seen_at": found["seen_at"], "sources": found["sources"]}

    def _key_folder(self, model: str, key: str) -> Path:
        return self._places.key_folder(model, key)

    def _folder(self, partition: PartitionVersion) -> Path:
        return self._places.folder(partition)

    def _locked(self, model: str) -> AbstractContextManager[None]:
        return self._places.locked(model)

    @property
    def _places(self) -> Places:
        return Places(root=self.root)

    @property
    def _quarantine(self) -> QuarantineFiles:
        return QuarantineFiles(places=self._places)


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


def _content(held: Quarantined) -> PartitionVersion:
    """The content that was refused, or of which rows were."""
    rows = (held.rows or 0) + (held.kept.rows if held.kept else 0)
    return PartitionVersion(model=held.model, key=held.key, digest=held.digest, rows=rows)


def _cannot_return(held: Quarantined, why: str) -> PartitionRefused:
    return PartitionRefused(
        f"partition {held.key} of {held.model} cannot be taken back in: {why}",
        model=held.model,
        key=held.key,
        digest=held.digest,
    )


def _source_digest(manifest: Mapping[str, Any]) -> str:
    return str(manifest.get("source_digest", manifest["digest"]))


def _uneven(partition: PartitionVersion, kept: PartitionVersion, rows: int) -> ArtifactRefused:
    return ArtifactRefused(
        f"partition {partition.key} of {partition.model} has {partition.rows} rows, and {kept.rows} to keep "
        f"with {rows} to set aside are not as many: rows would be lost, so nothing was changed. "
        "This is a fault of Flightworthy's; report it with the partition's manifest.",
        model=partition.model,
        key=partition.key,
        rows=partition.rows,
        kept=kept.rows,
        refused=rows,
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
