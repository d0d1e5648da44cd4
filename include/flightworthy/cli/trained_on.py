"""Which releases were trained on data that was refused later."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from flightworthy.errors import ArtifactRefused
from flightworthy.ledger import instant
from flightworthy.quarantine import refused_later

if TYPE_CHECKING:
    from flightworthy.cli.settings import Settings
    from flightworthy.quarantine import Quarantined
    from flightworthy.release import Deployment, Release, ReleaseStore

__all__ = ["Tainted", "tainted_releases"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Tainted:
    """A release, what it is now, and a partition that it learnt from and that was refused since."""

    release: str
    role: str
    """``live``, ``challenger``, ``previous``, or ``kept``: a rollback could go to it."""
    held: Quarantined

    def document(self) -> dict[str, Any]:
        """As JSON types."""
        return {
            "release": self.release,
            "role": self.role,
            "key": self.held.key,
            "digest": self.held.digest,
            "reason": self.held.reason,
            "at": instant(self.held.quarantined_at),
        }


def tainted_releases(row: Deployment, settings: Settings, store: ReleaseStore) -> list[Tainted]:
    """Of one model, the live one first. Whoever asks about a model that never had anything refused pays nothing."""
    if not (settings.home / "datasets" / row.model / "quarantine").is_dir():
        return []
    datasets = settings.datasets()
    waiting, gone = datasets.quarantined(row.model), store.missing()
    roles = {row.champion: "live", row.challenger: "challenger", row.previous: "previous"}
    found = [
        Tainted(release=release.id, role=roles.get(release.id, "kept"), held=held)
        for release in reversed(store.releases(row.model))
        if release.id not in gone
        for held in _refused_since(release, waiting, datasets)
    ]
    order = ("live", "challenger", "previous", "kept")
    return sorted(found, key=lambda each: order.index(each.role))


def _refused_since(release: Release, waiting: list[Quarantined], datasets: Any) -> Iterator[Quarantined]:
    try:
        version = datasets.version(release.model, release.bundle.get("dataset_digest", ""))
    except ArtifactRefused:
        return  # made elsewhere: nothing here says what it was trained on
    yield from refused_later(waiting, version)
