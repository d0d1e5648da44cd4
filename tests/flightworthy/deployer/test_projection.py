from dataclasses import replace
from datetime import timedelta

import pytest

from flightworthy.adapters.envoy_router import Backend, LoadedRoute, ModelView, SlotView
from flightworthy.adapters.envoy_router.plan import clusters, route
from flightworthy.deployer.projection import cooled, plan_for, wanted_places
from flightworthy.deployer.servers import Place, Server
from flightworthy.release import Deployment, Phase
from tests.flightworthy.release_makers import NOW

WARM = timedelta(hours=1)
PORTS = {"v1": 1001, "v2": 1002, "v3": 1003}


def row(slot_a, slot_b, *, champion, challenger=None, previous=None, phase=Phase.STEADY, share_b=0, generation=5):
    return Deployment(
        model="m", generation=generation, slot_a=slot_a, slot_b=slot_b, share_b=share_b, champion=champion,
        challenger=challenger, previous=previous, phase=phase, step=0, since_at=NOW,
    )  # fmt: skip


def servers(*releases_by_slot):
    places = [Place(release=release, slot=slot) for release, slot in releases_by_slot]
    return {p: Server(place=p, host="h", port=PORTS[p.release], identity=p.release) for p in places}


def seen(release, *, healthy=True):
    if release is None:
        return None
    return SlotView(release=release, host="h", port=PORTS[release], healthy=healthy, attempts=0, errors=0)


def view(slot_a, slot_b, *, stable, share=0, falls_back=False, generation=4):
    route = LoadedRoute(generation=generation, stable=stable, share=share, falls_back=falls_back)
    return ModelView(route=route, slots={"a": slot_a, "b": slot_b})


def backend(release):
    return Backend(release=release, host="h", port=PORTS[release])


def test_a_challenger_gets_no_address_while_its_slot_may_still_catch_failures():
    """The split without the fallback must be loaded first; only then does the slot pass to the unvetted one."""
    starting = row("v1", "v3", champion="v1", challenger="v3", previous="v2", phase=Phase.STARTING)
    running = servers(("v1", "a"), ("v3", "b"))
    first = plan_for(starting, running, view(seen("v1"), seen("v2"), stable="a", falls_back=True))
    assert (first.slots["b"], first.falls_back, first.share) == (backend("v2"), False, 0)
    then = plan_for(starting, running, view(seen("v1"), seen("v2"), stable="a", generation=5))
    assert then.slots["b"] == backend("v3")


def test_a_slot_gets_no_traffic_before_the_router_sees_it_healthy():
    """The loaded split stays, and with it its generation: nothing is confirmed that is not so."""
    canary = row("v1", "v2", champion="v1", challenger="v2", phase=Phase.CANARY, share_b=20)
    running = servers(("v1", "a"), ("v2", "b"))
    held = plan_for(canary, running, view(seen("v1"), seen("v2", healthy=False), stable="a"))
    assert (held.share, held.generation) == (0, 4)
    moved = plan_for(canary, running, view(seen("v1"), seen("v2"), stable="a"))
    assert (moved.share, moved.generation, moved.stable) == (20, 5, "a")


def test_a_previous_release_is_cold_once_its_time_is_over():
    """No server is wanted for it, and nothing else of the row is another."""
    steady = row("v1", "v2", champion="v1", previous="v2")
    assert cooled(steady, WARM, NOW + WARM - timedelta(microseconds=1)) == steady
    cold = cooled(steady, WARM, NOW + WARM)
    assert cold == replace(steady, slot_b=None)
    assert wanted_places(cold) == {Place(release="v1", slot="a")}
    assert cooled(steady, None, NOW + 1000 * WARM) == steady


@pytest.mark.parametrize("phase", [phase for phase in Phase if phase is not Phase.STEADY])
def test_nothing_gets_cold_while_a_release_is_on_its_course(phase):
    """A former champion that is being started again is not stopped for having been warm long enough."""
    busy = row("v1", "v2", champion="v1", challenger="v2", previous="v2", phase=phase)
    assert cooled(busy, WARM, NOW + 2 * WARM) == busy


def test_a_release_that_gets_cold_catches_no_failures_before_its_address_goes():
    """First the split without the fallback, then the slot without a server."""
    cold = cooled(row("v1", "v2", champion="v1", previous="v2"), WARM, NOW + WARM)
    running = servers(("v1", "a"), ("v2", "b"))
    first = plan_for(cold, running, view(seen("v1"), seen("v2"), stable="a", falls_back=True))
    assert (first.falls_back, first.slots["b"]) == (False, backend("v2"))
    then = plan_for(cold, running, view(seen("v1"), seen("v2"), stable="a", generation=5))
    assert (then.falls_back, then.slots["b"]) == (False, None)


