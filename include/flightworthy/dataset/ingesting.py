"""The verb: take in what is new, keep what stands, and name the dataset version that a run asked for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Generic, TypeVar

from flightworthy.dataset.storing import DatasetStore, PartitionSource, Staged
from flightworthy.dataset.version import DatasetVersion, PartitionVersion, known_by, version_of
from flightworthy.errors import PartitionMissing, PartitionRefused, Refused
from flightworthy.known import Ask, Cutoff, KnownSince
from flightworthy.partition import SourceFile, fingerprints
from flightworthy.quarantine import Discard, Quarantined

__all__ = ["Ingested", "ingest"]

ContentT = TypeVar("ContentT")


@dataclass(frozen=True, slots=True, kw_only=True)
class Ingested:
    """What an ingest left: the dataset version of the run, and what of it is new."""

    version: DatasetVersion
    written: tuple[PartitionVersion, ...]
    unchecked: tuple[PartitionVersion, ...]
    """Partitions of ``version`` that no suite has passed yet, also those of a run that died before its check."""
    stood: bool
    """The run's own partition was there already with the same content; nothing was written for it."""
    unplaced: tuple[str, ...]
    """Rows of the source that belong to no partition; each with its line, and why."""


def ingest(source: PartitionSource[ContentT], store: DatasetStore[ContentT], ask: Ask, *, now: datetime) -> Ingested:
    """Take in the partition that is asked for, and whatever of its window the source has and the store has not yet.

    What comes late or corrected is taken in as a revision, whatever is asked. An ask as of an instant that was answered
    before gets the same answer, byte for byte.

    Raises `PartitionMissing` if neither source nor store has the key or nothing was known then, `PartitionRefused` if
    it cannot be read or waits in quarantine with the same content. What was written before a crash is found again.
    """
    intake = _Intake(source=source, store=store, ask=ask, files=source.files(), now=now)
    own = intake.own_key()
    wanted = intake.wanted(own)
    written, refusal = intake.take_in(wanted, own=own)
    version = intake.version(own)
    if refusal is not None and (ask.as_of is None or version.partition is None):
        raise refusal
    if not version.rows and version.partitions:
        raise _unknown(version, ask)
    store.record(version)
    if ask.as_of is not None:
        store.answer(ask, version)
    return Ingested(
        version=version,
        written=written,
        unchecked=tuple(each for each in version.partitions if not store.has_passed(each)),
        stood=own not in {each.key for each in written},
        unplaced=tuple(each.message for each in source.unplaced()),
    )


