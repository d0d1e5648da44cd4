"""Drills: a release is started beside those that serve, asked as if it had traffic, and stopped again.

Its server is in no slot, so that the router never hears of it. One drill at a time, beside the loop; one that was
killed anywhere is done again by the next deployer, which ends the server that was left.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial

from flightworthy.deployer.course import Rehearsal
from flightworthy.deployer.errands import Errands
from flightworthy.deployer.golden import rehearse, rehearse_singly
from flightworthy.deployer.servers import Place, Server, Servers, ServersByTarget
from flightworthy.deployer.vetting import Vet
from flightworthy.errors import Refused, Unavailable
from flightworthy.release import Drill, DrillResult, Release, ReleaseStore, how_to_rebuild

log = logging.getLogger(__name__)

_LOOK = timedelta(seconds=1)
_RETRY = timedelta(seconds=5)
_PATIENCE = timedelta(minutes=10)
"""How long a release may take to boot, and what a drill needs may be away."""
_ANSWER = timedelta(seconds=2)
"""The router's time for one try: later answers would have been asked of another server."""
_GRACE = timedelta(seconds=15)
_POLL_SECONDS = 0.05


class Drills:
    """Does what was asked for by the store. ``kinds`` are servers of the arm ``drill`` alone."""

    def __init__(
        self,
        store: ReleaseStore,
        kinds: ServersByTarget,
        vet: Vet,
        clock: Callable[[], datetime],
        *,
        patience: timedelta = _PATIENCE,
    ) -> None:
        self._store = store
        self._kinds = kinds
        self._vet = vet
        self._clock = clock
        self._patience = patience
        self._errands = Errands(workers=1)
        self._ending = threading.Event()
        self._looked_at = float("-inf")
        self._sent: set[int] = set()
        self._errands.send("leftovers", self._end_leftovers, retry_time=timedelta())

    def tend(self) -> None:
        """Send for the drills that are open. Never waits."""
        if time.monotonic() - self._looked_at < _LOOK.total_seconds():
            return
        self._looked_at = time.monotonic()
        asked = self._store.open_drills()
        for number in self._sent:
            self._errands.collect(number)
        self._sent = {drill.number for drill in asked}
        for drill in asked:
            self._errands.send(drill.number, partial(self.drill, drill), retry_time=_RETRY)

    def close(self) -> None:
        self._ending.set()
        self._errands.close()

    def drill(self, drill: Drill) -> None:
        """Do one, and write what it found. Raises Unavailable where it has to be done again."""
        release = self._store.release(drill.release)
        kind = self._kinds[release.target]
        began = time.monotonic()
        try:
            found = self._prove(release, kind)
        except Refused as refused:
            found = Rehearsal(passed=False, reason=refused.message)
        except Unavailable as error:
            if self._ending.is_set() or self._clock() - drill.asked_at < self._patience:
                raise
            found = Rehearsal(passed=False, reason=error.message)
        took_time = timedelta(seconds=time.monotonic() - began)
        log.info(
            "drilled model=%s release=%s passed=%s seconds=%.2f reason=%s",
            drill.model, release.id, found.passed, took_time.total_seconds(), found.reason,
        )  # fmt: skip
        result = DrillResult(passed=found.passed, reason=found.reason, took_time=took_time, ended_at=self._clock())
        self._store.end_drill(drill.number, result)

    def _prove(self, release: Release, kind: Servers) -> Rehearsal:
        if (why := kind.lacking([release]).get(release.id)) is not None:
            return Rehearsal(passed=False, reason=f"{release.id} cannot be started: {why}. {how_to_rebuild(release)}")
        self._vet(release)
        # Of a drill that was killed: one server at a time is all that is ever right here.
        self._end_all(kind)
        try:
            kind.start(release, "drill")
            return self._ask(release, kind)
        finally:
            self._end_all(kind)

    def _ask(self, release: Release, kind: Servers) -> Rehearsal:
        """Wait until the server answers its golden requests, then ask it the same one by one."""
        began, patience = time.monotonic(), min(self._patience, release.strategy.deadline)
        seen_at = began
        while time.monotonic() - began < patience.total_seconds():
            if self._ending.is_set():
                raise Unavailable(f"the deployer ended during the drill of {release.id}; the next one does it again")
            server = next(iter(kind.running()), None)
            if server is not None:
                seen_at = time.monotonic()
                if (booted := self._rehearsed(release, server)) is not None:
                    return booted if not booted.passed else self._as_traffic(release, server, seen_at - began)
            elif time.monotonic() - seen_at > _LOOK.total_seconds():
                return Rehearsal(passed=False, reason=f"its server ended{_said(kind, release)}")
            time.sleep(_POLL_SECONDS)
        reason = f"not ready within {patience.total_seconds():g} s{_said(kind, release)}"
        return Rehearsal(passed=False, reason=reason)

    def _rehearsed(self, release: Release, server: Server) -> Rehearsal | None:
        try:
            return rehearse(release, server)
        except Unavailable:
            return None

    def _as_traffic(self, release: Release, server: Server, boot_seconds: float) -> Rehearsal:
        try:
            found = rehearse_singly(release, server, within=_ANSWER)
        except Unavailable as error:
            reason = f"it booted, and could not take traffic: {error.message} ({_ANSWER.total_seconds():g} s for each)"
            return Rehearsal(passed=False, reason=reason)
        if not found.passed:
            return found
        reason = f"ready after {boot_seconds:.1f} s; {found.reason}, together and one by one"
        return Rehearsal(passed=True, reason=reason)

    def _end_leftovers(self) -> None:
        for kind in self._kinds.values():
            self._end_all(kind)

    def _end_all(self, kind: Servers) -> None:
        for server in kind.running():
            kind.stop(server)
            deadline = time.monotonic() + _GRACE.total_seconds()
            while kind.is_alive(server) and time.monotonic() < deadline:
                time.sleep(_POLL_SECONDS)
            kind.kill(server)


def _said(kind: Servers, release: Release) -> str:
    said = kind.log_tail(Place(release=release.id, slot="drill"))
    return f"; it said last: {said}" if said else ""
