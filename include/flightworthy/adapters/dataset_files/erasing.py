"""Takes somebody's rows out of every content that is kept, in an order in which it may be killed anywhere.

Of each content that holds any: a new one without them, whole; a tombstone, which says by what the old one was replaced;
the list of revisions, which names the new one; and the old one is taken away. What an earlier try began is finished,
since the old one is still there and holds the rows.
"""

from __future__ import annotations

import shutil
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import parquet

from flightworthy.adapters.dataset_files import staging, versions, writing
from flightworthy.adapters.dataset_files.erased import ErasedFiles
from flightworthy.adapters.dataset_files.succession import hand_on
from flightworthy.dataset import DatasetVersion, Staged
from flightworthy.erasure import Person, Removed, Replaced
from flightworthy.personal import Keys, text_of

__all__ = ["DatasetErasure"]


@dataclass(frozen=True, slots=True, kw_only=True)
class DatasetErasure:
    """A `flightworthy.erasure.ErasableDatasets` of the files under ``root``, which are those of `DatasetFiles`."""

    root: Path

    def list_erased(self, model: str, person: Person, *, now: datetime) -> None:
        """Put somebody on the list of those whose rows are left out. Idempotent."""
        with writing.locked(self.root / model):
            self.of(model).add(person.entity, person.key, now)

    def erase(
        self, model: str, person: Person, *, column: str, now: datetime, is_dry_run: bool = False
    ) -> list[Removed]:
        """Take somebody's rows out of every content of every partition, quarantine included. Idempotent."""
        folder = self.root / model
        if not folder.is_dir():
            return []
        erasure = _Erasure(folder=folder, person=person, column=column, now=now, is_dry_run=is_dry_run)
        with writing.locked(folder):
            removed = list(erasure.run())
            if not is_dry_run:
                hand_on(folder, self.of(model))
            return removed

    def replaced(self, model: str) -> list[Replaced]:
        """Every content that is gone for somebody's sake."""
        return list(self.of(model).replaced())

    def gone(self, version: DatasetVersion) -> list[Replaced]:
        """The contents of a dataset version that are gone for somebody's sake: it can never be read as it was."""
        found = (self.of(version.model).replacement(each.digest) for each in version.partitions)
        return [each for each in found if each is not None]

    def recorded(self, model: str) -> list[DatasetVersion]:
        """Every dataset version that was ever made."""
        folder = self.root / model
        digests = (writing.read_json(file)["digest"] for file in sorted((folder / "versions").glob("*.json")))
        return [versions.read(folder, model, digest) for digest in digests]

    def settle_key(self, model: str, keys: Keys) -> None:
        """Let the model's pseudonyms go with this key from now on. Raises Refused where they go with another."""
        with writing.locked(self.root / model):
            self.of(model).settle_key(keys)

    def of(self, model: str) -> ErasedFiles:
        """What is written down of one model."""
        return ErasedFiles(folder=self.root / model)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Erasure:
    """One person's, from one model's folder. Whoever runs it holds the model's lock."""

    folder: Path
    person: Person
    column: str
    now: datetime
    is_dry_run: bool

    def run(self) -> Iterator[Removed]:
        """Every content of every partition, then what waits in quarantine."""
        for place in ("partitions", "quarantine"):
            for key_folder in writing.folders(self.folder / place):
                for content in writing.folders(key_folder):
                    yield from self._erase(place, key_folder, content)

    def _erase(self, place: str, key_folder: Path, content: Path) -> Iterator[Removed]:
        rows = _Others(file=content / "data.parquet", column=self.column, names=self.person.names)
        if not (count := rows.left_out()):
            return
        document = "manifest.json" if (content / "manifest.json").exists() else "reason.json"
        said = writing.read_json(content / document)
        told = {"key": said["key"], "digest": said["digest"], "rows": count}
        if self.is_dry_run:
            yield Removed(place=place, replaced_by=None, **told)
            return
        with writing.scratch(self.folder) as room:
            staged = staging.stage(rows, room / "data.parquet")
            self._put_in_place(content, staged)
        gone = Replaced(replaced_by=staged.digest, entity=self.person.entity, replaced_at=self.now.isoformat(), **told)
        # The tombstone first: a list that names the new content alone would be a version whose data nobody can explain.
        ErasedFiles(folder=self.folder).note(gone)
        _rename_revisions(key_folder / "revisions.json", gone)
        writing.remove_folder(content)
        yield Removed(place=place, replaced_by=staged.digest, **told)

    def _put_in_place(self, content: Path, staged: Staged) -> None:
        """The new content, with what else is known of the old one, its passed suite among it."""
        after = content.with_name(staged.digest[:12])
        if after.exists():
            return
        changed = {"digest": staged.digest, "rows": staged.rows, "file_sha256": staged.file_sha256}
        with writing.new_folder(after) as making:
            for file in content.iterdir():
                if file.name in {"manifest.json", "reason.json"}:
                    said = writing.read_json(file)
                    known = {name: value for name, value in changed.items() if name in said}
                    writing.write_json(making / file.name, {**said, **known})
                elif file.name != "data.parquet":
                    shutil.copyfile(file, making / file.name)
            staged.file.rename(making / "data.parquet")


def _rename_revisions(file: Path, gone: Replaced) -> None:
    revisions: list[dict[str, Any]] = writing.read_json(file, default=[])
    renamed = [{**each, "digest": gone.replaced_by} if each["digest"] == gone.digest else each for each in revisions]
    if renamed != revisions:
        writing.replace_json(file, renamed)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Others:
    """`flightworthy.dataset.Rows`: everybody's in a file but one's."""

    file: Path
    column: str
    names: Collection[str]

    def left_out(self) -> int:
        """How many rows are that one's; none where there is no file, or no such column."""
        if not self.file.exists() or self.column not in parquet.read_schema(self.file).names:
            return 0
        cells = parquet.read_table(self.file, columns=[self.column], partitioning=None)[self.column]
        return int(pc.sum(self._theirs(cells)).as_py() or 0)

    def attempts(self) -> Iterator[Iterator[pa.RecordBatch]]:
        """The one reading that it takes."""
        yield self._batches()

    def _batches(self) -> Iterator[pa.RecordBatch]:
        with parquet.ParquetFile(self.file) as opened:
            for batch in opened.iter_batches():
                yield batch.filter(pc.invert(self._theirs(pa.chunked_array([batch[self.column]]))))

    def _theirs(self, cells: pa.ChunkedArray) -> pa.Array:
        encoded = cells.combine_chunks().dictionary_encode()
        known = [value is not None and text_of(value) in self.names for value in encoded.dictionary.to_pylist()]
        return pc.fill_null(pa.array(known, pa.bool_()).take(encoded.indices), False)
