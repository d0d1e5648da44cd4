"""People in Airflow's own form: who may answer, the way around it, and a drill of what was released before."""

from __future__ import annotations

import json
import shutil

import pytest

from demo.airflow_api import AirflowApi, Json
from demo.stack import Stack
from demo.world import FIRST
from flightworthy.adapters.sql_releases import SqlReleases

pytestmark = [pytest.mark.stack, pytest.mark.slow]

DEPLOY, DRILL = "screening.deploy", "screening.drill"


def status(stack: Stack) -> Json:
    found: Json = json.loads(stack.command("flightworthy", "status", "screening", "--json").stdout)["models"][0]
    return found


def waiting(airflow: AirflowApi, run_id: str) -> str:
    """Where the question is answered, once the task waits and has no answer."""
    path = f"/dags/{DEPLOY}/dagRuns/{run_id}/taskInstances/approve/-1/hitlDetails"

    def unanswered() -> str | None:
        is_parked = airflow.states(DEPLOY, run_id).get("approve") == "awaiting_input"
        return path if is_parked and not airflow.get(path)["response_received"] else None

    return airflow.wait(unanswered, within=300, what=lambda: f"a question; {airflow.states(DEPLOY, run_id)}")


@pytest.fixture(scope="module")
def asking(stack: Stack, airflow: AirflowApi, first_deployment: Json) -> str:
    """A run that data started and that waits for people."""
    landed = stack.landing / "diagnosis" / f"{FIRST}.csv"
    (stack.landing / "screening").mkdir()
    part = stack.landing / "screening" / f".{FIRST}.part"
    shutil.copy(landed, part)
    part.replace(stack.landing / "screening" / landed.name)

    def woken() -> Json | None:
        return next(iter(airflow.runs(DEPLOY, run_type="asset_triggered")), None)

    run = airflow.wait(woken, within=300, what=lambda: "the arrival to start a run")
    run_id: str = run["dag_run_id"]
    waiting(airflow, run_id)
    return run_id


def test_two_people_approve_and_nobody_else_may(stack: Stack, airflow: AirflowApi, asking: str) -> None:
    """A viewer and an admin who is not named are turned away, and so is a second answer to one question."""
    path = waiting(airflow, asking)
    told = airflow.get(path)
    yes = {"chosen_options": ["Approve"], "params_input": {"note": "read it"}}
    grace, mary = stack.airflow("grace"), stack.airflow("mary")

    assert [user["id"] for user in told["assigned_users"]] == ["grace", "mary"]
    assert "an answer is about exactly this" in told["body"]
    stack.airflow("viewer").call("PATCH", path, json=yes, expect=403)
    assert "not a respondent" in airflow.call("PATCH", path, json=yes, expect=403).text
    grace.call("PATCH", path, json={"chosen_options": ["Perhaps"], "params_input": {}}, expect=400)
    grace.call("PATCH", path, json=yes, expect=200)
    mary.call("PATCH", path, json=yes, expect=409)
    assert status(stack)["generation"] == 0
    mary.call("PATCH", waiting(airflow, asking), json=yes, expect=200)

    assert airflow.wait_for_run(DEPLOY, asking, within=300)["state"] == "success", airflow.states(DEPLOY, asking)
    digest = airflow.xcom(DEPLOY, asking, "approve")
    entries = json.loads(stack.command("flightworthy", "history", "screening", "--json").stdout)["entries"]
    (evidence,) = next(entry for entry in entries if entry["action"] == "proposed")["evidence"]
    store = SqlReleases(stack.places.database)
    kept = json.loads(store.evidence(evidence) or "")
    store.close()
    assert kept["digest"] == digest
    assert [(each["user"], each["note"], each["run_id"]) for each in kept["answers"]] == [
        ("grace", "read it", asking),
        ("mary", "read it", asking),
    ]
    assert status(stack)["champion"] is not None


def test_without_a_previous_release_a_drill_is_skipped(airflow: AirflowApi, asking: str) -> None:
    """One release is no way back."""
    run_id = airflow.trigger(DRILL)

    airflow.wait_for_run(DRILL, run_id, within=300)

    assert airflow.states(DRILL, run_id) == {"drill": "skipped"}
    assert "nothing to drill" in airflow.log(DRILL, run_id, "drill")


def test_an_emergency_asks_nobody_and_the_release_before_it_passes_its_drill(
    stack: Stack, airflow: AirflowApi, asking: str
) -> None:
    """The ledger says who and why; the drill starts the first release beside the second, and status tells of it."""
    before = status(stack)["champion"]
    conf = {"parameters": {"max_iter": 400}, "emergency": "it calls everybody ill"}
    run_id = airflow.trigger(DEPLOY, conf=conf)
    assert airflow.wait_for_run(DEPLOY, run_id, within=300)["state"] == "success", airflow.states(DEPLOY, run_id)

    assert airflow.states(DEPLOY, run_id)["approve"] == "skipped"
    told = stack.command("flightworthy", "history", "screening").stdout
    assert "EMERGENCY, without approval: it calls everybody ill" in told

    drilled = airflow.trigger(DRILL)
    assert airflow.wait_for_run(DRILL, drilled, within=300)["state"] == "success", airflow.log(DRILL, drilled, "drill")
    last = status(stack)["drill"]
    assert (last["release"], last["passed"], last["asked_by"]) == (before, True, "admin")
    assert "together and one by one" in last["reason"]


def test_an_emergency_without_a_reason_is_not_even_started(airflow: AirflowApi) -> None:
    """The form's own rules hold for the API too."""
    body = {"logical_date": None, "conf": {"emergency": "x"}}

    assert "emergency" in airflow.call("POST", f"/dags/{DEPLOY}/dagRuns", json=body, expect=400).text
