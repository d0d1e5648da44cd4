"""A challenger that answers real requests before anybody gets its answers, through a real router to real processes."""

import json
import os
import signal
import sys
import time
import urllib.request
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from drill.rig import Rig, with_strategy
from flightworthy.adapters.prediction_files import PredictionFiles
from flightworthy.release import Shadow, release_id
from tests.flightworthy.deployer.test_under_load import ask
from tests.flightworthy.serving.making import write_artifact

pytestmark = pytest.mark.slow


def shadowed(rig, *, deadline=20, min_requests=50, seconds=1.0, max_flip_rate=0.05):
    shadow = Shadow(bake_time=rig.seconds(seconds), min_requests=min_requests, max_flip_rate=max_flip_rate)
    return with_strategy(steps=(50, 100), deadline=rig.seconds(deadline), shadow=shadow)


def evidence(rig, entry):
    """The numbers behind a decision, by criterion."""
    kept = json.loads(rig.store.evidence(entry.evidence[0]))
    return {found["criterion"]: found for found in kept["findings"]}


def actions(rig):
    return [entry.action for entry in rig.store.history("m")]


def answering(load):
    """Which releases answered users."""
    return {release for status, release in load.answers if status == 200}


def test_a_challenger_that_flips_answers_is_found_before_anybody_gets_one(rig):
    """It answers the same requests, and otherwise: withdrawn with the numbers, at no traffic ever."""
    champion, flipper = rig.release(1, prediction=0.1), rig.release(2, prediction=0.9, strategy=shadowed(rig))
    rig.promote(champion)
    with rig.load() as load:
        rig.propose(flipper)
        end = rig.end_of(flipper)
        rig.confirmed()
    assert (end.kind, load.failed, answering(load)) == ("withdrawn", {}, {champion.id})
    assert actions(rig)[-3:] == ["proposed", "shadowed", "withdrawn"]
    assert "entities are answered otherwise than by the champion" in end.reason
    numbers = evidence(rig, rig.store.history("m")[-1])["flips"]["numbers"]
    assert numbers["flips"] == numbers["units"] >= 2


def test_a_challenger_that_answers_as_the_champion_goes_on_to_its_first_share(rig):
    """Then through its canary as without a shadow; it had no traffic before."""
    champion, challenger = rig.release(1), rig.release(2, strategy=shadowed(rig))
    rig.promote(champion)
    with rig.load() as load:
        rig.propose(challenger)
        rig.wait_for(lambda: rig.store.deployment("m").phase == "shadow", within=40, what="the shadow")
        rig.wait_for(lambda: marked(rig, challenger), within=40, what="copies in the log")
        assert load.from_release(challenger) == 0
        assert rig.store.deployment("m").challenger_share == 0
        rig.wait_for(lambda: rig.store.deployment("m").phase != "shadow", within=40, what="the end of the shadow")
        end = rig.end_of(challenger)
        rig.confirmed()
    assert (end.kind, load.failed) == ("promoted", {})
    assert actions(rig)[-4:] == ["proposed", "shadowed", "advanced", "promoted"]
    assert rig.store.history("m")[-2].reason.startswith("0 of ")
    assert evidence(rig, rig.store.history("m")[-2])["flips"]["numbers"]["requests"] >= 50


def test_a_challenger_that_hangs_disturbs_no_user_and_is_withdrawn(rig):
    """Copies are dropped once it holds enough of them; those that it held are counted as failed."""
    champion, hanging = rig.release(1), rig.release(2, hangs_in_service=True, strategy=shadowed(rig))
    rig.promote(champion)
    with rig.load() as load:
        rig.propose(hanging)
        rig.wait_for(lambda: rig.store.deployment("m").phase == "shadow", within=40, what="the shadow")
        sent = load.sent
        end = rig.end_of(hanging)
        answered = load.sent - sent
    assert (end.kind, load.failed, answering(load)) == ("withdrawn", {}, {champion.id})
    assert "attempts failed" in end.reason
    # Had each of the four waited for its copy, a handful would have been answered.
    assert answered > 400


def test_a_challenger_that_fails_as_a_shadow_is_withdrawn(rig):
    """The router counts its failures, which no retry hides and nobody sees."""
    rig.promote(rig.release(1))
    failing = rig.release(2, error_rate=0.5, strategy=shadowed(rig))
    with rig.load() as load:
        rig.propose(failing)
        end = rig.end_of(failing)
    assert (end.kind, load.failed, load.from_release(failing)) == ("withdrawn", {}, 0)
    assert "attempts failed" in end.reason


def test_a_shadow_that_dies_is_withdrawn(rig):
    """Real requests killed it; nobody noticed."""
    rig.promote(rig.release(1))
    doomed = rig.release(2, strategy=shadowed(rig, seconds=15))
    with rig.load() as load:
        rig.propose(doomed)
        rig.wait_for(lambda: marked(rig, doomed), within=40, what="copies in the log")
        rig.kill_server(doomed)
        end = rig.end_of(doomed)
        rig.confirmed()
    assert (end.kind, load.failed, load.from_release(doomed)) == ("withdrawn", {}, 0)
    assert end.reason.startswith("its server ended while it was a shadow")


