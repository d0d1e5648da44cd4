"""A person's rows taken out of everything that is kept, and who learnt from them; it may be killed anywhere.

In this order: the person onto the list by which `ingest` leaves their rows out, so that nothing brings them back from
then on; the partitions; the prediction log; and the ledger last, which so only tells what is done. Begun again it finds
what is left to do.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Protocol

from flightworthy.dataset import DatasetVersion, Split
from flightworthy.errors import Refused
from flightworthy.personal import Keys, fingerprint, pseudonym, text_of
from flightworthy.registry import ModelVersion
from flightworthy.release import Cause, Release, ReleaseStore, remark
from flightworthy.secrecy import masked

__all__ = [
    "Asked",
    "Cleared",
    "Erased",
    "Erasure",
    "Learnt",
    "Person",
    "Places",
    "Removed",
    "Replaced",
    "contents_with",
    "erase",
    "learnt_from",
    "person_named",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Erased:
    """Somebody on the list: ``entity`` is the pseudonym that the key with this fingerprint makes."""

    entity: str
    key: str
    erased_at: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Replaced:
    """A content of a partition that is gone, and the one that stands in its place, without one entity's rows."""

    key: str
    digest: str
    replaced_by: str
    rows: int
    """How many of theirs there were."""
    entity: str
    replaced_at: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """Whose rows are meant: ``names`` is what stands for them in rows and in the log, ``entity`` in what is written."""

    entity: str
    key: str
    names: frozenset[str]
    pseudonyms: Mapping[str | None, str]
    """What stands for them where pseudonyms go with a key, by the fingerprint of each key that is known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Removed:
    """Rows of a partition, or of one that waits in quarantine."""

    place: str
    key: str
    digest: str
    replaced_by: str | None
    """The digest of what is left; None in a dry run."""
    rows: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Cleared:
    """Rows of one file of the prediction log."""

    file: str
    rows: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Learnt:
    """What was made of rows that are gone. ``versions`` is None where nobody could be asked for them."""

    side: Split
    """What the person's rows were for: of a holdout nothing was learnt, it was measured on."""
    datasets: tuple[str, ...]
    versions: tuple[int, ...] | None
    releases: Mapping[str, str]
    """Each with what it is: ``champion``, ``previous``, ``challenger`` or ``kept``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Erasure:
    """What was found and, unless ``is_dry_run``, removed now; ``learnt`` also of what was removed before."""

    person: Person
    is_dry_run: bool
    removed: tuple[Removed, ...]
    cleared: tuple[Cleared, ...]
    learnt: Learnt

    @property
    def found_anything(self) -> bool:
        return bool(self.removed or self.cleared)

    @property
    def is_of_nobody_known(self) -> bool:
        """Neither now nor before was there anything of theirs."""
        return not self.found_anything and not self.learnt.datasets


class ErasableDatasets(Protocol):
    """Where partitions are kept."""

    def list_erased(self, model: str, person: Person, *, now: datetime) -> None:
        """Put somebody on the list of those whose rows are left out. Idempotent."""

    def erase(
        self, model: str, person: Person, *, column: str, now: datetime, is_dry_run: bool = False
    ) -> Sequence[Removed]:
        """Take their rows out of every content of every partition, quarantine included. Idempotent."""

    def replaced(self, model: str) -> Sequence[Replaced]:
        """Every content that is gone for somebody's sake."""

    def recorded(self, model: str) -> Sequence[DatasetVersion]:
        """Every dataset version that was ever made."""


