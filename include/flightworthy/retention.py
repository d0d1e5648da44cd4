"""What may be thrown away: never what serves, is warm or what a rollback may need; first what never served.

Pure: what there is goes in, what may go comes out with its reason. Removing it is the deployer's work.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Literal

from flightworthy.dataset import DatasetVersion, PartitionVersion, Revision
from flightworthy.ledger import Entry
from flightworthy.quarantine import Quarantined
from flightworthy.release import Deployment, Release, served

__all__ = [
    "REMOVED",
    "DataPolicy",
    "Policy",
    "Prunable",
    "PrunableData",
    "StoredVersion",
    "live",
    "prunable",
    "prunable_data",
]


REMOVED: Final = "retention removed it on"
"""How the reason begins why a release is missing that was thrown away."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """The newest ``champions`` stay; others that served for ``served_time``, what never did for ``unused_time``."""

    champions: int
    unused_time: timedelta
    served_time: timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredVersion:
    """A registered version. ``registered_at`` is None where the registry does not tell; such a one stays."""

    number: int
    registered_at: datetime | None
    has_alias: bool
    dataset_digest: str = ""
    """Of what it learnt from; empty where the registry does not tell, and nothing is known to be needless then."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Prunable:
    """A release (its folder, its image and its version) or a version that was never released, and why it may go."""

    kind: Literal["version", "release"]
    name: str
    version: int
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DataPolicy:
    """Rows that nobody has needed for ``kept_time`` go; never those of the next run's ``window`` of partitions."""

    window: int
    kept_time: timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class PrunableData:
    """A content of a partition whose rows may go, and why."""

    partition: PartitionVersion
    why: str


def prunable_data(
    policy: DataPolicy,
    history: Mapping[str, Sequence[Revision]],
    needed: Collection[DatasetVersion],
    quarantined: Collection[Quarantined],
    *,
    now: datetime,
) -> list[PrunableData]:
    """Contents that are in no dataset version that is ``needed``, nor in the next run's window, and not new.

    What goes on while other rows of it wait stays too: without it they could not be taken back in.
    """
    kept = {(each.key, each.digest) for version in needed for each in version.partitions}
    kept |= {(held.key, held.kept.digest) for held in quarantined if held.kept is not None and held.waiting}
    newest = sorted(history)[-policy.window :]
    kept |= {(key, history[key][-1].partition.digest) for key in newest}
    limit = now - policy.kept_time
    return [
        PrunableData(partition=partition, why=_why_not_needed(contents, partition, key in newest))
        for key, contents in sorted(history.items())
        for partition in dict.fromkeys(each.partition for each in contents if not each.is_pruned)
        if (key, partition.digest) not in kept
        and max(each.seen_at for each in contents if each.partition == partition) < limit
    ]


def _why_not_needed(contents: Sequence[Revision], partition: PartitionVersion, is_near: bool) -> str:
    older = "it was revised" if contents[-1].partition != partition else "it lies before the window of the next run"
    near = f"{older}, " if is_near or contents[-1].partition == partition else f"{older} and lies before the window, "
    return f"{near}and nothing that is kept, or was asked for lately, learnt from it"


def live(row: Deployment) -> set[str]:
    """What serves, wants to, or is kept warm: nobody takes that away."""
    named = (row.slot_a, row.slot_b, row.champion, row.challenger, row.previous)
    return {release for release in named if release is not None}


def prunable(
    policy: Policy,
    row: Deployment,
    releases: Sequence[Release],
    history: Sequence[Entry],
    versions: Sequence[StoredVersion],
    *,
    now: datetime,
) -> list[Prunable]:
    """What may go, in the order in which it should: never released, never served, then the oldest champions."""
    champions = _champions(history)
    kept = live(row) | set(champions[-policy.champions :]) | set(served(history)[-policy.champions :])
    idle = [release for release in releases if release.id not in kept]
    never = [release for release in idle if release.id not in champions]
    before = [release for release in idle if release.id in champions]
    before.sort(key=lambda release: champions.index(release.id))
    return [
        *_unreleased(policy, releases, versions, now),
        *_outlived(never, history, now - policy.unused_time, "it never served, and nothing was decided about it since"),
        *_outlived(
            before, history, now - policy.served_time, f"{policy.champions} newer ones served, and it not since"
        ),
    ]


def _champions(history: Sequence[Entry]) -> list[str]:
    """Every release that ever was champion, by when it last became it, also those that were undone."""
    order: dict[str, None] = {}
    for entry in history:
        if entry.action in ("promoted", "rolled_back") and entry.to_release is not None:
            order.pop(entry.to_release, None)
            order[entry.to_release] = None
    return list(order)


def _unreleased(
    policy: Policy, releases: Sequence[Release], versions: Sequence[StoredVersion], now: datetime
) -> list[Prunable]:
    """Backfilled and refused versions. The newest one stays, or the same work would be done again at once."""
    released = {release.version for release in releases}
    newest = max((version.number for version in versions), default=0)
    return [
        Prunable(
            kind="version",
            name=str(version.number),
            version=version.number,
            why=f"it was registered at {version.registered_at:%Y-%m-%d} and never released",
        )
        for version in sorted(versions, key=lambda version: version.number)
        if str(version.number) not in released
        and version.number != newest
        and not version.has_alias
        and version.registered_at is not None
        and version.registered_at < now - policy.unused_time
    ]


def _outlived(idle: Collection[Release], history: Sequence[Entry], limit: datetime, why: str) -> list[Prunable]:
    found = []
    for release in idle:
        told = [entry.at for entry in history if release.id in (entry.from_release, entry.to_release)]
        # A release without an entry is being proposed at this moment.
        if told and max(told) < limit:
            said = f"{why} {max(told):%Y-%m-%d}"
            found.append(Prunable(kind="release", name=release.id, version=int(release.version), why=said))
    return found
