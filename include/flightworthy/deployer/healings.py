"""What is written down of things put right: beside the decisions, since nobody decided it."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import datetime

from flightworthy.errors import Unavailable
from flightworthy.release import Healing, HealingKind, Release, ReleaseStore

log = logging.getLogger(__name__)


class Healings:
    """Writes healings into the store. One that cannot be written is logged: putting things right never waits for it."""

    def __init__(self, store: ReleaseStore, clock: Callable[[], datetime]) -> None:
        self._store = store
        self._clock = clock

    def note(self, kind: HealingKind, what: str, *, model: str | None) -> None:
        """Write down what was put right; ``model`` is None for what all models share."""
        log.warning("healed kind=%s model=%s what=%s", kind, model or "-", what)
        try:
            self._store.note_healing(Healing(model=model, at=self._clock(), kind=kind, what=what))
        except Unavailable as error:
            log.warning("healing_not_written reason=%s", error.message)

    def was_seen_healthy(self, release: Release) -> bool:
        """Whether the last observation, maybe an earlier deployer's, has the release as healthy."""
        seen = self._store.observation(release.model)
        return seen is not None and release.id in seen.healthy
