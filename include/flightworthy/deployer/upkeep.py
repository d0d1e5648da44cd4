"""Servers kept as the rows want them: missing ones started, unused ones stopped once they are drained."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from functools import partial

from flightworthy.adapters.envoy_router import RouterView
from flightworthy.deployer.errands import Errands
from flightworthy.deployer.healings import Healings
from flightworthy.deployer.servers import Place, Server, Servers, ServersByTarget
from flightworthy.deployer.vetting import Vet
from flightworthy.errors import Refused
from flightworthy.release import Release, Target

log = logging.getLogger(__name__)

_GRACE = timedelta(seconds=20)
"""From asking a server to end until ending it."""


@dataclass(slots=True)
class _Starts:
    """How often a server was started without becoming healthy, and when it may be again."""

    count: int = 0
    not_before: float = 0.0
    was_healthy: bool | None = None
    """None: not known to this deployer."""


class Upkeep:
    """Owns the servers of every kind. What runs is looked up in every pass; only patience is remembered."""

    def __init__(
        self,
        kinds: ServersByTarget,
        errands: Errands,
        vet: Vet,
        *,
        drain_time: timedelta,
        healings: Healings | None = None,
    ) -> None:
        self._kinds: Mapping[Target, Servers] = kinds
        self._errands = errands
        self._vet = vet
        self._drain_time = drain_time
        self._refusals: dict[Place, str] = {}
        self._healings = healings
        self._starts: dict[Place, _Starts] = {}
        self._idle_since: dict[str, float] = {}
        self._stopped_at: dict[str, float] = {}
        self._kind_of: dict[str, Servers] = {}
        self._running: list[Server] = []

    def look(self, view: RouterView | None) -> dict[Place, Server]:
        """The servers that run and are not being stopped; of two in one place the one that the router knows."""
        for place in self._starts:
            # Before looking: an errand that returned then has its server among those found.
            self._errands.collect(("start", place))
        self._running = []
        for kind in self._kinds.values():
            found = kind.running()
            self._running += found
            self._kind_of.update({server.identity: kind for server in found})
        alive = {server.identity for server in self._running}
        self._stopped_at = {known: at for known, at in self._stopped_at.items() if known in alive}
        self._kind_of = {known: kind for known, kind in self._kind_of.items() if known in alive}
        known = _addresses(view)
        usable = [server for server in self._running if server.identity not in self._stopped_at]
        return {server.place: server for server in sorted(usable, key=lambda server: _address(server) in known)}

    def has_lost_one(self) -> bool:
        """Whether a server that ran at the last look has ended: the cheap question between two looks."""
        return any(not self._kind_of[server.identity].is_alive(server) for server in self._running)

    def start_missing(
        self, wanted: Iterable[Place], running: Collection[Place], release_of: Callable[[str], Release]
    ) -> None:
        """Send for the servers that are wanted and do not run."""
        for place in wanted:
            starts = self._starts.setdefault(place, _Starts())
            if place in running or time.monotonic() < starts.not_before:
                continue
            if self._errands.is_under_way(("start", place)):
                continue
            starts.not_before = time.monotonic() + min(0.25 * 2**starts.count, 10.0)
            starts.count += 1
            release = release_of(place.release)
            kind = self._kinds.get(release.target)
            if kind is None:
                log.error("target_missing release=%s target=%s", release.id, release.target)
                continue
            self._note_healing(release, place, starts)
            log.info("server_starting release=%s slot=%s attempt=%s", place.release, place.slot, starts.count)
            self._errands.send(("start", place), partial(self._start, kind, release, place), retry_time=timedelta())

    def _note_healing(self, release: Release, place: Place, starts: _Starts) -> None:
        """Write down that a server which had been healthy ended by itself; once, however often it is tried."""
        if self._healings is None:
            return
        if starts.was_healthy is None:
            starts.was_healthy = self._healings.was_seen_healthy(release)
        if starts.was_healthy:
            what = f"the server of {place.release} in slot {place.slot} had ended; it was started again"
            self._healings.note("server", what, model=release.model)
        starts.was_healthy = False

    def stop_unused(self, wanted: Collection[Place], running: Mapping[Place, Server], view: RouterView) -> None:
        """Stop servers that no row asks for and that the router has had no address of for the time to drain."""
        now, known = time.monotonic(), _addresses(view)
        for server in self._running:
            is_used = server.place in wanted and running.get(server.place) == server
            if is_used or _address(server) in known:
                self._idle_since.pop(server.identity, None)
            elif server.identity in self._stopped_at:
                if now - self._stopped_at[server.identity] > _GRACE.total_seconds():
                    self._end(("kill", server.identity), partial(self._kind_of[server.identity].kill, server))
            elif now - self._idle_since.setdefault(server.identity, now) >= self._drain_time.total_seconds():
                log.info("server_stopping release=%s slot=%s", server.place.release, server.place.slot)
                self._stopped_at[server.identity] = now
                self._end(("stop", server.identity), partial(self._kind_of[server.identity].stop, server))
        self._starts = {place: starts for place, starts in self._starts.items() if place in wanted}
        for place in [place for place in list(self._refusals) if place not in wanted]:
            self._refusals.pop(place, None)

    def _start(self, kind: Servers, release: Release, place: Place) -> bool:
        try:
            self._vet(release)
            kind.start(release, place.slot)
        except Refused as refused:
            self._refusals[place] = refused.message
            raise
        self._refusals.pop(place, None)
        return True

    def _end(self, key: tuple[str, str], errand: Callable[[], None]) -> None:
        self._errands.collect(key)
        self._errands.send(key, errand, retry_time=_GRACE)

    def is_idle(self) -> bool:
        """Whether no server is on its way out."""
        return not self._stopped_at and not self._idle_since

    def note_healthy(self, place: Place) -> None:
        """A server that became healthy may be started again at once, should it end."""
        self._starts[place] = _Starts(was_healthy=True)

    def refusal(self, place: Place) -> str | None:
        """Why the server in this place may not be started, if that is so."""
        return self._refusals.get(place)

    def failures(self, place: Place) -> int:
        """How often the server in this place ended before it was healthy."""
        return max(0, self._starts.get(place, _Starts()).count - 1)

    def log_tail(self, release: Release, place: Place) -> str:
        kind = self._kinds.get(release.target)
        return kind.log_tail(place) if kind is not None else f"this deployer has no {release.target} servers"


def _address(server: Server) -> tuple[str, int]:
    return server.host, server.port


def _addresses(view: RouterView | None) -> set[tuple[str, int]]:
    """Where the router would send a request: a port alone names nobody, since each container may have the same."""
    if view is None:
        return set()
    seen = [slot for model in view.models.values() for slot in model.slots.values() if slot is not None]
    return {(slot.host, slot.port) for slot in seen}
