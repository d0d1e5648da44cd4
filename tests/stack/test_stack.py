"""The processes as their clients meet them: by REST, by a landed file, through the router, and by the command line."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Callable
from typing import Any

import pytest
import requests

from demo.airflow_api import AirflowApi, Json
from demo.components import airflow_components
from demo.stack import Stack
from demo.traffic import Traffic
from demo.world import ENTITY, HISTORY, SECOND, World
from flightworthy.adapters.sql_releases import SqlReleases

pytestmark = [pytest.mark.stack, pytest.mark.slow]

DEPLOY, ROLLBACK = "diagnosis.deploy", "diagnosis.rollback"
LINE = {
    "ingest": "success",
    "check_expectations": "success",
    "train[0]": "success",
    "train[1]": "success",
    "evaluate": "success",
    "register": "success",
    "containerize": "skipped",
    "promote": "success",
}


def status(stack: Stack) -> Json:
    """The model's row, as the command line tells it."""
    found: Json = json.loads(stack.command("flightworthy", "status", "diagnosis", "--json").stdout)["models"][0]
    return found


def test_airflow_knows_the_dags_and_found_nothing_wrong(airflow: AirflowApi) -> None:
    """Neither with a DAG file nor with a plugin; and no DAG waits paused, which would drop its events."""
    models = ("claims", "diagnosis", "past", "readmission", "repurchase", "screening")
    verbs = ("deploy", "drill", "monitor", "rollback")

    assert airflow.dag_ids() == {f"{model}.{verb}" for model in models for verb in verbs}
    assert airflow.import_errors() == {}
    assert not [dag["dag_id"] for dag in airflow.get("/dags")["dags"] if dag["is_paused"]]


def test_the_forms_ask_for_typed_fields(airflow: AirflowApi) -> None:
    """What the UI draws its forms from."""
    deploy = airflow.get(f"/dags/{DEPLOY}/details")["params"]
    rollback = airflow.get(f"/dags/{ROLLBACK}/details")["params"]

    assert {name: field["schema"]["type"] for name, field in deploy.items()} == {
        "partition": ["null", "string"],
        "parameters": "object",
        "release": "boolean",
        "again": "boolean",
    }
    assert {name: field["schema"]["type"] for name, field in rollback.items()} == {
        "reason": "string",
        "to": ["null", "string"],
    }


def test_a_landed_file_is_deployed_by_itself(airflow: AirflowApi, first_deployment: Json) -> None:
    """The watcher saw it, the whole line ran in its order, and the run carries the partition that woke it."""
    run_id = first_deployment["dag_run_id"]

    assert first_deployment["state"] == "success", airflow.states(DEPLOY, run_id)
    assert airflow.states(DEPLOY, run_id) == LINE
    assert airflow.xcom(DEPLOY, run_id, "ingest")["intent"] == "new_data"
    began = {task["task_id"]: task["start_date"] for task in airflow.tasks(DEPLOY, run_id)}
    order = [task for task in dict.fromkeys(name.split("[")[0] for name in LINE) if began[task]]
    assert order == sorted(order, key=lambda task: str(began[task]))


def test_the_new_version_answers_through_the_router(
    stack: Stack, airflow: AirflowApi, world: World, first_deployment: Json
) -> None:
    """And the answer says which version gave it."""
    version = airflow.xcom(DEPLOY, first_deployment["dag_run_id"], "register")["version"]
    features = {name: value for name, value in next(world.requests()).items() if name != ENTITY}
    answer = requests.post(
        f"{stack.settings.router_url}/diagnosis/invocations", json={"dataframe_records": [features]}, timeout=30
    )

    assert answer.status_code == 200, answer.text
    assert answer.headers["x-flightworthy-version"] == str(version)


def test_each_task_tells_what_it_did(airflow: AirflowApi, first_deployment: Json) -> None:
    """In its log; and containerize says why it was skipped."""
    run_id = first_deployment["dag_run_id"]

    assert "dataset " in airflow.log(DEPLOY, run_id, "ingest")
    assert "checked partition=" in airflow.log(DEPLOY, run_id, "check_expectations")
    assert "release.target is process" in airflow.log(DEPLOY, run_id, "containerize")
    assert "promoted release=" in airflow.log(DEPLOY, run_id, "promote")


