"""Releases through a real router to real processes while requests flow: none may fail."""

import json
import os
import signal
import time
import urllib.error
import urllib.request

import pytest

from drill.rig import with_strategy
from flightworthy import ledger
from flightworthy.deployer.daemon import stop_all
from flightworthy.deployer.servers import free_port
from flightworthy.errors import Conflict

pytestmark = pytest.mark.slow


def ask(rig, path="/m/invocations", body=b'{"dataframe_records": [{"x": 1}]}', **headers):
    url = f"http://127.0.0.1:{rig.settings.router_port}{path}"
    request = urllib.request.Request(url, data=body, headers=headers)
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.status, json.load(answer), dict(answer.headers)
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.load(error), dict(error.headers)


def test_a_promotion_and_a_rollback_lose_no_request(rig):
    """Through every step of the canary, then back by one pointer within a second."""
    first, second = rig.release(1), rig.release(2)
    rig.promote(first)
    with rig.load() as load:
        rig.promote(second)
        assert rig.servers_of(first), "the old release stays warm"
        rig.healthy(first)
        began = time.monotonic()
        row = rig.roll_back()
        rig.confirmed()
        seconds = time.monotonic() - began
        answered = load.from_release(second)
        time.sleep(0.5)
        assert load.from_release(second) - answered <= load.connections
    assert row.champion == first.id
    assert load.failed == {}
    assert load.from_release(second) > 20
    assert seconds < 1.0
    assert ledger.verify(rig.store.history(), head=rig.store.head()) == row.generation


def test_a_previous_release_is_stopped_after_its_time_and_a_rollback_starts_it_again(rig):
    """The row still names it, also for a deployer that was started since; the champion serves until it is healthy."""
    first, second = rig.release(1), rig.release(2, strategy=with_strategy(warm_time=rig.seconds(1)))
    rig.promote(first)
    with rig.load() as load:
        rig.promote(second)
        rig.wait_for(lambda: not rig.servers_of(first), within=40, what="the end of the release before")
        row = rig.store.deployment("m")
        assert (row.previous, row.slot_of(first.id)) == (first.id, "a")
        rig.kill_deployer()
        rig.start_deployer()
        rig.confirmed()
        time.sleep(1)
        assert not rig.servers_of(first)
        assert rig.roll_back().phase == "returning"
        rig.wait_for(lambda: rig.store.deployment("m").champion == first.id, within=40, what="the way back")
        rig.confirmed()
    assert load.failed == {}
    assert [entry.action for entry in rig.store.history("m")][-2:] == ["returning", "rolled_back"]
    assert [healing for healing in rig.store.healings("m", limit=10) if healing.kind == "server"] == []


def test_all_at_once_moves_all_traffic_and_keeps_nothing_warm(rig):
    """Vetted first, as ever; no request is lost on the way."""
    at_once = with_strategy(steps=(100,), warm_time=rig.seconds(0))
    first, second = rig.release(1), rig.release(2, strategy=at_once)
    rig.promote(first)
    with rig.load() as load:
        rig.promote(second)
        rig.wait_for(lambda: not rig.servers_of(first), within=40, what="the end of the release before")
        answered = load.from_release(second)
        rig.wait_for(lambda: load.from_release(second) > answered + 50, what="the champion to go on alone")
    assert load.failed == {}
    assert [entry.action for entry in rig.store.history("m")][-2:] == ["proposed", "promoted"]


def test_a_challenger_that_answers_differently_from_training_gets_no_traffic(rig):
    """Its golden requests are replayed before the router sends it anything."""
    rig.promote(rig.release(1))
    wrong = rig.release(2, golden=0.7)
    with rig.load() as load:
        rig.propose(wrong)
        ended = rig.end_of(wrong)
        rig.confirmed()
    assert (ended.kind, load.failed, load.from_release(wrong)) == ("withdrawn", {}, 0)
    assert ended.reason == "golden request 0: training predicted 0.7, the server answers 0.5"


def test_a_challenger_that_fails_requests_is_withdrawn_and_users_see_no_error(rig):
    """A failed attempt is answered by the champion; the judge counts it all the same."""
    rig.promote(rig.release(1))
    failing = rig.release(2, error_rate=0.3)
    with rig.load() as load:
        rig.propose(failing)
        ended = rig.end_of(failing)
        rig.confirmed()
        time.sleep(0.5)
    assert (ended.kind, load.failed) == ("withdrawn", {})
    assert "attempts failed" in ended.reason
    entry = rig.store.history("m")[-1]
    judged = json.loads(rig.store.evidence(entry.evidence[0]))
    assert judged["verdict"] == "unhealthy"
    assert judged["challenger"]["errors"] > 0


