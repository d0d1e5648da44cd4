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

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from flightworthy.adapters.dataset_files import staging, versions, writing
from flightworthy.adapters.dataset_files.apart import RowsApart
from flightworthy.adapters.dataset_files.content import frame_of, united
from flightworthy.adapters.dataset_files.cutoff import is_known, known_rows
from flightworthy.adapters.dataset_files.erasing import DatasetErasure
from flightworthy.adapters.dataset_files.odd_times import odd_times
from flightworthy.adapters.dataset_files.places import Places
from flightworthy.adapters.dataset_files.quarantine import QuarantineFiles
from flightworthy.adapters.dataset_files.reading import KeptRows, PartitionRows
from flightworthy.adapters.dataset_files.revisions import RevisionFiles, manifest_of
from flightworthy.dataset import DatasetVersion, PartitionVersion, Revision, Rows, Split, Staged, known_by, split_of
from flightworthy.errors import PartitionRefused
from flightworthy.known import Ask, KnownSince, Odd, RowTimes
from flightworthy.quarantine import Discard, Quarantined, RefusedRows, WaitingRow

__all__ = ["DatasetErasure", "DatasetFiles", "PartitionRows"]


@dataclass(frozen=True, slots=True, kw_only=True)
class DatasetFiles:
    """A `flightworthy.dataset.DatasetStore` of `flightworthy.dataset.Rows` under the folder ``root``.

    A `pyarrow.Table`, where somebody has one, is taken for its rows.
    """

    root: Path

    def current(self, model: str) -> dict[str, PartitionVersion]:
        newest = {key: known_by(contents, None) for key, contents in self.history(model).items()}
        return {key: each.partition for key, each in newest.items() if each is not None and not each.is_pruned}

    def keys(self, model: str) -> list[str]:
        """Every key that ever had a partition, in time order."""
        return sorted(writing.name_of(path) for path in writing.folders(self.root / model / "partitions"))

    def revisions(self, model: str, key: str) -> list[PartitionVersion]:
        """Every content of ``key`` that is not in quarantine, the current one last."""
        return [each.partition for each in self._revisions.of(model, key)]

    def history(self, model: str) -> dict[str, list[Revision]]:
        return {key: contents for key in self.keys(model) if (contents := self._revisions.of(model, key))}

    def asked_since(self, model: str, at: datetime) -> list[DatasetVersion]:
        """The dataset versions that somebody made or asked for since then."""
        return versions.asked_since(self.root / model, model, at)

    def let_go(self, partition: PartitionVersion) -> None:
        """Remove a content's rows; that it was there, and when, is still known. Idempotent."""
        with self._locked(partition.model):
            self._revisions.let_go(partition)

    def fingerprints(self, model: str) -> dict[str, str]:
        marks: dict[str, str] = writing.read_json(self.root / model / "fingerprints.json", default={})
        return marks

    def note_fingerprints(self, model: str, marks: Mapping[str, str]) -> None:
        with self._locked(model):
            known = self.fingerprints(model)
            if not marks.items() <= known.items():
                writing.replace_json(self.root / model / "fingerprints.json", dict(sorted({**known, **marks}.items())))

    def staged(self, model: str, content: Rows | pa.Table) -> AbstractContextManager[Staged]:
        """See `staging.staged`."""
        return staging.staged(self._places, model, content)

    def write(
        self, model: str, key: str, content: Staged | Rows | pa.Table, *, sources: Sequence[str], now: datetime
    ) -> PartitionVersion:
        if not isinstance(content, Staged):
            with self.staged(model, content) as staged:
                return self.write(model, key, staged, sources=sources, now=now)
        partition = PartitionVersion(model=model, key=key, digest=content.digest, rows=content.rows)
        with self._locked(model):
            self._revisions.keep(partition, content, manifest_of(partition, content, sources, now))
            # The content first: a name in the list without its folder would be a partition lost.
            self._revisions.add(partition, sources, now)
        return partition

    def read(self, partition: PartitionVersion) -> pd.DataFrame:
        """One partition's rows. Raises `ArtifactRefused` if the stored rows are not those of the digest."""
        return frame_of(self._kept.table(partition))

    def rows(self, partition: PartitionVersion) -> PartitionRows:
        """One partition's rows where they lie. Raises `ArtifactRefused` if the file is not the one that was written."""
        return self._kept.where(partition)

    def distinct(self, version: DatasetVersion, column: str) -> list[Any]:
        """Every value of a column in the version's rows, once; no column is read that is not needed."""
        needed = [column, *(version.cutoff.known_since.looked_at if version.cutoff else ())]
        tables = (self._kept.columns(partition, needed) for partition in version.partitions)
        parts = [known_rows(table, version.cutoff)[column].unique() for table in tables]
        return list(dict.fromkeys(value for part in parts for value in part.to_pylist()))

    def frame(self, version: DatasetVersion) -> pd.DataFrame:
        """The rows of a dataset version in time order; a column's type is the one that holds it in every partition."""
        tables = (self._kept.table(partition) for partition in version.partitions)
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
        table = self._kept.columns(partition, known_since.looked_at)
        return int(partition.rows - pc.sum(is_known(table, known_since, by)).as_py())

    def odd_times(self, partition: PartitionVersion, times: RowTimes) -> tuple[Odd, ...]:
        """See `flightworthy.expectations.CheckedStore`."""
        happened = times.happened.columns if times.happened else ()
        table = self._kept.columns(partition, [*times.known_since.looked_at, *happened])
        return odd_times(table, times)

    def answered(self, ask: Ask, key: str) -> DatasetVersion | None:
        found = versions.answered(self.root / ask.model, ask, key)
        if found is None:
            return None
        version, is_checked = found
        is_whole = all(self.is_there(partition) for partition in version.partitions)
        return version if is_checked or is_whole else None

    def answer(self, ask: Ask, version: DatasetVersion) -> None:
        with self._locked(version.model):
            versions.answer(self.root / version.model, ask, version)

    def settle(self, version: DatasetVersion, left: DatasetVersion) -> None:
        with self._locked(version.model):
            versions.settle(self.root / version.model, version, left)

    def has_passed(self, partition: PartitionVersion) -> bool:
        return (self._places.folder(partition) / "passed.json").exists()

    def mark_passed(self, partition: PartitionVersion, *, suite: str, now: datetime) -> None:
        with self._locked(partition.model):
            said = {"suite": suite, "passed_at": now.isoformat()}
            writing.replace_json(self._places.folder(partition) / "passed.json", said)

    def quarantined(self, model: str) -> list[Quarantined]:
        return self._quarantine.all(model)

    def refused(self, model: str) -> list[Quarantined]:
        """Partitions that wait whole: nobody has given them up, and nothing was taken in for them since."""
        return [
            held
            for held in self.quarantined(model)
            if held.is_whole and held.discarded is None and not self._revisions.is_mended(held)
        ]

    def quarantine(
        self, partition: PartitionVersion, *, reason: str, objections: Sequence[str], now: datetime
    ) -> Quarantined:
        with self._locked(partition.model):
            known = len(self._revisions.listed(partition.model, partition.key))
            return self._quarantine.put(partition, reason=reason, objections=objections, known=known, now=now)

    def refuse(self, model: str, key: str, refusal: PartitionRefused, *, now: datetime) -> Quarantined:
        with self._locked(model):
            return self._quarantine.note(model, key, refusal, known=len(self._revisions.listed(model, key)), now=now)

    def part(self, partition: PartitionVersion, places: Sequence[int]) -> PartitionVersion:
        """Write ``partition`` without the rows at ``places``; it is a revision once they are set aside. Idempotent."""
        return self._apart.part(partition, places)

    def forget(self, kept: PartitionVersion) -> None:
        """Take away what was parted in vain. What is a revision stays."""
        self._apart.forget(kept)

    def set_aside(
        self, partition: PartitionVersion, kept: PartitionVersion, refused: RefusedRows, *, reason: str, now: datetime
    ) -> Quarantined:
        """Have ``kept`` go on for ``partition``, whose other rows wait. No row is lost, at whatever instant it dies."""
        return self._apart.set_aside(partition, kept, refused, reason=reason, now=now)

    def is_there(self, partition: PartitionVersion) -> bool:
        """See `flightworthy.dataset.DatasetStore`."""
        return self._revisions.is_there(partition)

    def go_on(self, held: Quarantined, *, now: datetime) -> PartitionVersion:
        """See `flightworthy.dataset.DatasetStore`."""
        return self._apart.go_on(held, now=now)

    def may_return(self, held: Quarantined) -> None:
        """See `flightworthy.quarantine.verbs.QuarantineStore`."""
        self._apart.may_return(held)

    def take_back(
        self, held: Quarantined, rows: Sequence[int], *, actor: str, reason: str, now: datetime
    ) -> PartitionVersion:
        """See `flightworthy.quarantine.verbs.QuarantineStore`."""
        return self._apart.take_back(held, rows, actor=actor, reason=reason, now=now)

    def give_up(self, held: Quarantined, discard: Discard) -> None:
        """See `flightworthy.quarantine.verbs.QuarantineStore`."""
        with self._locked(held.model):
            self._quarantine.give_up(held, discard)

    def waiting_rows(self, held: Quarantined) -> pa.Table:
        """The rows that are apart: of those that `apart` names, without what was taken back in."""
        return self._quarantine.rows(held)

    def apart(self, held: Quarantined) -> tuple[WaitingRow, ...]:
        """See `flightworthy.quarantine.verbs.QuarantineStore`."""
        return self._quarantine.apart(held)

    def _locked(self, model: str) -> AbstractContextManager[None]:
        return self._places.locked(model)

    @property
    def _places(self) -> Places:
        return Places(root=self.root)

    @property
    def _quarantine(self) -> QuarantineFiles:
        return QuarantineFiles(places=self._places)

    @property
    def _revisions(self) -> RevisionFiles:
        return RevisionFiles(places=self._places)

    @property
    def _kept(self) -> KeptRows:
        return KeptRows(places=self._places)

    @property
    def _apart(self) -> RowsApart:
        return RowsApart(places=self._places)
