"""The line from a landed partition to live traffic, and what it refuses, with every vendor real."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest
import requests

from demo.world import BROKEN, ENTITY, FIRST, HISTORY
from flightworthy.adapters.mlflow_tracking.registry import MlflowRegistry
from flightworthy_airflow.hooks.flightworthy import FlightworthyHook
from flightworthy_airflow.hooks.mlflow import MlflowHook
from tests.scenarios.conftest import Story
from tests.scenarios.playing import Played, dag_of, play

pytestmark = [pytest.mark.airflow, pytest.mark.slow]


def registry() -> MlflowRegistry:
    return MlflowHook().registry()


def row() -> tuple[int, str | None]:
    """What serves, and how often that was decided."""
    found = FlightworthyHook().releases().deployment("diagnosis")
    return found.generation, found.champion


def asked(story: Story) -> requests.Response:
    features = {name: value for name, value in next(story.world.requests()).items() if name != ENTITY}
    return requests.post(
        f"{story.router_url}/diagnosis/invocations", json={"dataframe_records": [features]}, timeout=30
    )


def test_the_first_partition_goes_live_and_answers(story: Story, first_release: Played) -> None:
    """Every task but the image, which this model asked not to have; the router's answer names the version."""
    assert first_release.state == "success", first_release.tasks
    assert first_release.tasks == {
        "ingest": "success",
        "check_expectations": "success",
        "train[0]": "success",
        "train[1]": "success",
        "evaluate": "success",
        "register": "success",
        "containerize": "skipped",
        "promote": "success",
    }
    assert first_release.handed_on["ingest"]["intent"] == "new_data"
    version = first_release.handed_on["register"]["version"]

    answer = asked(story)

    assert answer.status_code == 200
    assert answer.headers["x-flightworthy-version"] == str(version)
    assert 0 <= answer.json()["predictions"][0] <= 1
    assert row()[1] == first_release.handed_on["promote"]


def test_the_same_arrival_starts_no_second_deployment(story: Story, first_release: Played) -> None:
    """A triggerer that died raises its event again; the second run is skipped from its first task on."""
    before = row()

    again = story.deploy(arrived=FIRST)

    assert again.tasks["ingest"] == "skipped"
    assert {again.tasks[task] for task in ("evaluate", "register", "containerize", "promote")} == {"skipped"}
    assert row() == before


def test_the_same_work_asked_for_by_hand_is_found_and_not_done_again(story: Story, first_release: Played) -> None:
    """Trained once, registered once; the release that serves is left to serve."""
    before = row()

    again = story.deploy(conf={"partition": FIRST})

    assert again.state == "success", again.tasks
    assert [again.handed_on[f"train[{trial}]"]["reused"] for trial in (0, 1)] == [True, True]
    assert again.handed_on["register"]["is_new"] is False
    assert again.handed_on["promote"] == first_release.handed_on["promote"]
    assert row() == before


def test_a_worse_model_is_refused_with_its_reasons_and_nothing_moves(
    story: Story, first_release: Played, capfd: pytest.CaptureFixture[str]
) -> None:
    """The gates name what they object to; no version is registered, and the champion answers as before."""
    before, versions = row(), registry().versions("diagnosis")

    refused = story.deploy(conf={"partition": FIRST, "parameters": {"C": 1e-6}})

    assert (refused.state, refused.tasks["evaluate"]) == ("failed", "failed")
    assert refused.tasks["register"] == refused.tasks["promote"] == "upstream_failed"
    said = capfd.readouterr().out
    assert "The challenger of diagnosis was refused and nothing was changed" in said
    assert "objection: " in said
    assert (row(), registry().versions("diagnosis")) == (before, versions)
    assert asked(story).status_code == 200


def test_a_broken_partition_is_refused_and_waits_in_quarantine(
    story: Story, first_release: Played, capfd: pytest.CaptureFixture[str]
) -> None:
    """The log names each column that is wrong; nobody learns from it."""
    before = row()
    story.world.broken()

    refused = story.deploy(arrived=BROKEN)

    assert (refused.state, refused.tasks["check_expectations"]) == ("failed", "failed")
    assert refused.tasks["train[0]"] == refused.tasks["promote"] == "upstream_failed"
    said = capfd.readouterr().out
    assert [column for column in ("mean_area", "mean_texture", "worst_radius") if column not in said] == []
    reasons = list((story.stack.places.home / "datasets" / "diagnosis" / "quarantine" / BROKEN).rglob("reason.json"))
    assert len(reasons) == 1
    assert row() == before


def test_a_backfill_registers_and_releases_nothing(story: Story, first_release: Played) -> None:
    """A past interval is trained as of then: only on what was known, and without a way into traffic."""
    before = row()
    story.world.history()

    run = story.deploy(backfilled=HISTORY[0])

    assert run.state == "success", run.tasks
    assert (run.tasks["register"], run.tasks["containerize"], run.tasks["promote"]) == ("success", "skipped", "skipped")
    assert run.handed_on["ingest"]["partition"] == HISTORY[0]
    assert run.handed_on["ingest"]["rows"] == 30
    version = registry().version("diagnosis", run.handed_on["register"]["version"])
    assert version is not None
    assert version.tags["intent"] == "backfill"
    assert row() == before


def test_the_monitor_says_nothing_without_evidence(story: Story, first_release: Played) -> None:
    """A handful of requests is no reason to retrain; the event is not raised."""
    looked = play(dag_of("dags/monitor.py", "diagnosis.monitor"))

    assert looked.tasks == {"monitor_drift": "success", "retrain": "skipped"}
    assert looked.handed_on["monitor_drift"]["retrain"] is False


def test_a_rollback_with_nothing_to_go_back_to_is_refused(
    story: Story, first_release: Played, capfd: pytest.CaptureFixture[str]
) -> None:
    """The only release there is goes on serving, and the log says why."""
    before = row()

    refused = play(dag_of("dags/rollback.py", "diagnosis.rollback"), conf={"reason": "to see what happens"})

    assert refused.tasks == {"rollback": "failed"}
    assert "is left to go to" in capfd.readouterr().out
    assert row() == before


def test_the_operators_work_in_somebodys_own_dag(story: Story, first_release: Played) -> None:
    """docs/examples/by_hand.py as it stands: it registers a version, and has no way to release one."""
    before = row()

    run = play(dag_of("docs/examples/by_hand.py", "by_hand"), conf={"partition": FIRST})

    assert run.state == "success", run.tasks
    assert set(run.tasks) == {"landed", "ingest", "check_expectations", "train", "evaluate", "register"}
    handed_on: Mapping[str, Any] = run.handed_on
    assert handed_on["landed"] == handed_on["ingest"]["partition"] == FIRST
    assert registry().version("diagnosis", handed_on["register"]["version"]) is not None
    assert json.dumps(handed_on)
    assert row() == before