def test_a_challenger_that_nobody_asks_is_withdrawn_as_inconclusive(rig):
    """Too little traffic holds, and at the deadline withdraws; it never promotes."""
    rig.promote(rig.release(1))
    unused = rig.release(2, strategy=with_strategy(deadline=rig.seconds(2)))
    rig.propose(unused)
    ended = rig.end_of(unused)
    assert ended.kind == "withdrawn"
    assert ended.reason.startswith("inconclusive after 2 s at 20 %: 0 attempts")


def test_an_entity_goes_over_to_the_challenger_once_and_never_back(rig):
    """Through growing steps, whichever slot the challenger has, and over the ends of a deployer and of a router."""
    strategy = with_strategy(steps=(20, 50, 80, 100), bake_time=rig.seconds(2))
    first, second, third = rig.release(1), rig.release(2, strategy=strategy), rig.release(3, strategy=strategy)
    rig.promote(first)
    with rig.load() as load:
        rig.wait_for(lambda: len(load.courses) == 200, what="all entities to have asked")
        rig.propose(second)
        at_step(rig, 0)
        over = moved(load, second)
        assert 20 <= len(over) <= 70, "about a fifth of 200"
        rig.kill_deployer()
        rig.start_deployer()
        at_step(rig, 1)
        assert over < moved(load, second)
        os.kill(rig.router_pid(), signal.SIGKILL)
        at_step(rig, 2)
        rig.end_of(second)
        rig.confirmed()
        rig.wait_for(
            lambda: len(moved(load, second)) == 200, within=40, what="all entities to be answered by the champion"
        )
        rig.promote(third)
        rig.wait_for(
            lambda: len(moved(load, third)) == 200, within=40, what="all entities to be answered by the champion"
        )
    assert {tuple(course) for course in load.courses.values()} == {(first.id, second.id, third.id)}


def at_step(rig, step):
    """Wait until the router serves a step, and every entity has asked in it."""
    rig.wait_for(lambda: rig.store.deployment("m").phase == "canary", within=40, what="the canary")
    rig.wait_for(lambda: rig.store.deployment("m").step >= step, within=40, what=f"step {step}")
    rig.confirmed(within=40)
    time.sleep(1)


def moved(load, release):
    """The entities that a release answered last."""
    return {entity for entity, course in load.courses.items() if course[-1] == release.id}


def test_a_champion_that_is_killed_is_answered_for_by_the_previous_release(rig):
    """Both were vetted. It is started again and takes over again, with no decision and no failed request."""
    first, second = rig.release(1), rig.release(2)
    rig.promote(first)
    with rig.load() as load:
        rig.promote(second)
        rig.healthy(first)
        time.sleep(0.5)
        generation, by_first = rig.store.deployment("m").generation, load.from_release(first)
        rig.kill_server(second)
        rig.wait_for(lambda: load.from_release(first) > by_first, what="the previous release to answer")
        rig.wait_for(lambda: rig.servers_of(second), what="the champion's new server")
        by_second = load.from_release(second)
        rig.wait_for(lambda: load.from_release(second) > by_second + 20, what="the champion to answer again")
    assert load.failed == {}
    assert rig.store.deployment("m").generation == generation
    (healing,) = rig.healings("m")
    assert (healing.kind, healing.model) == ("server", "m")
    assert healing.what.startswith(f"the server of {second.id} in slot ")


def test_an_unvetted_challenger_never_answers_for_a_dead_champion(rig):
    """503 is the right answer while the only vetted release is being started again."""
    first = rig.release(1)
    rig.promote(first)
    waiting = rig.release(
        2, strategy=with_strategy(steps=(1, 100), bake_time=rig.seconds(30), deadline=rig.seconds(60))
    )
    rig.propose(waiting)
    rig.wait_for(lambda: rig.store.deployment("m").phase == "canary", what="the canary")
    rig.confirmed()
    with rig.load() as load:
        rig.kill_server(first)
        rig.wait_for(lambda: load.failed, what="a request without a champion")
        rig.wait_for(lambda: rig.servers_of(first), what="the champion's new server")
        answered = load.from_release(first)
        rig.wait_for(lambda: load.from_release(first) > answered + 20, what="the champion to answer again")
        asked = load.sent
    assert {status for status, _ in load.failed} == {503}
    assert load.from_release(waiting) < asked * 0.1


def test_a_killed_deployer_disturbs_nobody_and_the_next_one_goes_on(rig):
    """In the middle of a canary: servers and router run on, and the release ends as it would have."""
    first, second = rig.release(1), rig.release(2)
    rig.promote(first)
    with rig.load() as load:
        rig.propose(second)
        rig.wait_for(lambda: rig.store.deployment("m").phase == "canary", what="the canary")
        before = {server.identity for server in rig.servers()}
        rig.kill_deployer()
        time.sleep(1)
        rig.start_deployer()
        ended = rig.end_of(second)
        rig.confirmed()
        assert {server.identity for server in rig.servers()} == before
    assert (ended.kind, load.failed) == ("promoted", {})
    assert rig.store.healings("m", limit=10) == []


