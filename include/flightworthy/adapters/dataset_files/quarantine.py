"""Where refused rows and partitions wait, with the reason; nothing goes in, out or away but by a person or a suite.

::

    <root>/<model>/quarantine/<key>/<digest>/reason.json       why, since when, and of how many rows
    <root>/<model>/quarantine/<key>/<digest>/data.parquet      the rows; there is none if they could not be read
    <root>/<model>/quarantine/<key>/<digest>/reasons.parquet   where single rows wait: the place of each, and why
    <root>/<model>/quarantine/<key>/<digest>/discarded.json    once a person has given it up

Rows that were set aside and the partition that went on without them make up the content whose digest names the folder.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
from pyarrow import parquet

from flightworthy.adapters.dataset_files import writing
from flightworthy.adapters.dataset_files.places import Places
from flightworthy.dataset import PartitionVersion, Staged
from flightworthy.errors import PartitionRefused
from flightworthy.quarantine import Discard, Quarantined, RefusedRows

__all__ = ["QuarantineFiles"]


@dataclass(frozen=True, slots=True, kw_only=True)
class QuarantineFiles:
    """What waits below the places of a dataset. Whoever writes here holds the model's lock."""

    places: Places

    def all(self, model: str) -> list[Quarantined]:
        """In time order, what was given up too."""
        return [
            _quarantined(said, folder)
            for key_folder in writing.folders(self.places.root / model / "quarantine")
            for folder in writing.folders(key_folder)
            if (said := writing.read_json(folder / "reason.json", default=None)) is not None
        ]

    def put(
        self, partition: PartitionVersion, *, reason: str, objections: Sequence[str], known: int, now: datetime
    ) -> Quarantined:
        """Move a whole partition here. ``known`` is how many revisions its key has had."""
        before = self.places.folder(partition)
        after = self.places.quarantine_folder(partition.model, partition.key, partition.digest)
        if before.exists() and after.exists():
            writing.remove_folder(before)
        elif before.exists():
            # The reason first: one rename then moves both, so that nothing is ever refused without saying why.
            said = _reason(partition.model, partition.key, partition.digest, reason, objections, now)
            writing.replace_json(before / "reason.json", {**said, "rows": partition.rows, "known": known})
            writing.move_folder(before, after)
        return self._held(after)

    def note(self, model: str, key: str, refusal: PartitionRefused, *, known: int, now: datetime) -> Quarantined:
        """Write down that a source's partition could not be read."""
        digest = str(refusal.facts.get("digest") or writing.sha256(refusal.message.encode()))
        folder = self.places.quarantine_folder(model, key, digest)
        if not folder.exists():
            with writing.new_folder(folder) as making:
                said = _reason(model, key, digest, refusal.message, [refusal.message], now)
                writing.write_json(making / "reason.json", {**said, "known": known})
        return self._held(folder)

    def set_aside(
        self,
        partition: PartitionVersion,
        kept: PartitionVersion,
        rows: Staged,
        refused: RefusedRows,
        *,
        reason: str,
        now: datetime,
    ) -> Quarantined:
        """Keep the refused rows of ``partition``; ``kept`` is what goes on without them."""
        folder = self.places.quarantine_folder(partition.model, partition.key, partition.digest)
        if not folder.exists():
            with writing.new_folder(folder) as making:
                rows.file.rename(making / "data.parquet")
                parquet.write_table(
                    pa.table(
                        {
                            "place": pa.array(refused.places, pa.int64()),
                            "reasons": pa.array(refused.reasons, pa.list_(pa.large_string())),
                        }
                    ),
                    making / "reasons.parquet",
                    compression="zstd",
                )
                said = _reason(partition.model, partition.key, partition.digest, reason, refused.objections, now)
                part = {"digest": kept.digest, "rows": kept.rows}
                writing.write_json(making / "reason.json", {**said, "rows": len(refused.places), "kept": part})
        return self._held(folder)

    def give_up(self, held: Quarantined, discard: Discard) -> None:
        """Mark it as given up. Its rows stay where they are."""
        said = {"actor": discard.actor, "reason": discard.reason, "discarded_at": discard.at.isoformat()}
        writing.replace_json(Path(held.uri) / "discarded.json", said)

    def rows(self, held: Quarantined) -> pa.Table:
        """The rows that wait."""
        return parquet.read_table(Path(held.uri) / "data.parquet", partitioning=None)

    def refused_rows(self, held: Quarantined) -> RefusedRows:
        """The place of each row in its partition, and why it waits; where single rows do."""
        said = parquet.read_table(Path(held.uri) / "reasons.parquet", partitioning=None)
        reasons = tuple(map(tuple, said["reasons"].to_pylist()))
        return RefusedRows(places=tuple(said["place"].to_pylist()), reasons=reasons, objections=held.objections)

    def _held(self, folder: Path) -> Quarantined:
        return _quarantined(writing.read_json(folder / "reason.json"), folder)


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
    kept = said.get("kept")
    discarded = writing.read_json(folder / "discarded.json", default=None)
    manifest = writing.read_json(folder / "manifest.json", default={})
    return Quarantined(
        model=said["model"],
        key=said["key"],
        digest=said["digest"],
        source_digest=manifest.get("source_digest", said["digest"]),
        reason=said["reason"],
        objections=tuple(said["objections"]),
        quarantined_at=datetime.fromisoformat(said["quarantined_at"]),
        uri=str(folder),
        rows=said.get("rows"),
        kept=None if kept is None else PartitionVersion(model=said["model"], key=said["key"], **kept),
        known=said.get("known", 0),
        discarded=None
        if discarded is None
        else Discard(
            actor=discarded["actor"],
            reason=discarded["reason"],
            at=datetime.fromisoformat(discarded["discarded_at"]),
        ),
    )
