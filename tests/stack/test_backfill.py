"""A backfill in real Airflow: bounded, behind what is live, killed in the middle, and done once."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import psutil
import pytest

from demo.airflow_api import AirflowApi, Json
from demo.stack import Stack
from demo.world import FIRST
from flightworthy.adapters.mlflow_tracking.connection import MlflowConnection
from flightworthy.adapters.mlflow_tracking.registry import MlflowRegistry
from tests.stack.conftest import PAST

pytestmark = [pytest.mark.stack, pytest.mark.slow]

DEPLOY, LIVE, POOL = "past.deploy", "diagnosis.deploy", "flightworthy_backfill"
DONE = {
    "ingest": "success",
    "check_expectations": "success",
    "train[0]": "success",
    "train[1]": "success",
    "evaluate": "success",
    "register": "success",
    "containerize": "skipped",
    "promote": "skipped",
}
SKIPPED = {
    "ingest": "skipped",
    "check_expectations": "skipped",
    "train[0]": "skipped",
    "train[1]": "skipped",
    "evaluate": "skipped",
    "register": "skipped",
    "containerize": "skipped",
    "promote": "skipped",
}


def begin(stack: Stack, *more: str, first: str = PAST[0], last: str = PAST[-1]) -> None:
    stack.command(
        "airflow", "backfill", "create", "--dag-id", DEPLOY, "--from-date", first, "--to-date", last,
        "--max-active-runs", "4", *more, within=300,
    )  # fmt: skip


def finished(airflow: AirflowApi, *, since: str = "") -> list[Json]:
    """The backfill's runs, once all of them ended after ``since``."""

    def done() -> list[Json] | None:
        runs = airflow.runs(DEPLOY, run_type="backfill")
        ended = [run for run in runs if run["state"] in ("success", "failed") and run["end_date"] > since]
        closed = all(each["completed_at"] for each in airflow.get("/backfills", dag_id=DEPLOY)["backfills"])
        return runs if closed and len(ended) == len(PAST) else None

    return airflow.wait(done, within=600, what=lambda: f"{len(PAST)} runs: {airflow.runs(DEPLOY, run_type='backfill')}")


def tasks_of(airflow: AirflowApi, runs: Sequence[Json], *, since: str = "") -> list[Json]:
    """Those that were given to the executor after ``since``; a task that is skipped unstarted is not."""
    found = (task for run in runs for task in airflow.tasks(DEPLOY, run["dag_run_id"]))
    return [task for task in found if (task["queued_when"] or "") > since]


def versions(stack: Stack) -> dict[str, list[int]]:
    """What stands in the registry: partition key → versions."""
    login = stack.settings.mlflow_client()
    connection = MlflowConnection(
        uri=login["MLFLOW_TRACKING_URI"],
        username=login["MLFLOW_TRACKING_USERNAME"],
        password=login["MLFLOW_TRACKING_PASSWORD"],
    )
    found: dict[str, list[int]] = {}
    for version in MlflowRegistry(connection=connection).versions("past"):
        assert version.tags["intent"] == "backfill"
        found.setdefault(version.tags["partition_key"], []).append(version.version)
    return found


def kill_a_task(airflow: AirflowApi, task_id: str) -> None:
    """SIGKILL the process that runs such a task of the backfill, while it runs."""

    def running() -> psutil.Process | None:
        path = f"/dags/{DEPLOY}/dagRuns/~/taskInstances"
        found = airflow.get(path, task_id=task_id, state="running")["task_instances"]
        titles = {f"airflow worker -- {task['id']}" for task in found}
        return next(
            (each for each in psutil.process_iter(["cmdline"]) if titles & set(each.info["cmdline"] or ())), None
        )

    victim = airflow.wait(running, within=300, every=0.05, what=lambda: f"a process of {task_id}")
    os.kill(victim.pid, signal.SIGKILL)


@pytest.fixture(scope="module")
def backfilled(stack: Stack, airflow: AirflowApi, first_deployment: Json) -> tuple[list[Json], Json]:
    """Four past weeks, while somebody deploys another model by hand; the backfill's runs, and the live one."""
    airflow.resize_pool(POOL, 2)
    begin(stack)
    airflow.wait(
        lambda: any(task["state"] == "running" for run in airflow.runs(DEPLOY, run_type="backfill")
                    for task in airflow.tasks(DEPLOY, run["dag_run_id"])) or None,
        within=120, what=lambda: "the backfill to begin",
    )  # fmt: skip
    live = airflow.trigger(LIVE, conf={"partition": FIRST, "release": False})
    ended = airflow.wait_for_run(LIVE, live, within=300)
    return finished(airflow), ended


