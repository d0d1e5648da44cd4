"""Rows set aside and taken back in, some or all: at no instant, and after no crash, is a row in neither place."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import numpy as np

from flightworthy.adapters.dataset_files import staging, writing
from flightworthy.adapters.dataset_files.parting import Joined, Only, Without
from flightworthy.adapters.dataset_files.places import Places
from flightworthy.adapters.dataset_files.quarantine import QuarantineFiles
from flightworthy.adapters.dataset_files.reading import KeptRows
from flightworthy.adapters.dataset_files.revisions import RevisionFiles
from flightworthy.dataset import PartitionVersion
from flightworthy.errors import ArtifactRefused, PartitionRefused
from flightworthy.quarantine import Quarantined, RefusedRows

__all__ = ["RowsApart"]

_GONE: Final = (
    "what went on without them is not there any more: retention let it go, or somebody refused it. "
    "Land the partition again as it was, or take back what was refused"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class RowsApart:
    """The ways out of a partition and back in."""

    places: Places

    @property
    def _revisions(self) -> RevisionFiles:
        return RevisionFiles(places=self.places)

    @property
    def _quarantine(self) -> QuarantineFiles:
        return QuarantineFiles(places=self.places)

    def _file(self, partition: PartitionVersion) -> Path:
        return KeptRows(places=self.places).where(partition).file

    def part(self, partition: PartitionVersion, places: Sequence[int]) -> PartitionVersion:
        """Write ``partition`` without the rows at ``places``; it is a revision once they are set aside. Idempotent."""
        manifest = self._revisions.manifest(partition)
        with staging.staged(
            self.places, partition.model, Without(file=self._file(partition), places=tuple(places))
        ) as staged:
            kept = replace(partition, digest=staged.digest, rows=staged.rows)
            with self.places.locked(partition.model):
                said = {**manifest, "digest": kept.digest, "rows": kept.rows, "file_sha256": staged.file_sha256}
                self._revisions.keep(kept, staged, {**said, "source_digest": _source_digest(manifest)})
        return kept

    def forget(self, kept: PartitionVersion) -> None:
        """Take away what was parted in vain. What is a revision stays."""
        with self.places.locked(kept.model):
            listed = self._revisions.listed(kept.model, kept.key)
            if kept.digest not in {each["digest"] for each in listed} and self.places.folder(kept).exists():
                writing.remove_folder(self.places.folder(kept))

    def set_aside(
        self, partition: PartitionVersion, kept: PartitionVersion, refused: RefusedRows, *, reason: str, now: datetime
    ) -> Quarantined:
        """Have ``kept`` go on for ``partition``, whose other rows wait. No row is lost, at whatever instant it dies."""
        only = Only(file=self._file(partition), places=refused.places)
        with staging.staged(self.places, partition.model, only) as staged:
            if kept.rows + staged.rows != partition.rows:
                raise _uneven(partition, kept, staged.rows)
            with self.places.locked(partition.model):
                held = self._quarantine.set_aside(partition, kept, staged, refused, reason=reason, now=now)
        self.go_on(held, now=now)
        return held

    def go_on(self, held: Quarantined, *, now: datetime) -> PartitionVersion:
        """See `flightworthy.dataset.DatasetStore`."""
        if held.kept is None:
            raise ValueError(f"{held.uri} holds a whole partition; nothing went on without it")
        before = self.places.key_folder(held.model, held.key) / held.digest[:12]
        if before.exists() and not self._revisions.is_there(held.kept):
            # Retention had let it go, and the whole was delivered again.
            self.part(_content(held), [row.place for row in self._quarantine.apart(held) if row.state != "taken back"])
        with self.places.locked(held.model):
            # The rest is current before the whole goes: at no instant is a row in neither place.
            self._make_current(held, held.kept, now)
            if held.kept.digest == held.digest:
                self._end(held)
            elif before.exists():
                writing.remove_folder(before)
        return held.kept

    def _make_current(self, held: Quarantined, kept: PartitionVersion, now: datetime) -> None:
        """It is known since the whole is, which it goes on for; delivered again after another content, since now."""
        seen, said = self._revisions.seen(held.model, held.key, held.digest), {"source_digest": held.source_digest}
        if self._revisions.listed(held.model, held.key)[-1]["digest"] == held.digest:
            self._revisions.append(kept, {**said, **seen})
        else:
            self._revisions.add(kept, seen["sources"], now, said)

    def may_return(self, held: Quarantined) -> None:
        """See `flightworthy.quarantine.verbs.QuarantineStore`."""
        if held.rows is None:
            raise _cannot_return(held, "nobody could read it. Land a corrected one, or give it up with `discard`")
        if held.kept is not None and not self._revisions.is_there(held.kept):
            raise _cannot_return(held, _GONE)
        stands = self._current(held)
        if self._revisions.is_mended(held) if held.kept is None else stands not in {held.kept, _content(held)}:
            raise _cannot_return(held, "another content of it has come since, and stands. Give this one up")

    def take_back(
        self, held: Quarantined, rows: Sequence[int], *, actor: str, reason: str, now: datetime
    ) -> PartitionVersion:
        """See `flightworthy.quarantine.verbs.QuarantineStore`."""
        partition, waiting = _content(held), Path(held.uri)
        passed = {"suite": None, "passed_at": now.isoformat(), "waived": {"actor": actor, "reason": reason}}
        if held.kept is None:
            with self.places.locked(held.model):
                # The folder last: until then all of it waits, and whoever asks again finds it there.
                (waiting / "discarded.json").unlink(missing_ok=True)
                writing.replace_json(waiting / "passed.json", passed)
                self._revisions.append(partition, self._revisions.seen(held.model, held.key, held.digest))
                writing.move_folder(waiting, self.places.folder(partition))
                return partition
        kept = self._put_together(held, held.kept, rows, passed, now) if rows else held.kept
        if kept.digest == held.digest:
            with self.places.locked(held.model):
                # The waiting rows last: until then whoever asks again finds them.
                self._end(held)
        return kept

    def _put_together(
        self, held: Quarantined, kept: PartitionVersion, rows: Sequence[int], passed: Mapping[str, Any], now: datetime
    ) -> PartitionVersion:
        """What goes on and the named rows, each in its place; with what is left they are what the source delivered."""
        apart, returned = self._quarantine.apart(held), {*held.returned, *rows}
        back = [place for place, row in enumerate(apart) if row.number in rows]
        left = [place for place, row in enumerate(apart) if row.number not in returned]
        file, waiting = self._file(kept), Path(held.uri) / "data.parquet"
        others = np.array([apart[place].place for place in left], np.int64)
        places = [apart[place].place - int(np.searchsorted(others, apart[place].place)) for place in back]
        more = Joined(kept=file, rows=waiting, picked=back, places=places)
        with staging.staged(self.places, held.model, more) as staged:
            whole = Joined(kept=staged.file, rows=waiting, picked=left, places=others.tolist())
            with staging.staged(self.places, held.model, whole) as delivered:
                if delivered.digest != held.digest or staged.rows != kept.rows + len(rows):
                    raise _cannot_return(held, "its rows are not those that were set aside: somebody changed them")
            partition = replace(kept, digest=staged.digest, rows=staged.rows)
            manifest = self._revisions.manifest(kept)
            mark = {"of": held.digest, "since": held.quarantined_at.isoformat(), "rows": sorted(returned)}
            with self.places.locked(held.model):
                said = {**manifest, "digest": staged.digest, "rows": staged.rows, "file_sha256": staged.file_sha256}
                self._revisions.keep(partition, staged, said)
                writing.replace_json(self.places.folder(partition) / "passed.json", passed)
                # What makes it so: with this write the rows are in it, and apart no more.
                self._revisions.add(partition, manifest["sources"], now, {"returned": mark})
        return partition

    def _end(self, held: Quarantined) -> None:
        """Nothing is apart any more."""
        if Path(held.uri).exists():
            writing.remove_folder(Path(held.uri))

    def _current(self, held: Quarantined) -> PartitionVersion | None:
        contents = self._revisions.of(held.model, held.key)
        return contents[-1].partition if contents and not contents[-1].is_pruned else None


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