def test_a_report_opens_for_who_is_logged_in_and_for_nobody_else(
    stack: Stack, airflow: AirflowApi, first_deployment: Json
) -> None:
    """The link on the task leads to it; it is shown in a sandbox, and a stranger is asked who they are."""
    run_id = first_deployment["dag_run_id"]
    links = {
        **airflow.links(DEPLOY, run_id, "check_expectations"),
        **airflow.links(DEPLOY, run_id, "evaluate"),
    }
    assert set(links) == {"Data Docs", "Report"}

    for link in links.values():
        assert link
        assert link.startswith(f"{stack.settings.airflow_url}/flightworthy/reports/diagnosis/")
        path = link.removeprefix(stack.settings.airflow_url)
        page = airflow.call("GET", path, expect=200)
        assert "<html" in page.text.lower()
        assert page.headers["content-security-policy"].startswith("sandbox")
        stranger = requests.get(link, timeout=30)
        assert stranger.status_code == 401
        assert "<html" not in stranger.text.lower()


def test_a_trained_trial_leads_to_its_run_in_mlflow(stack: Stack, airflow: AirflowApi, first_deployment: Json) -> None:
    """By a link that MLflow's own pages understand."""
    link = airflow.links(DEPLOY, first_deployment["dag_run_id"], "train", map_index=0)["MLflow"]

    assert link
    assert link.startswith(f"{stack.settings.mlflow_url}/#/experiments/")


def test_a_viewer_reads_and_starts_nothing(stack: Stack, airflow: AirflowApi, first_deployment: Json) -> None:
    """Neither a deployment nor a rollback."""
    viewer = stack.airflow("viewer")

    assert viewer.run(DEPLOY, first_deployment["dag_run_id"])["state"] == "success"
    for dag_id, conf in ((DEPLOY, {}), (ROLLBACK, {"reason": "because I can"})):
        viewer.call("POST", f"/dags/{dag_id}/dagRuns", json={"logical_date": None, "conf": conf}, expect=403)


@pytest.mark.parametrize("conf", [{}, {"reason": ""}, {"reason": 7}], ids=["none", "empty", "no text"])
def test_a_rollback_without_a_reason_is_not_even_started(airflow: AirflowApi, conf: dict[str, Any]) -> None:
    """The form's own rules hold for the API too."""
    body = {"logical_date": None, "conf": conf}
    answer = airflow.call("POST", f"/dags/{ROLLBACK}/dagRuns", json=body, expect=400)

    assert "reason" in answer.text


def test_a_rollback_with_nothing_to_go_back_to_says_so(
    stack: Stack, airflow: AirflowApi, first_deployment: Json
) -> None:
    """It fails at once, without a retry, and the champion is left alone."""
    before = status(stack)
    run_id = airflow.trigger(ROLLBACK, conf={"reason": "to see what happens"})

    assert airflow.wait_for_run(ROLLBACK, run_id, within=300)["state"] == "failed"

    (task,) = airflow.tasks(ROLLBACK, run_id)
    assert task["try_number"] == 1
    assert "is left to go to" in airflow.log(ROLLBACK, run_id, "rollback")
    assert status(stack)["generation"] == before["generation"]


def test_a_backfill_registers_each_interval_and_releases_none(
    stack: Stack, airflow: AirflowApi, world: World, first_deployment: Json
) -> None:
    """Two past weeks, whose partitions land late and so wake nobody."""
    before, woken = status(stack), len(airflow.runs(DEPLOY, run_type="asset_triggered"))
    world.history()
    stack.command(
        "airflow", "backfill", "create", "--dag-id", DEPLOY, "--from-date", HISTORY[0], "--to-date", HISTORY[1],
        "--max-active-runs", "2", within=300,
    )  # fmt: skip

    def done() -> list[Json] | None:
        runs = airflow.runs(DEPLOY, run_type="backfill")
        return runs if len(runs) == 2 and all(run["state"] in ("success", "failed") for run in runs) else None

    runs = airflow.wait(done, within=600, what=lambda: f"two runs; {airflow.runs(DEPLOY, run_type='backfill')}")

    for run in runs:
        states = airflow.states(DEPLOY, run["dag_run_id"])
        assert states == {**LINE, "containerize": "skipped", "promote": "skipped"}
    assert {airflow.xcom(DEPLOY, run["dag_run_id"], "ingest")["partition"] for run in runs} == set(HISTORY[:2])
    registered = [airflow.xcom(DEPLOY, run["dag_run_id"], "register") for run in runs]
    assert len({each["version"] for each in registered}) == 2
    assert not any(each["is_challenger"] for each in registered)
    assert status(stack)["generation"] == before["generation"]
    assert len(airflow.runs(DEPLOY, run_type="asset_triggered")) == woken