def test_a_backfill_does_every_interval_and_starts_no_task_of_a_release(
    stack: Stack, airflow: AirflowApi, backfilled: tuple[list[Json], Json]
) -> None:
    """One version each, marked; nothing serves, and no alias points anywhere."""
    runs, _ = backfilled

    assert [airflow.states(DEPLOY, run["dag_run_id"]) for run in runs] == [DONE] * len(PAST)
    assert {key: len(found) for key, found in versions(stack).items()} == dict.fromkeys(PAST, 1)
    row = json.loads(stack.command("flightworthy", "status", "past", "--json").stdout)["models"][0]
    assert (row["champion"], row["generation"]) == (None, 0)
    assert airflow.xcom(DEPLOY, runs[0]["dag_run_id"], "register")["is_challenger"] is False


def test_a_backfill_waits_in_its_pool_and_never_takes_more_than_its_slots(
    airflow: AirflowApi, backfilled: tuple[list[Json], Json]
) -> None:
    """However many runs are active."""
    tasks = tasks_of(airflow, backfilled[0])

    assert {(task["pool"], task["priority_weight"]) for task in tasks} == {(POOL, 0)}
    moments = sorted([(task["start_date"], 1) for task in tasks] + [(task["end_date"], -1) for task in tasks])
    at_once = [sum(step for _, step in moments[: place + 1]) for place in range(len(moments))]
    assert max(at_once) <= 2


def test_a_live_run_overtakes_a_backfill(airflow: AirflowApi, backfilled: tuple[list[Json], Json]) -> None:
    """It began after the backfill and ended before; each of its tasks was sent off before any that waited there."""
    runs, live = backfilled
    theirs = tasks_of(airflow, runs)
    ours = [task for task in airflow.tasks(LIVE, live["dag_run_id"]) if task["queued_when"]]

    assert live["state"] == "success"
    assert live["end_date"] < max(run["end_date"] for run in runs)
    assert {task["pool"] for task in ours} == {"default_pool"}
    for task in ours:
        before = [each for each in theirs if task["scheduled_when"] < each["queued_when"] < task["queued_when"]]
        assert not before, f"{task['task_id']} waited while the backfill went on"


def test_the_same_backfill_again_starts_one_task_a_run_and_adds_nothing(
    stack: Stack, airflow: AirflowApi, backfilled: tuple[list[Json], Json]
) -> None:
    """Each says which version the interval has; the page of all of them is one click away."""
    before, since = versions(stack), max(run["end_date"] for run in backfilled[0])
    begin(stack, "--reprocess-behavior", "completed")

    runs = finished(airflow, since=since)

    assert [airflow.states(DEPLOY, run["dag_run_id"]) for run in runs] == [SKIPPED] * len(PAST)
    assert {task["task_id"] for task in tasks_of(airflow, runs, since=since)} == {"ingest"}
    assert versions(stack) == before
    assert "was done: version" in airflow.log(DEPLOY, runs[0]["dag_run_id"], "ingest")
    link = airflow.links(DEPLOY, runs[0]["dag_run_id"], "ingest")["Backtest"]
    assert link
    page = airflow.call("GET", link.removeprefix(stack.settings.airflow_url), expect=200).text
    assert [key for key in PAST if key not in page] == []


@pytest.mark.skipif(
    not os.environ.get("FLIGHTWORTHY_KILLED_BACKFILL"), reason="takes a minute: set FLIGHTWORTHY_KILLED_BACKFILL=1"
)
def test_a_backfill_that_is_killed_ends_in_the_same_registry(
    stack: Stack, airflow: AirflowApi, backfilled: tuple[list[Json], Json]
) -> None:
    """With SIGKILL in train and in register; of other code, so that all the work is done again."""
    before = versions(stack)
    train = Path(stack.environment["FLIGHTWORTHY_MODELS"]) / "past" / "train.py"
    train.write_text(train.read_text(encoding="utf-8") + "\n# Another day.\n", encoding="utf-8")
    since = max(run["end_date"] for run in airflow.runs(DEPLOY, run_type="backfill"))
    begin(stack, "--reprocess-behavior", "completed")
    kill_a_task(airflow, "train")
    kill_a_task(airflow, "register")

    runs = finished(airflow, since=since)

    assert [run["state"] for run in runs] == ["success"] * len(PAST)
    assert max(task["try_number"] for task in tasks_of(airflow, runs)) > 1
    after = versions(stack)
    assert {key: len(found) for key, found in after.items()} == dict.fromkeys(PAST, 2)
    assert {key: found[0] for key, found in after.items()} == {key: found[0] for key, found in before.items()}
    points = json.loads(stack.command("flightworthy", "backtest", "past", "--json").stdout)["points"]
    assert [point["version"] for point in points] == [after[key][1] for key in PAST]
    assert all(one < other for one, other in pairwise(point["measured"]["partition_key"] for point in points))