def test_a_server_that_died_while_no_deployer_was_there_is_written_down_too(rig):
    """The next deployer reads in the last observation that it was healthy."""
    rig.promote(rig.release(1))
    rig.healthy(rig.release(1))
    rig.kill_deployer()
    rig.kill_server(rig.release(1))
    rig.start_deployer()
    rig.wait_for(lambda: rig.servers_of(rig.release(1)), what="the champion's new server")
    assert [healing.kind for healing in rig.healings("m")] == ["server"]


def test_a_killed_router_comes_back_with_the_split_it_had(rig):
    """Requests fail while there is no router, and only then; nothing is decided anew."""
    rig.promote(rig.release(1))
    rig.promote(rig.release(2, strategy=with_strategy(steps=(100,))))
    generation = rig.store.deployment("m").generation
    os.kill(rig.router_pid(), signal.SIGKILL)
    began = time.monotonic()
    rig.wait_for(lambda: rig.answers(ask), what="the router to answer again")
    assert time.monotonic() - began < 5
    assert ask(rig)[2]["x-flightworthy-release"] == rig.release(2).id
    assert rig.store.deployment("m").generation == generation
    (healing,) = rig.healings("m")
    assert (healing.kind, healing.model) == ("router", None)


def test_a_split_that_was_edited_by_hand_is_put_right(rig):
    """The row decides what the files say."""
    rig.promote(rig.release(1))
    rig.promote(rig.release(2, strategy=with_strategy(steps=(100,))))
    routes = rig.settings.router_folder / "rds.json"
    good = routes.read_text()
    routes.write_text(good.replace('"weight": 100', '"weight": 1').replace('"weight": 0', '"weight": 99'))
    rig.wait_for(lambda: routes.read_text() == good, what="the routes to be written again")
    (healing,) = rig.healings("m")
    assert (healing.kind, healing.what) == ("split", "rds.json was edited by others; it says again what is decided")


def test_a_second_deployer_in_the_same_folder_is_refused(rig):
    """It names the first one, which works on."""
    rig.promote(rig.release(1))
    second = rig.second_deployer()
    assert second.wait(20) == 1
    assert f"another deployer (pid {rig.deployer.pid}) works in" in rig.log()
    assert rig.deployer.poll() is None


def test_a_cold_release_is_started_before_it_takes_over(rig):
    """Going back two releases: the champion serves until the old one is healthy."""
    releases = [rig.release(version, strategy=with_strategy(steps=(100,))) for version in (1, 2, 3)]
    for release in releases:
        rig.promote(release)
    rig.wait_for(lambda: not rig.servers_of(releases[0]), what="the oldest release to be stopped")
    with rig.load() as load:
        rig.roll_back(to=releases[0].id)
        rig.wait_for(lambda: rig.store.deployment("m").champion == releases[0].id, what="the return")
        rig.confirmed()
    assert load.failed == {}
    assert rig.store.deployment("m").previous is None


def test_two_models_are_released_apart(rig):
    """The one that cannot start holds nobody else; a model without a champion answers 503, an unknown one 404."""
    stuck = rig.release(1, model="stuck", strategy=with_strategy(deadline=rig.seconds(60)), crashes=True)
    rig.propose(stuck)
    rig.promote(rig.release(1))
    assert ask(rig)[0] == 200
    status, body, headers = ask(rig, "/stuck/invocations")
    assert (status, headers["content-type"]) == (503, "application/problem+json")
    assert body["detail"] == "stuck has no release that serves yet"
    assert ask(rig, "/nobody/invocations")[0] == 404


def test_the_router_passes_ids_on_and_takes_forged_headers_off(rig):
    """x-request-id comes back as it was sent, and nobody chooses an arm by a header."""
    rig.promote(rig.release(1))
    status, _, headers = ask(rig, **{"x-request-id": "mine-1", "x-flightworthy-arm": "b"})
    assert (status, headers["x-request-id"]) == (200, "mine-1")
    assert "x-flightworthy-arm" not in rig.headers_seen_by(rig.release(1))


def test_stop_all_ends_everything_of_its_folder(rig):
    """Deployer, router and servers; nothing keeps a port."""
    rig.promote(rig.release(1))
    stop_all(rig.settings)
    assert rig.deployer.wait(10) == 0
    assert rig.servers() == []
    assert rig.router_pid() is None


def test_a_free_port_is_free():
    """Nothing listens there."""
    assert 1024 <= free_port() <= 65535


def test_a_release_proposed_while_another_runs_is_a_conflict_under_load(rig):
    """Exactly one course at a time, also with a deployer that moves the row."""
    rig.promote(rig.release(1))
    slow = rig.release(2, strategy=with_strategy(bake_time=rig.seconds(30), deadline=rig.seconds(60)))
    rig.propose(slow)
    with pytest.raises(Conflict, match="is on its course"):
        rig.propose(rig.release(3))
    rig.roll_back()
    assert rig.end_of(slow).kind == "withdrawn"
