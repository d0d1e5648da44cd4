"""From a model's row to what the router should do next, given what it does now. Pure.

Three rules keep every state on the way safe, whatever is killed and whenever:

* a slot's address passes to another release only once the loaded split gives that slot nothing;
* a slot gets traffic that it did not have only once the router itself sees its server healthy;
* a slot may catch the champion's failures only while the router has the previous release in it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta

from flightworthy.adapters.envoy_router import Backend, LoadedRoute, ModelPlan, ModelView
from flightworthy.deployer.servers import Place, Server
from flightworthy.release import Deployment, Phase, Slot

SLOTS: tuple[Slot, Slot] = ("a", "b")


def wanted_places(row: Deployment) -> set[Place]:
    """The servers that a row asks for."""
    return {Place(release=release, slot=slot) for slot in SLOTS if (release := row.release_in(slot)) is not None}


def cooled(row: Deployment, warm_time: timedelta | None, now: datetime) -> Deployment:
    """The row as servers should be: without the previous release in a slot, once that was kept warm for its time.

    Nothing is decided by it. A rollback still finds the previous release in the row, and starts it again.
    """
    slot = row.slot_of(row.previous)
    if row.phase is not Phase.STEADY or slot is None or warm_time is None or row.since_at is None:
        return row
    if now - row.since_at < warm_time:
        return row
    return replace(row, slot_a=None) if slot == "a" else replace(row, slot_b=None)


def plan_for(row: Deployment, servers: Mapping[Place, Server], view: ModelView) -> ModelPlan:
    """What the router should be told now; told again with what it then says, until nothing changes."""
    plan = _target(row, servers, view)
    loaded = view.route
    if loaded is None or _may_carry(row, plan, loaded, view):
        return plan
    return replace(
        plan, generation=loaded.generation, stable=loaded.stable, share=loaded.share,
        falls_back=loaded.falls_back, mirrors=loaded.mirrors,
    )  # fmt: skip


def is_healthy(row: Deployment, slot: Slot, view: ModelView) -> bool:
    """Whether the router has the row's release in the slot and sees it healthy."""
    seen = view.slots[slot]
    return seen is not None and seen.healthy and seen.release == row.release_in(slot)


def is_in_use(slot: Slot, loaded: LoadedRoute | None) -> bool:
    """Whether the loaded split can send a request to the slot."""
    return loaded is not None and loaded.stable is not None and (loaded.share_of(slot) > 0 or loaded.falls_back)


def other(slot: Slot) -> Slot:
    """The slot beside this one."""
    return "b" if slot == "a" else "a"


def _target(row: Deployment, servers: Mapping[Place, Server], view: ModelView) -> ModelPlan:
    stable = row.slot_of(row.champion)
    return ModelPlan(
        model=row.model,
        generation=row.generation,
        slots={slot: _backend(row, slot, servers, view) for slot in SLOTS},
        stable=stable,
        share=row.challenger_share if row.phase is Phase.CANARY else 0,
        falls_back=stable is not None and _may_catch(row, other(stable), view),
        mirrors=row.phase is Phase.SHADOW,
    )


def _backend(row: Deployment, slot: Slot, servers: Mapping[Place, Server], view: ModelView) -> Backend | None:
    release, seen = row.release_in(slot), view.slots[slot]
    if seen is not None and seen.release != release and is_in_use(slot, view.route):
        return Backend(release=seen.release, host=seen.host, port=seen.port)
    if release is None:
        return None
    server = servers.get(Place(release=release, slot=slot))
    if server is not None:
        return Backend(release=release, host=server.host, port=server.port)
    # Its server died and is being started again: the old address hurts nobody, the router sees that it is down.
    return Backend(release=release, host=seen.host, port=seen.port) if seen and seen.release == release else None


def _may_catch(row: Deployment, slot: Slot, view: ModelView) -> bool:
    seen = view.slots[slot]
    is_warm = row.previous is not None and row.release_in(slot) == row.previous and row.challenger != row.previous
    return is_warm and seen is not None and seen.release == row.previous


def _may_carry(row: Deployment, plan: ModelPlan, loaded: LoadedRoute, view: ModelView) -> bool:
    """Whether every slot that gains traffic by the plan from nothing is one that the router sees healthy."""
    gaining = [slot for slot in SLOTS if _share(plan, slot) > 0 and loaded.share_of(slot) == 0]
    return all(is_healthy(row, slot, view) for slot in gaining)


def _share(plan: ModelPlan, slot: Slot) -> int:
    if plan.stable is None:
        return 0
    return 100 - plan.share if slot == plan.stable else plan.share