def test_a_shadow_of_too_few_requests_holds_and_is_withdrawn_at_its_deadline(rig):
    """Nobody asks, so nothing is known, and nothing gets traffic."""
    rig.promote(rig.release(1))
    unused = rig.release(2, strategy=shadowed(rig, deadline=2))
    rig.propose(unused)
    end = rig.end_of(unused)
    assert end.kind == "withdrawn"
    assert end.reason.startswith("inconclusive after 2 s as a shadow: 0 requests of 0 entities were answered by both")


def test_a_shadow_outlives_the_deployer_and_the_router(rig):
    """Both are killed in its midst: the row says where it was, its time begins again, and it goes on to its canary."""
    challenger = rig.release(2, strategy=shadowed(rig, seconds=2))
    rig.promote(rig.release(1))
    with rig.load() as load:
        rig.propose(challenger)
        rig.wait_for(lambda: marked(rig, challenger), within=40, what="copies in the log")
        rig.kill_deployer()
        time.sleep(0.5)
        assert load.from_release(challenger) == 0
        assert rig.store.deployment("m").phase == "shadow"
        rig.start_deployer()
        rig.confirmed()
        assert load.failed == {}
        os.kill(rig.router_pid(), signal.SIGKILL)
        end = rig.end_of(challenger, within=60)
    assert (end.kind, actions(rig)[-4:]) == ("promoted", ["proposed", "shadowed", "advanced", "promoted"])


def test_the_server_that_ships_marks_its_copies_and_nothing_counts_them_as_served(tmp_path):
    """A model turned round is found; its answers are in no window of the monitor, and no requests in its metrics."""
    rig = Rig(tmp_path, server_command=(sys.executable, "-m", "flightworthy.serving"))
    rig.start_deployer()
    try:
        first = real(rig, 1, sign=1.0, strategy=shadowed(rig))
        turned = real(rig, 2, sign=-1.0, strategy=shadowed(rig, deadline=60, seconds=2))
        rig.promote(first, within=60)
        rig.propose(turned)
        rig.wait_for(lambda: rig.store.deployment("m").phase == "shadow", within=40, what="the shadow")
        server = next(iter(rig.servers_of(turned)))
        answers, page, number = Counter(), "", 0
        while rig.store.deployment("m").phase == "shadow":
            number += 1
            body = json.dumps({"dataframe_records": [{"x": number % 2 * 1.0}]}).encode()
            headers = {"content-type": "application/json", "x-entity-id": f"e{number}"}
            status, _, told = ask(rig, body=body, **headers)
            answers[status, told["x-flightworthy-release"]] += 1
            page = metrics(server) or page
        end = rig.end_of(turned)
    finally:
        rig.close()
    assert (end.kind, set(answers)) == ("withdrawn", {(200, first.id)})
    assert "entities are answered otherwise than by the champion" in end.reason
    assert (rows(rig, first), rows(rig, turned)) == (answers.total(), 0)
    assert ("flightworthy_requests_total{" in page, rehearsals(page) > 3) == (False, True)


def real(rig, version, *, sign, strategy):
    """A release of a model that says yes to one value of x and no to the other."""
    estimator = LogisticRegression().fit(np.array([[0.0], [1.0]]), np.array([0, 1]))
    estimator.coef_, estimator.intercept_ = np.array([[8.0 * sign]]), np.array([-4.0 * sign])
    folder = rig.settings.home / "releases" / "m" / str(version)
    feature = {"name": "x", "type": "number", "nullable": False}
    digest = write_artifact(folder / "model", "m", estimator, [feature], [{"x": 1.0}] * 3)
    return replace(
        rig.release(90 + version, strategy=strategy), id=release_id("m", str(version), digest),
        version=str(version), artifact_uri=str(folder), artifact_digest=digest,
    )  # fmt: skip


def metrics(server):
    """The page that Prometheus scrapes of one server; empty once it is gone."""
    try:
        with urllib.request.urlopen(f"http://{server.host}:{server.port}/metrics", timeout=2) as page:
            return page.read().decode()
    except OSError:
        return ""


def rehearsals(page):
    """Requests that a server answered to nobody: golden ones, and copies."""
    line = next(line for line in page.splitlines() if line.startswith("flightworthy_rehearsals_total"))
    return int(line.split()[-1])


def rows(rig, release):
    """Rows that a release served, as the monitor sees them."""
    now = datetime.now(UTC)
    window = PredictionFiles(rig.settings.predictions).read(
        "m", since=now - timedelta(hours=1), until=now + timedelta(hours=1), release=release.id
    )
    return window.releases.get(release.id, 0)


def marked(rig, release):
    """Rows of a release's log that served nobody."""
    files = (rig.settings.predictions / release.model).glob(f"{release.id}-*.jsonl")
    lines = [json.loads(line) for path in files for line in path.read_text().splitlines()]
    return [line for line in lines if line.get("shadow")]