def test_a_triggerer_that_died_starts_no_second_deployment(
    stack: Stack, airflow: AirflowApi, world: World, first_deployment: Json
) -> None:
    """Killed and started again it knows what it has announced: its next event is of what landed next, no more."""
    before = airflow.runs(DEPLOY, run_type="asset_triggered")
    triggerer = stack._processes.children["airflow-triggerer"]
    os.killpg(triggerer.pid, signal.SIGKILL)
    triggerer.wait()
    (component,) = [each for each in airflow_components(stack.settings) if each.name == "airflow-triggerer"]
    stack._processes.start(component)
    known = {run["dag_run_id"] for run in before}
    world.second()

    def fresh() -> list[Json]:
        runs = airflow.runs(DEPLOY, run_type="asset_triggered")
        return [run for run in runs if run["dag_run_id"] not in known]

    run = airflow.wait(lambda: next(iter(fresh()), None), within=300, what=lambda: "the second partition to be seen")
    events = airflow.get(f"/dags/{DEPLOY}/dagRuns/{run['dag_run_id']}/upstreamAssetEvents")["asset_events"]

    announced = {"model": "diagnosis", "partition": SECOND, "with": []}
    assert [event["extra"]["payload"] for event in events] == [announced]
    assert [each["dag_run_id"] for each in fresh()] == [run["dag_run_id"]]


def test_a_scheduler_killed_in_the_middle_of_a_release_takes_nothing_with_it(
    stack: Stack, airflow: AirflowApi, world: World, first_deployment: Json
) -> None:
    """By SIGKILL, with its tasks: the release goes on, no request fails, and the next scheduler finds its end."""
    world.second()
    _ended_run_of(airflow, SECOND)
    store = SqlReleases(stack.places.database)
    before = store.deployment("diagnosis")
    traffic = Traffic(stack.settings.router_url, model="diagnosis", rows=world.requests(), entity=ENTITY)
    traffic.start()
    try:
        run_id = airflow.trigger(DEPLOY, conf={"partition": SECOND, "again": True})
        _wait(lambda: store.deployment("diagnosis").phase == "canary", within=300)
        scheduler = stack._processes.children["airflow-scheduler"]
        os.killpg(scheduler.pid, signal.SIGKILL)
        scheduler.wait()
        _wait(lambda: store.deployment("diagnosis").phase == "steady", within=90)
        after = store.deployment("diagnosis")
        (component,) = [each for each in airflow_components(stack.settings) if each.name == "airflow-scheduler"]
        stack._processes.start(component)
        run = airflow.wait_for_run(DEPLOY, run_id, within=600)
    finally:
        count = traffic.stop()
    entries = [entry.action for entry in store.history("diagnosis") if entry.generation > before.generation]
    store.close()

    assert (count.failed, count.failures) == (0, ())
    assert after.champion != before.champion
    assert entries == ["proposed", "advanced", "promoted"]
    assert run["state"] == "success", airflow.states(DEPLOY, run_id)
    assert f"promoted release={after.champion}" in airflow.log(DEPLOY, run_id, "promote")


def _ended_run_of(airflow: AirflowApi, partition: str) -> Json:
    """The run that this partition started, at its end; without requests its release was withdrawn."""

    def ended() -> Json | None:
        for run in airflow.runs(DEPLOY, run_type="asset_triggered"):
            events = airflow.get(f"/dags/{DEPLOY}/dagRuns/{run['dag_run_id']}/upstreamAssetEvents")["asset_events"]
            took = any(event["extra"].get("payload", {}).get("partition") == partition for event in events)
            if took and run["state"] in ("success", "failed"):
                return run
        return None

    return airflow.wait(ended, within=600, what=lambda: f"the run of {partition} to end", every=1)


def _wait(true: Callable[[], bool], *, within: float) -> None:
    deadline = time.monotonic() + within
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.05)
