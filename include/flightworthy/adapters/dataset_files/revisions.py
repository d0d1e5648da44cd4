"""Which contents each partition has had: a folder for each, and a list of them in the order in which they were seen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from flightworthy.adapters.dataset_files import writing
from flightworthy.adapters.dataset_files.places import Places
from flightworthy.dataset import PartitionVersion, Revision, Staged
from flightworthy.quarantine import Quarantined

__all__ = ["RevisionFiles", "manifest_of"]


@dataclass(frozen=True, slots=True, kw_only=True)
class RevisionFiles:
    """The revisions below the places of a dataset. Whoever writes here holds the model's lock."""

    places: Places

    def of(self, model: str, key: str) -> list[Revision]:
        """Every content that is not in quarantine, the current one last."""
        folder = self.places.key_folder(model, key)
        contents, given_up = [], self._given_up(model, key)
        for place, seen in enumerate(self.listed(model, key)):
            manifest = writing.read_json(folder / seen["digest"][:12] / "manifest.json", default=None)
            if manifest is not None or "pruned" in seen:
                partition = PartitionVersion(**seen["pruned"]) if manifest is None else _partition(manifest)
                at, sources = datetime.fromisoformat(seen["seen_at"]), tuple(seen["sources"])
                contents.append(
                    Revision(
                        partition=partition,
                        seen_at=at,
                        sources=sources,
                        is_pruned=manifest is None,
                        ended_at=min((since for before, since in given_up if place < before), default=None),
                    )
                )
        return contents

    def is_mended(self, held: Quarantined) -> bool:
        """Whether something was taken in for what waits since it was refused."""
        folder = self.places.key_folder(held.model, held.key)
        since = self.listed(held.model, held.key)[held.known :]
        return any("pruned" in each or (folder / each["digest"][:12] / "manifest.json").exists() for each in since)

    def keep(self, partition: PartitionVersion, staged: Staged, manifest: Mapping[str, Any]) -> None:
        """Give the rows their place, with a manifest; nothing happens where they have it."""
        folder = self.places.folder(partition)
        if not folder.exists():
            with writing.new_folder(folder) as making:
                writing.write_json(making / "manifest.json", manifest)
                staged.file.rename(making / "data.parquet")

    def is_there(self, partition: PartitionVersion) -> bool:
        """Whether the rows have their place: they were neither refused nor let go."""
        return (self.places.folder(partition) / "manifest.json").exists()

    def manifest(self, partition: PartitionVersion) -> dict[str, Any]:
        """What was noted of a content when it was written."""
        said: dict[str, Any] = writing.read_json(self.places.folder(partition) / "manifest.json")
        return said

    def listed(self, model: str, key: str) -> list[dict[str, Any]]:
        """Every revision there was, those in quarantine too."""
        listed: list[dict[str, Any]] = writing.read_json(
            self.places.key_folder(model, key) / "revisions.json", default=[]
        )
        return listed

    def add(
        self, partition: PartitionVersion, sources: Sequence[str], now: datetime, more: Mapping[str, Any] | None = None
    ) -> None:
        """Make a content that was kept the current one; ``more`` is told of it beside when and where it was seen."""
        # A clock that was set back must not make a revision older than the one that it revises.
        before = [each["seen_at"] for each in self.listed(partition.model, partition.key)[-1:]]
        seen_at = max([now.isoformat(), *before], key=datetime.fromisoformat)
        self.append(partition, {"seen_at": seen_at, "sources": list(sources), **(more or {})})

    def append(self, partition: PartitionVersion, seen: Mapping[str, Any]) -> None:
        """The same, ``seen`` when and where another content was; nothing happens where it is current."""
        listed = self.listed(partition.model, partition.key)
        is_last = bool(listed) and listed[-1]["digest"] == partition.digest
        # What nobody could read is in no list: given up, it stands behind the last content all the same.
        given_up = self._given_up(partition.model, partition.key)
        if not is_last or any(before == len(listed) for before, _ in given_up):
            file = self.places.key_folder(partition.model, partition.key) / "revisions.json"
            writing.replace_json(file, [*listed, {"digest": partition.digest, **seen}])

    def seen(self, model: str, key: str, digest: str) -> dict[str, Any]:
        """When a content was last seen, and in which files."""
        found = next(each for each in reversed(self.listed(model, key)) if each["digest"] == digest)
        return {"seen_at": found["seen_at"], "sources": found["sources"]}

    def returned(self, held: Quarantined) -> dict[str, Any] | None:
        """The last content into which some of the rows were taken back that wait in ``held``; None if there is none."""
        marks = (each for each in reversed(self.listed(held.model, held.key)) if "returned" in each)
        return next((each for each in marks if _is_of(each["returned"], held)), None)

    def rows(self, model: str, key: str, digest: str) -> int | None:
        """How many a content has, or had; None where nothing is known of it any more."""
        known = [each.partition.rows for each in self.of(model, key) if each.partition.digest == digest]
        return known[-1] if known else None

    def _given_up(self, model: str, key: str) -> list[tuple[int, datetime]]:
        """What a person has given up whole: how many contents were listed before it, and since when it was there."""
        listed, found = self.listed(model, key), []
        for folder in writing.folders(self.places.quarantine_key_folder(model, key)):
            said = writing.read_json(folder / "reason.json", default={})
            # Of rows alone it is not said how many were known.
            if "known" in said and (folder / "discarded.json").exists():
                places = [at for at, each in enumerate(listed[: said["known"]]) if each["digest"] == said["digest"]]
                place = places[-1] if places else said["known"]
                since = listed[place]["seen_at"] if places else said["quarantined_at"]
                found.append((place, datetime.fromisoformat(since)))
        return found

    def let_go(self, partition: PartitionVersion) -> None:
        """Remove a content's rows; that it was there, and when, is still known. Idempotent."""
        listed = self.listed(partition.model, partition.key)
        told = {"model": partition.model, "key": partition.key, "digest": partition.digest, "rows": partition.rows}
        # Told before it is done: a content that is gone without a word would make a revision the first one.
        writing.replace_json(
            self.places.key_folder(partition.model, partition.key) / "revisions.json",
            [{**each, "pruned": told} if each["digest"] == partition.digest else each for each in listed],
        )
        if self.places.folder(partition).exists():
            writing.remove_folder(self.places.folder(partition))


def manifest_of(partition: PartitionVersion, staged: Staged, sources: Sequence[str], now: datetime) -> dict[str, Any]:
    """What is noted of a content beside its rows."""
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


def _is_of(returned: Mapping[str, Any], held: Quarantined) -> bool:
    """The same content may be set aside again, and all of its rows wait then."""
    return bool(returned["of"] == held.digest and returned["since"] == held.quarantined_at.isoformat())


def _partition(manifest: Mapping[str, Any]) -> PartitionVersion:
    return PartitionVersion(**{name: manifest[name] for name in ("model", "key", "digest", "rows")})