class ErasableLog(Protocol):
    """The prediction log."""

    def erase(self, model: str, names: Collection[str], *, is_dry_run: bool = False) -> Sequence[Cleared]:
        """Take the rows of these entities out, while servers go on writing. Idempotent."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Places:
    """Everywhere a person may be."""

    datasets: ErasableDatasets
    log: ErasableLog
    ledger: ReleaseStore


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """Of which model, in which column, whom, and what their rows were for; its versions, where they are known."""

    model: str
    column: str
    person: Person
    side: Split
    versions: Sequence[ModelVersion] | None


def person_named(entity: str, keys: Keys | None, *, model: str) -> Person:
    """Who is meant by an id, or by a pseudonym of it. Raises Refused where that is empty, or no key is there.

    What is written names nobody.
    """
    if not entity.strip():
        raise Refused(
            f"nobody was erased from {model}: the ID is empty, and names nobody. Give it as the source writes it.",
            model=model,
        )
    if keys is None:
        raise Refused(
            f"nobody was erased from {model}: list and ledger know people by pseudonyms, and there is no key to make "
            "one with. Name its file in FLIGHTWORTHY_PSEUDONYM_KEY_FILE; where no column has pseudonyms any key will "
            "do, as long as ingest gets the same one.",
            model=model,
        )
    written = pseudonym(keys.current, entity)
    # Logs, and partitions of before the column was declared, may hold the id itself; those of a former key, its own.
    pseudonyms: dict[str | None, str] = {name: pseudonym(key, entity) for name, key in keys.known.items()}
    return Person(
        entity=written,
        key=fingerprint(keys.current),
        names=frozenset({text_of(entity), *pseudonyms.values()}),
        pseudonyms=pseudonyms,
    )


def erase(asked: Asked, places: Places, cause: Cause, *, is_dry_run: bool = False) -> Erasure:
    """Erase somebody; nothing is changed in a dry run. Raises Refused where the reason names them or holds a secret."""
    _see_reason(asked, cause.reason)
    person, model = asked.person, asked.model
    if not is_dry_run:
        # The list first: from now on no ingest brings back what is about to go.
        places.datasets.list_erased(model, person, now=cause.at)
    removed = places.datasets.erase(model, person, column=asked.column, now=cause.at, is_dry_run=is_dry_run)
    cleared = places.log.erase(model, person.names, is_dry_run=is_dry_run)
    gone = contents_with(person.entity, removed, places.datasets.replaced(model))
    erasure = Erasure(
        person=person,
        is_dry_run=is_dry_run,
        removed=tuple(removed),
        cleared=tuple(cleared),
        learnt=_learnt(asked, places, gone),
    )
    if not is_dry_run and (erasure.found_anything or not _is_told(places.ledger, model, person)):
        told = _evidence(erasure, places.datasets.replaced(model))
        remark(places.ledger, model, "erased", subject=f"entity {person.entity}", told=told, cause=cause)
    return erasure


def contents_with(entity: str, removed: Iterable[Removed], replaced: Iterable[Replaced]) -> set[str]:
    """The contents that held somebody's rows: those found now or replaced before, and those that these had replaced."""
    known = list(replaced)
    theirs = {each.digest for each in removed} | {each.digest for each in known if each.entity == entity}
    while more := {each.digest for each in known if each.replaced_by in theirs} - theirs:
        theirs |= more
    return theirs


def learnt_from(versions: Iterable[DatasetVersion], gone: Collection[str]) -> list[DatasetVersion]:
    """The dataset versions with a content that is gone."""
    return [version for version in versions if any(each.digest in gone for each in version.partitions)]


def _learnt(asked: Asked, places: Places, gone: Collection[str]) -> Learnt:
    datasets = {version.digest for version in learnt_from(places.datasets.recorded(asked.model), gone)}
    row = places.ledger.deployment(asked.model)
    standing = {row.champion: "champion", row.previous: "previous", row.challenger: "challenger"}
    releases = [each for each in places.ledger.releases(asked.model) if _dataset_of(each) in datasets]
    versions = None
    if asked.versions is not None:
        versions = tuple(each.version for each in asked.versions if each.tags.get("dataset_digest") in datasets)
    return Learnt(
        side=asked.side,
        datasets=tuple(sorted(datasets)),
        versions=versions,
        releases={each.id: standing.get(each.id, "kept") for each in releases},
    )


def _dataset_of(release: Release) -> str | None:
    return release.bundle.get("dataset_digest")


def _is_told(ledger: ReleaseStore, model: str, person: Person) -> bool:
    bodies = (ledger.evidence(digest) for e in ledger.history(model) if e.action == "erased" for digest in e.evidence)
    return any(body is not None and json.loads(body).get("entity") == person.entity for body in bodies)


def _evidence(erasure: Erasure, replaced: Iterable[Replaced]) -> dict[str, Any]:
    theirs = [each for each in replaced if each.entity == erasure.person.entity]
    return {
        "kind": "erasure",
        "entity": erasure.person.entity,
        "key": erasure.person.key,
        "replaced": [[each.key, each.digest, each.replaced_by, each.rows] for each in theirs],
        "removed": [asdict(each) for each in erasure.removed],
        "log": [asdict(each) for each in erasure.cleared],
        "side": str(erasure.learnt.side),
        "datasets": list(erasure.learnt.datasets),
        "versions": None if erasure.learnt.versions is None else list(erasure.learnt.versions),
        "releases": dict(erasure.learnt.releases),
    }


def _see_reason(asked: Asked, reason: str) -> None:
    if not reason.strip():
        raise Refused(
            "nobody was erased: a reason is needed, such as the number under which you keep the request; whoever reads "
            "the ledger later asks for it.",
            model=asked.model,
        )
    if masked(reason) != reason:
        raise Refused(
            "nobody was erased: the reason holds what looks like a password, a token or a key, and the ledger keeps it "
            "for ever. Say it without.",
            model=asked.model,
        )
    if any(name in reason for name in asked.person.names if len(name) > 2):
        raise Refused(
            "nobody was erased: the reason names the person, and the ledger keeps it for ever. Name the request "
            "instead, such as the number under which you keep it.",
            model=asked.model,
        )
