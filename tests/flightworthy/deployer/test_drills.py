"""A drill beside real traffic: the previous release is started, asked and stopped, and nobody notices."""

import json
import shutil
import sys
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from drill.rig import Rig, with_strategy
from flightworthy.adapters.local_processes import LocalProcesses
from flightworthy.adapters.model_signatures import new_key_pair
from flightworthy.artifact import verify
from flightworthy.deployer.daemon import stop_all
from flightworthy.deployer.drills import Drills
from flightworthy.deployer.servers import DRILL, ProcessServers
from flightworthy.errors import Unavailable
from flightworthy.release import DrillResult, ask_drill, release_id
from tests.flightworthy.serving.making import make_diagnosis

pytestmark = pytest.mark.slow


def drilling(rig):
    """The servers of drills that run."""
    return ProcessServers(rig.settings, LocalProcesses(), DRILL).running()


def asked(rig, model="m"):
    return ask_drill(rig.store, model, actor="test", now=datetime.now(UTC))


def drilled(rig, model="m", *, within=40):
    """The drill of the previous release, once it has ended."""
    number = asked(rig, model).number

    def ended():
        drill = rig.store.drill(number)
        return drill.ended_at is not None and drill

    return rig.wait_for(ended, within=within, what="the drill to end")


def now_behaves(release, **behaviour):
    """What the folder of a release says from now on; servers that run have read it before."""
    path = Path(release.artifact_uri) / "model" / "behaviour.json"
    path.write_text(json.dumps({"prediction": 0.5, **behaviour}))


def two_releases(rig, **options):
    """A champion, and the release that a rollback would restore."""
    first, second = rig.release(1, **options), rig.release(2)
    rig.promote(first)
    rig.promote_under_load(second)
    return first, second


def test_a_previous_release_is_proven_and_gets_no_traffic(rig):
    """Under load: no request fails, none reaches the drill, nothing is decided, and its server is gone after it."""
    first, _ = two_releases(rig)
    row, entries = rig.store.deployment("m"), len(rig.store.history())
    logs = set((rig.settings.predictions / "m").iterdir())
    with rig.load() as load:
        drill = drilled(rig)
    assert (drill.passed, drill.release, drill.asked_by) == (True, first.id, "test")
    assert drill.reason.startswith("ready after ")
    assert drill.reason.endswith("all 3 golden requests answered as in training, together and one by one")
    assert timedelta() < drill.took_time < timedelta(seconds=30)
    assert load.sent > 0
    assert load.failed == {}
    assert load.from_release(first) == 0
    fresh = set((rig.settings.predictions / "m").iterdir()) - logs
    assert [path.read_text() for path in fresh] == [""]
    assert (rig.store.deployment("m"), len(rig.store.history())) == (row, entries)
    assert drilling(rig) == []
    assert f"drilled model=m release={first.id} passed=True" in rig.log()


@pytest.mark.parametrize(
    "behaviour, reason",
    [
        ({"crashes": True}, "its server ended; it said last: cannot load this model"),
        ({"prediction": 0.4}, "golden request 0: training predicted 0.5, the server answers 0.4"),
        ({"delay": 2.5}, "it booted, and could not take traffic"),
    ],
)
def test_a_previous_release_that_could_not_serve_fails_and_says_why(rig, behaviour, reason):
    """Its warm server still answers; what lies on the disk would not."""
    first, second = two_releases(rig)
    now_behaves(first, **behaviour)
    drill = drilled(rig)
    assert drill.passed is False
    assert reason in drill.reason
    assert drilling(rig) == []
    assert rig.store.deployment("m").champion == second.id


def test_a_previous_release_whose_folder_is_gone_fails_and_says_how_to_build_it_again(rig):
    """Nothing is started for it."""
    first, _ = two_releases(rig)
    shutil.rmtree(first.artifact_uri)
    drill = drilled(rig)
    assert drill.passed is False
    assert f"{first.id} cannot be started: its folder {first.artifact_uri} is gone. Build it again" in drill.reason
    assert f"server_starting release={first.id} slot=drill" not in rig.log()


def test_a_drill_whose_deployer_was_killed_is_done_again_by_the_next_one(rig):
    """The server that was left is ended first; there is one result."""
    first, _ = two_releases(rig)
    now_behaves(first, delay=0.7)
    number = asked(rig).number
    (left,) = rig.wait_for(lambda: drilling(rig), what="the drill's server")
    rig.kill_deployer()
    assert rig.store.drill(number).ended_at is None
    rig.start_deployer()
    drill = rig.wait_for(lambda: rig.store.drill(number).ended_at and rig.store.drill(number), within=40)
    assert drill.passed is True, drill.reason
    assert left.identity not in {server.identity for server in drilling(rig)}
    assert drilling(rig) == []


