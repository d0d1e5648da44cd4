"""One pass: look at rows, servers and router, take the decision that is due, and tell everything what to be.

Idempotent: a pass that was killed anywhere is finished by the next one, whoever makes it. The rows decide, the
compare-and-swap keeps two deciders apart, and what runs is looked up rather than remembered.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import IntEnum

from flightworthy.adapters.envoy_router import ModelPlan, ModelView, RouterView
from flightworthy.deployer.aliases import AliasKeeper
from flightworthy.deployer.baking import Arms, Bake, Baking
from flightworthy.deployer.course import Move, Rehearsal, Sight, next_move
from flightworthy.deployer.errands import Errands
from flightworthy.deployer.golden import rehearse
from flightworthy.deployer.projection import SLOTS, cooled, is_healthy, plan_for, wanted_places
from flightworthy.deployer.router import Router
from flightworthy.deployer.servers import Place, Server
from flightworthy.deployer.shadowing import Shadowing
from flightworthy.deployer.upkeep import Upkeep
from flightworthy.errors import Conflict
from flightworthy.release import (
    Cause,
    Deployment,
    Observation,
    Phase,
    Release,
    ReleaseStore,
    draft,
    entered,
    promoted,
    returned,
    shadowed,
    way_back_from,
    withdrawn,
)

log = logging.getLogger(__name__)

_HEARTBEAT = timedelta(seconds=5)
_JUDGED = (Phase.SHADOW, Phase.CANARY)
_EMPTY = ModelView(route=None, slots={"a": None, "b": None})


class Pace(IntEnum):
    """How soon the next pass should come."""

    SETTLED = 0
    MOVING = 1
    URGENT = 2


@dataclass(slots=True, kw_only=True)
class Reconciler:
    """Everything a pass needs. ``clock`` gives the instant, in UTC."""

    store: ReleaseStore
    router: Router
    upkeep: Upkeep
    errands: Errands
    baking: Baking
    shadowing: Shadowing
    aliases: AliasKeeper | None
    clock: Callable[[], datetime]
    _rehearsals: dict[str, Rehearsal] = field(default_factory=dict, init=False)
    _releases: dict[str, Release] = field(default_factory=dict, init=False)
    _observed: dict[str, Observation] = field(default_factory=dict, init=False)
    _seen: dict[str, tuple[int, datetime]] = field(default_factory=dict, init=False)

    def reconcile(self) -> Pace:
        """Make one pass."""
        self.router.ensure()
        view = self.router.view()
        rows = [self._as_warm(row) for row in self.store.deployments()]
        servers = self.upkeep.look(view)
        if view is None:
            # Without the router's word a canary or a shadow has no evidence: it holds, and its deadline goes on.
            held = [self._move(row, servers, _EMPTY) if row.phase in _JUDGED else row for row in rows]
            self._tend(held, servers, None)
            return Pace.URGENT
        for row in rows:
            self._note_health(row, view.models.get(row.model, _EMPTY))
        moved = [self._move(row, servers, view.models.get(row.model, _EMPTY)) for row in rows]
        wrote = self._tell_router(moved, servers, view)
        self._tend(moved, servers, view)
        for row in moved:
            self._observe(row, view.models.get(row.model, _EMPTY))
            if self.aliases is not None:
                self.aliases.tend(row)
        if wrote or moved != rows:
            return Pace.URGENT
        return self._pace(moved, view)

    def _as_warm(self, row: Deployment) -> Deployment:
        """The row without what need not be warm any more, as its champion's strategy says."""
        if row.champion is None or row.previous is None:
            return row
        return cooled(row, self._release(row.champion).strategy.warm_time, self.clock())

    def _tend(self, rows: list[Deployment], servers: Mapping[Place, Server], view: RouterView | None) -> None:
        wanted = {place for row in rows for place in wanted_places(row)}
        self.upkeep.start_missing(sorted(wanted, key=str), servers.keys(), self._release)
        if view is not None:
            self.upkeep.stop_unused(wanted, servers, view)

    def _tell_router(self, rows: list[Deployment], servers: Mapping[Place, Server], view: RouterView) -> bool:
        plans: list[ModelPlan] = [plan_for(row, servers, view.models.get(row.model, _EMPTY)) for row in rows]
        wrote_clusters = self.router.write_clusters(plans)
        wrote_routes = self.router.write_routes(plans)
        return wrote_clusters or wrote_routes

    def _move(self, row: Deployment, servers: Mapping[Place, Server], view: ModelView) -> Deployment:
        """Take the decision that is due for a row, if one is; the row as it then stands."""
        if row.challenger is None:
            return row
        release = self._release(row.challenger)
        move = next_move(row, release, self._sight(row, release, servers, view))
        if move is None:
            return row
        after = self._after(row, move)
        evidence = () if move.evidence is None else (self.store.keep_evidence(move.evidence),)
        cause = Cause(actor="deployer", reason=self._reason(row, release, move), at=self.clock(), evidence=evidence)
        try:
            self.store.swap(row, after, draft(row, after, move.kind, cause))
        except Conflict as conflict:
            log.info("left_alone model=%s reason=%s", row.model, conflict.message)
            return self.store.deployment(row.model)
        log.info(
            "%s model=%s release=%s generation=%s share=%s reason=%s",
            move.kind, row.model, release.id, after.generation, after.challenger_share, cause.reason,
        )  # fmt: skip
        return after

    def _reason(self, row: Deployment, release: Release, move: Move) -> str:
        slot = row.slot_of(release.id)
        if not move.quotes_log or slot is None:
            return move.reason
        said = self.upkeep.log_tail(release, Place(release=release.id, slot=slot))
        return f"{move.reason}; it said last: {said}" if said else move.reason

    def _after(self, row: Deployment, move: Move) -> Deployment:
        now = self.clock()
        if move.kind == "shadowed":
            return shadowed(row, now)
        if move.kind == "advanced":
            return entered(row, move.step, move.share, now)
        if move.kind == "promoted":
            return promoted(row, now)
        if move.kind == "rolled_back" and row.challenger is not None:
            way_back = way_back_from(self.store.history(row.model), row.challenger)
            return returned(row, row.challenger, way_back, now)
        return withdrawn(row, now)

    def _sight(self, row: Deployment, release: Release, servers: Mapping[Place, Server], view: ModelView) -> Sight:
        slot = row.slot_of(release.id) or "b"
        place = Place(release=release.id, slot=slot)
        server = servers.get(place)
        bake = self._bake(row, release, view)
        return Sight(
            has_server=server is not None,
            refusal=self.upkeep.refusal(place),
            is_healthy=is_healthy(row, slot, view),
            rehearsal=self._rehearsal(release, server) if row.phase not in _JUDGED else None,
            waited_time=self.clock() - self._first_seen(row),
            baked_time=None if bake is None else bake.time,
            judgement=None if bake is None else bake.judgement,
            failures=self.upkeep.failures(place),
        )

    def _bake(self, row: Deployment, release: Release, view: ModelView) -> Bake | None:
        """What is known of the row's step, where it is at one that is judged."""
        champion = None if row.champion is None else self._release(row.champion)
        arms = Arms(challenger=release, champion=champion)
        if row.phase is Phase.SHADOW and release.strategy.shadow is not None:
            return self.shadowing.look(row, arms, release.strategy.shadow, view, self.clock())
        return self.baking.look(row, arms, view, self.clock()) if row.phase is Phase.CANARY else None

    def _first_seen(self, row: Deployment) -> datetime:
        generation, at = self._seen.get(row.model, (-1, self.clock()))
        if generation != row.generation:
            at = self.clock()
            self._seen[row.model] = (row.generation, at)
        return at

    def _rehearsal(self, release: Release, server: Server | None) -> Rehearsal | None:
        if server is None:
            return None
        if server.identity not in self._rehearsals:
            key = ("rehearse", server.identity)
            done = self.errands.collect(key)
            if done is None:
                retry_time = timedelta(milliseconds=100)
                self.errands.send(key, lambda: rehearse(release, server), retry_time=retry_time, quiet=True)
                return None
            self._rehearsals[server.identity] = done
        return self._rehearsals[server.identity]

    def _note_health(self, row: Deployment, view: ModelView) -> None:
        for slot in SLOTS:
            release = row.release_in(slot)
            if release is not None and is_healthy(row, slot, view):
                self.upkeep.note_healthy(Place(release=release, slot=slot))

    def _observe(self, row: Deployment, view: ModelView) -> None:
        """Tell the store what the router confirmed, when it is news and now and then as a sign of life."""
        healthy = tuple(release for slot in SLOTS if (release := row.release_in(slot)) and is_healthy(row, slot, view))
        route = view.route
        seen = Observation(
            model=row.model,
            generation=route.generation if route else 0,
            share_b=route.share_of("b") if route else 0,
            healthy=healthy,
            note=_note(row, view, healthy),
            at=self.clock(),
        )
        last = self._observed.get(row.model)
        if last is None or seen.at - last.at > _HEARTBEAT or not _same(seen, last):
            self.store.observe(seen)
            self._observed[row.model] = seen

    def _pace(self, rows: list[Deployment], view: RouterView) -> Pace:
        for row in rows:
            seen = view.models.get(row.model, _EMPTY)
            wanted = {place.release for place in wanted_places(row)}
            all_healthy = all(is_healthy(row, slot, seen) for slot in SLOTS if row.release_in(slot) in wanted)
            confirmed = seen.route is not None and seen.route.generation == row.generation
            if row.challenger is not None or not all_healthy or not confirmed:
                return Pace.MOVING
        return Pace.SETTLED if self.upkeep.is_idle() else Pace.MOVING

    def _release(self, release_id: str) -> Release:
        if release_id not in self._releases:
            self._releases[release_id] = self.store.release(release_id)
        return self._releases[release_id]


def _same(seen: Observation, last: Observation) -> bool:
    return (seen.generation, seen.share_b, seen.healthy, seen.note) == (
        last.generation, last.share_b, last.healthy, last.note,
    )  # fmt: skip


def _note(row: Deployment, view: ModelView, healthy: tuple[str, ...]) -> str:
    """Why the router does not serve what the row says, in words; empty if it does."""
    if view.route is None or view.route.generation != row.generation:
        return f"the router serves generation {view.route.generation if view.route else 0}, not {row.generation} yet"
    if row.champion is not None and row.champion not in healthy:
        return f"the champion {row.champion} is not healthy; it is being started again"
    return ""
