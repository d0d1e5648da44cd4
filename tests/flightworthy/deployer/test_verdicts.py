"""What a canary is withdrawn for, through a real router to real processes while requests flow."""

import json
import sys
from dataclasses import replace

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from drill.rig import Rig, with_strategy
from flightworthy.release import release_id
from tests.flightworthy.canary.arms import LIMITS
from tests.flightworthy.deployer.test_under_load import ask
from tests.flightworthy.serving.making import write_artifact

pytestmark = pytest.mark.slow


def judged(rig, **changes):
    """Half of the traffic, so that a verdict takes a second."""
    limits = replace(LIMITS, **changes)
    return with_strategy(steps=(50, 100), bake_time=rig.seconds(1), min_requests=50, limits=limits)


def evidence(rig):
    """The numbers behind the last decision, by criterion."""
    kept = json.loads(rig.store.evidence(rig.store.history("m")[-1].evidence[0]))
    return {found["criterion"]: found for found in kept["findings"]}


def ended(rig, champion, challenger):
    """How the challenger's release ends while requests flow, none of which may fail."""
    rig.promote(champion)
    with rig.load() as load:
        rig.propose(challenger)
        end = rig.end_of(challenger)
        rig.confirmed()
    assert load.failed == {}
    return end


def test_a_challenger_that_is_slower_is_withdrawn(rig):
    """Twice as slow at the median: the reason says so, and the evidence has both medians."""
    end = ended(rig, rig.release(1, delay=0.01), rig.release(2, delay=0.02, strategy=judged(rig)))
    assert end.kind == "withdrawn"
    assert "ms at the median, +" in end.reason
    found = evidence(rig)["latency"]
    assert found["verdict"] == "unhealthy"
    assert found["numbers"]["median_ms"] > found["numbers"]["champion_median_ms"] > 10


def test_a_challenger_that_answers_wrongly_is_withdrawn(rig):
    """It answers 200 to everything, and otherwise than the champion, and than it did in training."""
    wrong = rig.release(2, prediction=0.9, training=[0.1] * 200, strategy=judged(rig))
    end = ended(rig, rig.release(1, prediction=0.1), wrong)
    assert end.kind == "withdrawn"
    assert "100.0% of the answers are positive, of the champion's 0.0%, in its training 0.0%" in end.reason
    assert {evidence(rig)[name]["verdict"] for name in ("flips", "shift")} == {"unhealthy"}


def test_a_challenger_that_was_trained_to_answer_otherwise_is_promoted(rig):
    """What it learnt anew is what it was released for."""
    right = rig.release(2, prediction=0.9, training=[0.9] * 200, strategy=judged(rig))
    assert ended(rig, rig.release(1, prediction=0.1), right).kind == "promoted"
    assert evidence(rig)["flips"]["numbers"]["expected_share"] == 1.0


def test_a_champion_that_writes_no_latency_keeps_its_successor_out_only_where_it_is_required(rig):
    """Missing evidence is told; it holds where the spec asks for it, and the deadline withdraws."""
    strict = replace(judged(rig, required=("errors", "latency")), deadline=rig.seconds(3))
    end = ended(rig, rig.release(1, is_old=True), rig.release(2, strategy=strict))
    assert (end.kind, "the champion's server writes none into its log" in end.reason) == ("withdrawn", True)
    lenient = rig.release(3, strategy=judged(rig))
    with rig.load():
        rig.promote(lenient)
    assert evidence(rig)["latency"]["verdict"] is None


def test_a_challenger_that_computes_nan_is_withdrawn_and_users_see_no_error(tmp_path):
    """The server that ships refuses to answer NaN, with 500; the champion answers instead, and the judge counts it."""
    rig = Rig(tmp_path, server_command=(sys.executable, "-m", "flightworthy.serving"))
    rig.start_deployer()
    try:
        strategy = with_strategy(deadline=rig.seconds(60))
        first = served(rig, 1, weight=1.0, strategy=strategy)
        broken = served(rig, 2, weight=np.inf, strategy=strategy)
        rig.promote(first, within=60)
        rig.propose(broken)
        rig.wait_for(lambda: rig.store.deployment("m").phase == "canary", within=30, what="the canary")
        body = json.dumps({"dataframe_records": [{"x": 0.0}]}).encode()
        statuses = set()
        while rig.store.deployment("m").challenger is not None:
            statuses.add(ask(rig, body=body, **{"content-type": "application/json"})[0])
        end = rig.end_of(broken)
    finally:
        rig.close()
    assert (end.kind, statuses) == ("withdrawn", {200})
    assert "attempts failed" in end.reason


def served(rig, version, *, weight, strategy):
    """A release of a model that answers to x = 1 as in training; with an infinite weight, to x = 0 it computes NaN."""
    estimator = LogisticRegression().fit(np.array([[0.0], [1.0]]), np.array([0, 1]))
    estimator.coef_ = np.array([[weight]])
    feature = {"name": "x", "type": "number", "nullable": False}
    folder = rig.settings.home / "releases" / "m" / str(version)
    digest = write_artifact(folder / "model", "m", estimator, [feature], [{"x": 1.0}] * 3)
    return replace(
        rig.release(90 + version, strategy=strategy), id=release_id("m", str(version), digest),
        version=str(version), artifact_uri=str(folder), artifact_digest=digest,
    )  # fmt: skip
