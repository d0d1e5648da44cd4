"""Which releases cannot be started any more: looked up beside the loop, and told to whoever wants to go back to one.

The deployer owns the engine and the folders, so it alone can know; a command line or a task reads what it found.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta
from functools import partial

from flightworthy.deployer.errands import Errands
from flightworthy.deployer.servers import ServersByTarget
from flightworthy.errors import Conflict, Unavailable
from flightworthy.release import (
    Cause,
    Deployment,
    Phase,
    Release,
    ReleaseStore,
    draft,
    how_to_rebuild,
    withdrawn,
)

log = logging.getLogger(__name__)

_LOOK = timedelta(seconds=10)


class Stock:
    """Looks every ten seconds, and at once for a release that is to be started."""

    def __init__(
        self,
        store: ReleaseStore,
        kinds: ServersByTarget,
        clock: Callable[[], datetime],
        *,
        look_time: timedelta = _LOOK,
    ) -> None:
        self._store = store
        self._kinds = kinds
        self._clock = clock
        self._look_time = look_time
        self._errands = Errands(workers=2)
        self._looked_at = float("-inf")
        self._checked: dict[str, int] = {}

    def tend(self, rows: Sequence[Deployment]) -> None:
        """Send for a look if one is due. Never waits."""
        self._errands.collect("look")
        if time.monotonic() - self._looked_at > self._look_time.total_seconds():
            self._looked_at = time.monotonic()
            models = [row.model for row in rows]
            self._errands.send("look", lambda: self._look(models), retry_time=timedelta(), quiet=True)
        for row in rows:
            self._errands.collect(row.model)
            if row.phase in (Phase.STARTING, Phase.RETURNING) and self._checked.get(row.model) != row.generation:
                self._checked[row.model] = row.generation
                self._errands.send(row.model, partial(self._check, row), retry_time=timedelta())

    def close(self) -> None:
        self._errands.close()

    def lacking(self, releases: Iterable[Release]) -> dict[str, str | None]:
        """Why each release cannot be started, None where it can; without those of which nothing can be known now."""
        found: dict[str, str | None] = {}
        listed = list(releases)
        for target, kind in self._kinds.items():
            asked = [release for release in listed if release.target == target]
            try:
                lacks = kind.lacking(asked)
            except Unavailable:
                continue
            found.update({release.id: lacks.get(release.id) for release in asked})
        return found

    def _look(self, models: Sequence[str]) -> None:
        found = self.lacking(release for model in models for release in self._store.releases(model))
        known = self._store.missing()
        # What is known to be gone keeps its reason: that of retention says more.
        news = {release: why for release, why in found.items() if (why is None) == (release in known)}
        if news:
            self._store.note_missing(news, at=self._clock())
            log.info("stock_changed gone=%s back=%s", *(_names(news, gone=gone) for gone in (True, False)))

    def _check(self, row: Deployment) -> None:
        """Withdraw a release that cannot be started now, rather than at its deadline."""
        release = self._store.release(str(row.challenger))
        why = self.lacking([release]).get(release.id)
        if why is None:
            return
        after = withdrawn(row, self._clock())
        reason = f"{release.id} cannot be started: {why}. {how_to_rebuild(release)}"
        cause = Cause(actor="deployer", reason=reason, at=self._clock())
        try:
            self._store.swap(row, after, draft(row, after, "withdrawn", cause))
        except Conflict as conflict:
            log.info("left_alone model=%s reason=%s", row.model, conflict.message)
            return
        self._store.note_missing({release.id: why}, at=self._clock())
        log.info("withdrawn model=%s release=%s generation=%s reason=%s", row.model, release.id, after.generation, why)


def _names(news: dict[str, str | None], *, gone: bool) -> str:
    return ",".join(sorted(release for release, why in news.items() if (why is not None) == gone)) or "-"