@dataclass(frozen=True, kw_only=True)
class _Intake(Generic[ContentT]):
    source: PartitionSource[ContentT]
    store: DatasetStore[ContentT]
    ask: Ask
    files: Sequence[SourceFile]
    now: datetime

    @property
    def model(self) -> str:
        return self.ask.model

    def own_key(self) -> str:
        key = self.ask.key
        landed = {file.key for file in self.files}
        stored = self.store.current(self.model)
        known = landed or set(stored)
        if key is None and (left := known - self._given_up(set(stored))):
            return max(left)
        if key is not None and (key in landed or key in stored):
            return key
        newest = f"its newest is {max(known)}" if known else "it holds no partition at all"
        raise PartitionMissing(
            f"{self.model} has no partition {key or '(any)'}: its source was read and {newest}. "
            "Land the data and run again; an interval without data needs no run.",
            model=self.model,
            key=key,
            newest=max(known, default=None),
        )

    def wanted(self, own: str) -> list[str]:
        """The run's own key last, before it those of the window that the store lacks or whose files were written again.

        Among them those that were refused: a corrected file wakes no deployment, and would otherwise never come in.
        """
        landed = fingerprints(self.files)
        stored, read = self.store.current(self.model), self.store.fingerprints(self.model)
        reach = sorted(key for key in landed.keys() | set(stored) if key <= own)[-self.ask.window :]
        return [
            key
            for key in reach
            if key in landed and (key == own or key not in stored or landed[key] != read.get(key, landed[key]))
        ]

    def _given_up(self, stored: set[str]) -> set[str]:
        """Keys that a person has given up, unless something landed since or something else stands for them."""
        given_up = {held.key: held for held in self.store.quarantined(self.model) if held.is_whole and held.discarded}
        landed_since = {
            file.key
            for file in self.files
            if file.key in given_up and file.modified_at > given_up[file.key].quarantined_at
        }
        return given_up.keys() - landed_since - stored

    def take_in(self, keys: Sequence[str], *, own: str) -> tuple[tuple[PartitionVersion, ...], Refused | None]:
        """What was written, and why the run's own partition was not, if it was refused."""
        contents = self.source.read(keys) if keys else {}
        outcomes = {key: self._take_in(key, contents[key]) for key in keys}
        # Last, so that what a crash kept from being written is read again.
        marks = fingerprints(self.files)
        self.store.note_fingerprints(self.model, {key: marks[key] for key in keys})
        refused = outcomes.get(own)
        written = tuple(each for each in outcomes.values() if isinstance(each, PartitionVersion))
        return written, refused if isinstance(refused, Refused) else None

    def _take_in(self, key: str, content: ContentT | PartitionRefused) -> PartitionVersion | Refused | None:
        """The version written, the refusal, or None if this very content is current already."""
        try:
            if isinstance(content, PartitionRefused):
                raise content
            with self.store.staged(self.model, content) as staged:
                return self._keep(key, staged)
        except PartitionRefused as refusal:
            held = self.store.refuse(self.model, key, refusal, now=self.now)
            return _given_up(held, held.discarded) if held.discarded else refusal

    def _keep(self, key: str, staged: Staged) -> PartitionVersion | Refused | None:
        stands = self.store.current(self.model).get(key)
        held = self._held(key, staged.digest)
        if held is None:
            is_same = stands is not None and stands.digest == staged.digest
            return None if is_same else self._write(key, staged)
        if held.kept is None:
            return _still_refused(held)
        if not self.store.is_there(held.kept):
            # Retention let it go; it is made anew of the whole.
            self._write(key, staged)
        kept = self.store.go_on(held, now=self.now)
        return None if kept == stands else kept

    def _write(self, key: str, staged: Staged) -> PartitionVersion:
        sources = [file.uri for file in self.files if file.key == key]
        return self.store.write(self.model, key, staged, sources=sources, now=self.now)

    def _held(self, key: str, digest: str) -> Quarantined | None:
        """What waits of this content; the whole of it before some rows."""
        waiting = [
            held
            for held in self.store.quarantined(self.model)
            if held.key == key and digest in (held.digest, held.source_digest)
        ]
        return min(waiting, key=lambda held: not held.is_whole, default=None)

    def version(self, own: str) -> DatasetVersion:
        """What is asked for: as it was answered before, or else of what was known."""
        answered = self.store.answered(self.ask, own) if self.ask.as_of is not None else None
        if answered is not None:
            return answered
        history = self.store.history(self.model)
        # Rows that say since when they are known are believed; of others only the whole content was seen at a time.
        as_of = self.ask.as_of if self.ask.known_since is None else None
        found = [known_by(contents, as_of) for key, contents in history.items() if key <= own]
        known = {each.partition: each for each in found if each is not None}
        whole = version_of(self.model, own, known, window=self.ask.window)
        if gone := [each for each in whole.partitions if known[each].is_pruned]:
            raise _let_go(gone)
        return self._cut(whole, self.ask.known_since)

    def _cut(self, version: DatasetVersion, known_since: KnownSince | None) -> DatasetVersion:
        if known_since is None:
            return version
        by = self.ask.as_of or self.now
        counts = {each.digest: self.store.unknown_rows(each, known_since, by=by) for each in version.partitions}
        unknown = {digest: count for digest, count in counts.items() if count}
        return replace(version, cutoff=Cutoff(known_since=known_since, by=by, unknown=unknown) if unknown else None)


def _let_go(gone: Sequence[PartitionVersion]) -> PartitionRefused:
    keys = ", ".join(each.key for each in gone)
    return PartitionRefused(
        f"{gone[0].model} has no rows any more of partition {keys} as they were known then: retention.data let them "
        "go, and the source has other ones or none. Land them again as they were, or ask for a later interval.",
        model=gone[0].model,
        keys=[each.key for each in gone],
    )


def _unknown(version: DatasetVersion, ask: Ask) -> PartitionMissing:
    at = "now" if ask.as_of is None else f"at {ask.as_of:%Y-%m-%d %H:%M} UTC"
    return PartitionMissing(
        f"No row of the {len(version.partitions)} partitions of {version.model} up to {version.as_of} was known {at}: "
        "source.known_since says that all of them became known later. Run once they are, or for a later interval.",
        model=version.model,
        key=version.as_of,
        as_of=ask.as_of,
    )


def _still_refused(held: Quarantined) -> Refused:
    if held.discarded is not None:
        return _given_up(held, held.discarded)
    return PartitionRefused(
        f"partition {held.key} of {held.model} waits in quarantine with this very content since "
        f"{held.quarantined_at:%Y-%m-%d %H:%M} UTC: {held.reason}. Land a corrected partition; or take it back in with "
        f"`flightworthy quarantine release {held.model} {held.key}`, or give it up with `discard`. If it was the "
        f"expectations that were wrong, correct them and remove {held.uri} to have it checked again.",
        model=held.model,
        key=held.key,
        digest=held.digest,
        objections=held.objections,
    )


def _given_up(held: Quarantined, discard: Discard) -> PartitionMissing:
    return PartitionMissing(
        f"partition {held.key} of {held.model} was given up by {discard.actor} at {discard.at:%Y-%m-%d %H:%M} UTC: "
        f"{discard.reason}. There is nothing to learn for its interval; land another content, or take this one back in "
        f"with `flightworthy quarantine release {held.model} {held.key}`.",
        model=held.model,
        key=held.key,
        newest=None,
    )
