"""Where refused rows and partitions wait, with the reason; nothing goes in, out or away but by a person or a suite.

::

    <root>/<model>/quarantine/<key>/<digest>/reason.json       why, since when, and of how many rows
    <root>/<model>/quarantine/<key>/<digest>/data.parquet      the rows; there is none if they could not be read
    <root>/<model>/quarantine/<key>/<digest>/reasons.parquet   where single rows wait: the place of each, and why
    <root>/<model>/quarantine/<key>/<digest>/discarded.json    what a person has given up of it, and why

Rows that were set aside and the partition that went on without them make up the content whose digest names the folder.
Rows that a person takes back in stay here too: the list of revisions names the content that has them, and them, so that
one write moves them. What was set aside and is in no such content is apart.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
from pyarrow import parquet

from flightworthy.adapters.dataset_files import writing
from flightworthy.adapters.dataset_files.places import Places
from flightworthy.adapters.dataset_files.revisions import RevisionFiles
from flightworthy.dataset import PartitionVersion, Staged
from flightworthy.errors import PartitionRefused
from flightworthy.quarantine import Discard, Quarantined, RefusedRows, WaitingRow

__all__ = ["QuarantineFiles"]


@dataclass(frozen=True, slots=True, kw_only=True)
class QuarantineFiles:
    """What waits below the places of a dataset. Whoever writes here holds the model's lock."""

    places: Places

    def all(self, model: str) -> list[Quarantined]:
        """In time order, what was given up too."""
        return [
            self.at(folder)
            for key_folder in writing.folders(self.places.root / model / "quarantine")
            for folder in writing.folders(key_folder)
            if (folder / "reason.json").exists()
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
        return self.at(after)

    def note(self, model: str, key: str, refusal: PartitionRefused, *, known: int, now: datetime) -> Quarantined:
        """Write down that a source's partition could not be read."""
        digest = str(refusal.facts.get("digest") or writing.sha256(refusal.message.encode()))
        folder = self.places.quarantine_folder(model, key, digest)
        if not folder.exists():
            with writing.new_folder(folder) as making:
                said = _reason(model, key, digest, refusal.message, [refusal.message], now)
                writing.write_json(making / "reason.json", {**said, "known": known})
        return self.at(folder)

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
        return self.at(folder)

    def give_up(self, held: Quarantined, discard: Discard) -> None:
        """Mark it as given up, or some rows of it. They stay where they are."""
        before = _discards(Path(held.uri))
        if discard not in before:
            said = [
                {"actor": each.actor, "reason": each.reason, "discarded_at": each.at.isoformat(), "rows": each.rows}
                for each in (*before, discard)
            ]
            writing.replace_json(Path(held.uri) / "discarded.json", said)

    def rows(self, held: Quarantined) -> pa.Table:
        """The rows that are apart."""
        rows = parquet.read_table(Path(held.uri) / "data.parquet", partitioning=None)
        return (
            rows
            if held.is_whole
            else rows.filter(pa.array([row.state != "taken back" for row in self.apart(held)], pa.bool_()))
        )

    def apart(self, held: Quarantined) -> tuple[WaitingRow, ...]:
        """The rows that were set aside, in the order of the file; none where a whole partition waits."""
        if held.is_whole:
            return ()
        return _rows_of(Path(held.uri), held.returned, _discards(Path(held.uri)))

    def at(self, folder: Path) -> Quarantined:
        """What waits in a folder."""
        held = _quarantined(writing.read_json(folder / "reason.json"), folder)
        if held.kept is None:
            return held
        revisions, discards = RevisionFiles(places=self.places), _discards(folder)
        moved = revisions.returned(held)
        returned = tuple(moved["returned"]["rows"]) if moved else ()
        digest = moved["digest"] if moved else held.kept.digest
        rows = _rows_of(folder, returned, discards) if moved or discards else ()
        apart = [row for row in rows if row.state != "taken back"] if rows else None
        given_up = sum(row.state == "given up" for row in rows)
        count = held.rows if apart is None else len(apart)
        return replace(
            held,
            rows=count,
            given_up=given_up,
            returned=returned,
            discarded=discards[-1] if discards and given_up == count else None,
            kept=replace(
                held.kept,
                digest=digest,
                rows=revisions.rows(held.model, held.key, digest) or held.kept.rows + len(returned),
            ),
        )


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
        given_up=0 if kept is not None or not _discards(folder) else said.get("rows") or 0,
        returned=(),
        kept=None if kept is None else PartitionVersion(model=said["model"], key=said["key"], **kept),
        known=said.get("known", 0),
        discarded=next(reversed(_discards(folder)), None),
    )


def _discards(folder: Path) -> tuple[Discard, ...]:
    """What people gave up, in their order."""
    said = writing.read_json(folder / "discarded.json", default=[])
    return tuple(
        Discard(
            actor=each["actor"],
            reason=each["reason"],
            at=datetime.fromisoformat(each["discarded_at"]),
            rows=None if each.get("rows") is None else tuple(each["rows"]),
        )
        # Before single rows could be given up there was one, of all of it.
        for each in (said if isinstance(said, list) else [said])
    )


def _rows_of(folder: Path, returned: Collection[int], discards: Sequence[Discard]) -> tuple[WaitingRow, ...]:
    said = parquet.read_table(folder / "reasons.parquet", partitioning=None)
    numbers = said["number" if "number" in said.column_names else "place"].to_pylist()
    gone: set[int] = set()
    for each in discards:
        gone.update(numbers if each.rows is None else each.rows)
    return tuple(
        WaitingRow(
            number=number,
            place=place,
            reasons=tuple(reasons),
            state="taken back" if number in returned else "given up" if number in gone else "waits",
        )
        for number, place, reasons in zip(numbers, said["place"].to_pylist(), said["reasons"].to_pylist(), strict=True)
    )