def test_a_shadow_gets_copies_and_no_traffic():
    """In a cluster of its own, and no longer than its phase."""
    shadow = row("v1", "v2", champion="v1", challenger="v2", phase=Phase.SHADOW)
    running = servers(("v1", "a"), ("v2", "b"))
    plan = plan_for(shadow, running, view(seen("v1"), seen("v2"), stable="a"))
    assert (plan.mirrors, plan.share, plan.falls_back, plan.generation) == (True, 0, False, 5)
    assert [each["name"] for each in clusters(plan)] == ["m.a", "m.b", "m.ab", "m.ba", "m.shadow"]
    copies = route(plan)["route"]["request_mirror_policies"]
    assert [policy["cluster"] for policy in copies] == ["m.shadow"]
    canary = replace(shadow, phase=Phase.CANARY, share_b=20)
    after = plan_for(canary, running, view(seen("v1"), seen("v2"), stable="a"))
    assert (after.mirrors, route(after)["route"]["request_mirror_policies"]) == (False, [])
    assert "m.shadow" not in [each["name"] for each in clusters(after)]


def test_a_rollback_to_a_release_that_just_died_leaves_traffic_where_it_is():
    """The row has flipped; the router follows once the release is healthy again."""
    flipped = row("v2", "v1", champion="v2", previous="v1", share_b=0)
    loaded = view(seen("v2", healthy=False), seen("v3"), stable="b", falls_back=True)
    plan = plan_for(flipped, servers(("v2", "a"), ("v1", "b")), loaded)
    assert (plan.stable, plan.slots["b"], plan.generation) == ("b", backend("v3"), 4)


def test_only_a_previous_release_that_the_router_has_may_catch_failures():
    """Not the release that was undone and is still in the slot, and not one that was never champion."""
    steady = row("v1", "v2", champion="v1", previous="v2")
    running = servers(("v1", "a"), ("v2", "b"))
    assert plan_for(steady, running, view(seen("v1"), seen("v2"), stable="a")).falls_back
    assert not plan_for(steady, running, view(seen("v1"), seen("v3"), stable="a")).falls_back
    assert not plan_for(replace(steady, previous=None), running, view(seen("v1"), seen("v2"), stable="a")).falls_back


def test_a_withdrawal_takes_traffic_away_whatever_the_champion_is_doing():
    """An unvetted release never serves because the champion is down."""
    steady = row("v1", "v2", champion="v1", previous="v2")
    loaded = view(seen("v1", healthy=False), seen("v3"), stable="a", share=50)
    plan = plan_for(steady, servers(("v1", "a"), ("v2", "b")), loaded)
    assert (plan.share, plan.falls_back, plan.slots["b"]) == (0, False, backend("v3"))


def test_a_dead_servers_address_stays_until_there_is_a_new_one():
    """The router sees that it is down by itself; taking it away and giving it back would only cost two changes."""
    steady = row("v1", None, champion="v1")
    plan = plan_for(steady, {}, view(seen("v1", healthy=False), None, stable="a"))
    assert plan.slots == {"a": backend("v1"), "b": None}


def test_a_router_that_lost_everything_is_told_the_row():
    """There is no loaded split to protect."""
    steady = row("v1", "v2", champion="v1", previous="v2")
    nothing = ModelView(route=None, slots={"a": None, "b": None})
    plan = plan_for(steady, servers(("v1", "a"), ("v2", "b")), nothing)
    assert (plan.stable, plan.generation, plan.slots["a"]) == ("a", 5, backend("v1"))


@pytest.mark.parametrize("share", [0, 20, 50])
def test_a_plan_that_was_carried_out_is_planned_again_unchanged(share):
    """So that the passes come to rest."""
    phase = Phase.CANARY if share else Phase.STARTING
    current = row("v1", "v2", champion="v1", challenger="v2", phase=phase, share_b=share)
    running = servers(("v1", "a"), ("v2", "b"))
    plan = plan_for(current, running, view(seen("v1"), seen("v2"), stable="a"))
    loaded = view(seen("v1"), seen("v2"), stable="a", share=plan.share, generation=plan.generation)
    assert plan_for(current, running, loaded) == plan


def test_a_row_wants_a_server_in_each_slot_that_has_a_release():
    """Warm ones too."""
    assert wanted_places(row("v1", None, champion="v1")) == {Place(release="v1", slot="a")}