def test_a_server_that_a_killed_deployer_left_is_ended_by_the_next_one(rig):
    """Also where no drill is open any more."""
    first, _ = two_releases(rig)
    now_behaves(first, delay=5)
    number = asked(rig).number
    rig.wait_for(lambda: drilling(rig), what="the drill's server")
    rig.kill_deployer()
    result = DrillResult(passed=False, reason="a test", took_time=timedelta(seconds=1), ended_at=datetime.now(UTC))
    rig.store.end_drill(number, result)
    rig.start_deployer()
    rig.wait_for(lambda: drilling(rig) == [], what="what was left to end")
    assert rig.store.drill(number).reason == "a test", "what had ended stays as it ended"


def test_a_deployer_that_is_ended_in_a_drill_leaves_no_server_and_no_result(rig):
    """Its end waits for no slow model; the drill stays open for the next deployer."""
    first, _ = two_releases(rig)
    now_behaves(first, delay=1)
    number = asked(rig).number
    rig.wait_for(lambda: drilling(rig), what="the drill's server")
    rig.deployer.terminate()
    rig.deployer.wait(30)
    assert rig.store.drill(number).ended_at is None or rig.store.drill(number).passed
    assert drilling(rig) == []


def test_the_end_of_all_ends_a_drill_too(rig):
    """`--stop-all` leaves nothing that answers."""
    first, _ = two_releases(rig)
    now_behaves(first, delay=5)
    asked(rig)
    rig.wait_for(lambda: drilling(rig), what="the drill's server")
    rig.kill_deployer()
    stop_all(rig.settings)
    assert drilling(rig) == []


def test_a_release_that_is_not_what_was_signed_is_not_even_started(tmp_path):
    """A drill vets as a start does: a rollback would be refused too."""
    _, public = new_key_pair()
    (tmp_path / "verifying.pem").write_bytes(public)
    rig = Rig(tmp_path)
    rig.start_deployer()
    try:
        first, _ = two_releases(rig)
        rig.kill_deployer()
        rig.settings = replace(rig.settings, verifying_keys=(tmp_path / "verifying.pem",))
        rig.start_deployer()
        drill = drilled(rig)
        assert drill.passed is False
        assert "manifest.json does not exist. Nothing was loaded" in drill.reason
        assert not (rig.settings.logs / f"{first.id}.drill.log").exists()
    finally:
        rig.close()


def test_what_is_away_is_waited_for_and_fails_the_drill_in_the_end(rig, tmp_path):
    """An engine that does not answer proves nothing: no result, until it was away for as long as a drill may wait."""
    two_releases(rig)
    rig.kill_deployer()
    drill, clock = asked(rig), [datetime.now(UTC)]
    drills = Drills(rig.store, {"process": _Away()}, lambda _: None, lambda: clock[0])
    with pytest.raises(Unavailable):
        drills.drill(drill)
    assert rig.store.drill(drill.number).ended_at is None
    clock[0] += timedelta(minutes=11)
    drills.drill(drill)
    assert (rig.store.drill(drill.number).passed, rig.store.drill(drill.number).reason) == (False, "no answer")


class _Away:
    """Servers of an engine that does not answer."""

    def running(self):
        return []

    def lacking(self, releases):
        raise Unavailable("no answer")


def test_the_server_that_ships_is_drilled_with_a_trained_model(tmp_path):
    """Verified by its digest, and nothing of it is in the prediction log."""
    rig = Rig(tmp_path, server_command=(sys.executable, "-m", "flightworthy.serving"))
    tiny, releases = rig.release(9, strategy=with_strategy(steps=(100,), deadline=rig.seconds(60))), []
    for version in ("1", "2"):
        folder = tmp_path / "releases" / "diagnosis" / version
        make_diagnosis(folder / "model")
        digest = verify(folder / "model")
        model = json.loads((folder / "model" / "contract.json").read_text())["model"]
        releases.append(
            replace(
                tiny, id=release_id(model, version, digest), model=model, version=version,
                artifact_uri=str(folder), artifact_digest=digest,
            )
        )  # fmt: skip
    rig.start_deployer()
    try:
        for release in releases:
            rig.propose(release)
            assert rig.end_of(release, within=60).kind == "promoted"
        drill = drilled(rig, model, within=60)
        assert drill.passed is True, drill.reason
        kept = tmp_path / "releases" / "diagnosis" / "1" / "model" / "contract.json"
        kept.write_text(kept.read_text() + " ")
        refused = drilled(rig, model, within=60)
    finally:
        rig.close()
    assert refused.passed is False
    assert "its server ended; it said last:" in refused.reason
    assert [path.read_text() for path in (tmp_path / "predictions").rglob("*.jsonl") if path.read_text()] == []
