"""Takes somebody's rows out of every content that is kept, in an order in which it may be killed anywhere.

Of each content that holds any: a new one without them, whole; a tombstone, which says by what the old one was replaced;
the list of revisions, which names the new one; and the old one is taken away. What an earlier try began is finished,
since the old one is still there and holds the rows.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
from pyarrow import parquet

from flightworthy.adapters.dataset_files import staging, versions, writing
from flightworthy.adapters.dataset_files.erased import ErasedFiles
from flightworthy.adapters.dataset_files.others import Others, Pair
from flightworthy.adapters.dataset_files.places import Places
from flightworthy.adapters.dataset_files.quarantine import QuarantineFiles
from flightworthy.adapters.dataset_files.succession import hand_on
from flightworthy.dataset import DatasetVersion, Staged
from flightworthy.erasure import Person, Removed, Replaced
from flightworthy.personal import Keys

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

    def key_of(self, model: str) -> str | None:
        """The fingerprint of the key that the pseudonyms in a model's partitions go with; None if nobody settled it."""
        return self.of(model).key()

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
        """Every content of every partition, and what waits in quarantine."""
        # Rows that wait alone first: their places are counted in what went on without them, as it is now.
        for content in self._contents("quarantine"):
            if (content / "reasons.parquet").exists():
                yield from self._erase_parted(content)
        for place in ("partitions", "quarantine"):
            for content in self._contents(place):
                yield from self._erase(place, content)

    def _contents(self, place: str) -> Iterator[Path]:
        for key_folder in writing.folders(self.folder / place):
            yield from writing.folders(key_folder)

    def _erase(self, place: str, content: Path) -> Iterator[Removed]:
        rows = Others(file=content / "data.parquet", column=self.column, names=self.person.names)
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
            after = content.with_name(staged.digest[:12])
            instead = {}
            if (reasons := content / "reasons.parquet").exists():
                # What went on without these is gone: they cannot go back, and keep their reasons.
                instead = {reasons.name: room / reasons.name}
                others = parquet.read_table(reasons, partitioning=None).filter(pa.array(~rows.theirs()))
                parquet.write_table(others, instead[reasons.name], compression="zstd")
            _put_in_place(content, after, staged, {"digest": staged.digest, "rows": staged.rows}, instead=instead)
        self._replace(content, Replaced(replaced_by=staged.digest, **told, **self._for_whom))
        yield Removed(place=place, replaced_by=staged.digest, **told)

    def _erase_parted(self, content: Path) -> Iterator[Removed]:
        """Rows that wait lose theirs; so does what went on without them, whose old content goes after them."""
        held = QuarantineFiles(places=Places(root=self.folder.parent)).at(content)
        kept_digest = ErasedFiles(folder=self.folder).follow(held.kept.digest if held.kept else "")
        kept = self.folder / "partitions" / content.parent.name / kept_digest[:12]
        pair = Pair(
            kept=kept, waiting=content, returned=held.returned, column=self.column, names=self.person.names
        )  # fmt: skip
        if not pair.left_out():
            return
        told: dict[str, Any] = {"key": held.key, "digest": held.digest}
        told["rows"] = Others(file=content / "data.parquet", column=self.column, names=self.person.names).left_out()
        if self.is_dry_run:
            yield Removed(place="quarantine", replaced_by=None, **told)
            return
        with writing.scratch(self.folder) as room:
            left = pair.without(room)
            part = {"digest": left.kept.digest, "rows": left.kept.rows}
            parquet.write_table(left.reasons, room / "reasons.parquet", compression="zstd")
            _put_in_place(kept, kept.with_name(left.kept.digest[:12]), left.kept, part)
            _put_in_place(
                content,
                content.with_name(left.digest[:12]),
                left.waiting,
                {"digest": left.digest, "rows": left.waiting.rows, "kept": part},
                instead={"reasons.parquet": room / "reasons.parquet"},
            )
        self._replace(content, Replaced(replaced_by=left.digest, **told, **self._for_whom))
        yield Removed(place="quarantine", replaced_by=left.digest, **told)

    @property
    def _for_whom(self) -> dict[str, Any]:
        return {"entity": self.person.entity, "replaced_at": self.now.isoformat()}

    def _replace(self, content: Path, gone: Replaced) -> None:
        """Let what was put in place stand for ``content``, and take that away."""
        # The tombstone first: a list that names the new content alone would be a version whose data nobody can explain.
        ErasedFiles(folder=self.folder).note(gone)
        key_folder = self.folder / "partitions" / content.parent.name
        _rename_in(key_folder / "revisions.json", gone)
        for manifest in sorted(key_folder.glob("*/manifest.json")):
            _rename_source(manifest, gone)
        writing.remove_folder(content)


def _put_in_place(
    content: Path, after: Path, staged: Staged, changed: Mapping[str, Any], *, instead: Mapping[str, Path] | None = None
) -> None:
    """What is left of a content, with what else is known of it, its passed suite among it."""
    if after.exists():
        return
    told = {**changed, "file_sha256": staged.file_sha256}
    with writing.new_folder(after) as making:
        for file in content.iterdir():
            if file.name in {"manifest.json", "reason.json"}:
                said = writing.read_json(file)
                known = {name: value for name, value in told.items() if name in said}
                writing.write_json(making / file.name, {**said, **known})
            elif file.name != "data.parquet":
                shutil.copyfile((instead or {}).get(file.name, file), making / file.name)
        staged.file.rename(making / "data.parquet")


def _rename_in(file: Path, gone: Replaced) -> None:
    """Revisions name the contents that are there, and what they were delivered as."""
    revisions: list[dict[str, Any]] = writing.read_json(file, default=[])
    renamed = [_renamed(each, gone) for each in revisions]
    if renamed != revisions:
        writing.replace_json(file, renamed)


def _rename_source(file: Path, gone: Replaced) -> None:
    said: dict[str, Any] = writing.read_json(file)
    if said.get("source_digest") == gone.digest:
        writing.replace_json(file, {**said, "source_digest": gone.replaced_by})


def _renamed(seen: Mapping[str, Any], gone: Replaced) -> dict[str, Any]:
    names: dict[str, Any] = {
        name: gone.replaced_by for name in ("digest", "source_digest") if seen.get(name) == gone.digest
    }
    returned = seen.get("returned")
    if returned is not None and returned["of"] == gone.digest:
        names["returned"] = {**returned, "of": gone.replaced_by}
    return {**seen, **names}
