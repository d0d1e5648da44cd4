"""Every partition that arrives is considered, and none twice, whoever is killed meanwhile; and who may push."""

from __future__ import annotations

import json
import os
import random
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from demo.airflow_api import AirflowApi
from demo.stack import Stack
from flightworthy.arrival import Stage
from tests.s3 import S3, SECRET, running_s3
from tests.stack.arriving import (
    Killer,
    arriving_stack,
    considered,
    day,
    land,
    rows_of,
    taken_in,
    wait_until_considered,
)

pytestmark = [pytest.mark.stack, pytest.mark.slow]

LONG = "FLIGHTWORTHY_ARRIVALS" in os.environ
COUNT = int(os.environ.get("FLIGHTWORTHY_ARRIVALS", "12"))
MODELS = tuple(f"model-{number}" for number in range(5 if LONG else 3))
KILLS = 12 if LONG else 2
PUSHED, MENDED, PAUSED = OTHERS = ("pushed", "mended", "paused")
BUCKET, ONE_FILE = ("bucket", "one_file")
ROTATED = "another-secret-that-nobody-may-ever-see-either"


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Airflow with models whose runs are one task."""
    elsewhere = {
        BUCKET: {"uri": "s3://bucket/{partition}.csv", "conn_id": "store", "complete": {"marker": "{partition}.done"}},
        ONE_FILE: {
            "uri": f"${{FLIGHTWORTHY_LANDING}}/{ONE_FILE}/all.csv",
            "event_time": {"columns": ["day"], "format": "%Y-%m-%d"},
        },
    }
    with arriving_stack(tmp_path_factory.mktemp("arriving"), (*MODELS, *OTHERS), **elsewhere) as up:
        yield up


@pytest.fixture(scope="module")
def airflow(stack: Stack) -> AirflowApi:
    api = stack.airflow()
    api.wait_for_dags(*(f"{model}.deploy" for model in (*MODELS, *OTHERS, BUCKET)), within=300)
    api._watch = lambda: None  # components die here because somebody asked them to
    return api


def test_every_arrival_is_considered_and_none_twice_while_scheduler_and_triggerer_are_killed(
    stack: Stack, airflow: AirflowApi
) -> None:
    """By SIGKILL, at random; FLIGHTWORTHY_ARRIVALS=200 for the long form."""
    seed = random.randrange(2**32)
    print(f"seed {seed}")  # noqa: T201 - to play it again; with -s
    chance = random.Random(seed)
    each = COUNT // len(MODELS)
    began = time.monotonic()
    with Killer(stack=stack, kills=KILLS, between=(15, 40) if LONG else (2, 6), chance=chance) as killer:
        for number in range(each):
            for model in chance.sample(MODELS, len(MODELS)):
                land(stack, model, day(number), rows_of(chance.randrange(2, 50)))
                time.sleep(chance.uniform(0, 2) if LONG else chance.uniform(0, 0.5))
        while len(killer.killed) < KILLS:
            time.sleep(0.2)
        wait_until_considered(stack, MODELS, each * len(MODELS), within=3600 if LONG else 300)
    runs = sum(len(airflow.runs(f"{model}.deploy", limit=500)) for model in MODELS)
    took = time.monotonic() - began
    print(f"{each * len(MODELS)} arrivals, {len(killer.killed)} kills, {runs} runs, {took:.0f} s")  # noqa: T201

    keys = [day(number) for number in range(each)]
    assert {model: taken_in(airflow, model) for model in MODELS} == dict.fromkeys(MODELS, keys)
    for arrivals in considered(stack, MODELS).values():
        assert [(one.key, one.stage, str(one.outcome)) for one in arrivals] == [
            (key, Stage.CONSIDERED, "went through") for key in keys
        ]


def push(api: AirflowApi, asset: int, key: str, *, expect: int = 200) -> None:
    """Raise the event that a model's source has a partition, as a client of Airflow's REST API."""
    api.call("POST", "/assets/events", json={"asset_id": asset, "extra": {"partition": key}}, expect=expect)


def test_who_has_a_token_may_push_a_partition_that_has_landed_and_a_viewer_may_not(
    stack: Stack, airflow: AirflowApi
) -> None:
    """What is pushed twice, or seen by the watcher too, is considered once; what is not in the source is refused."""
    (asset,) = [
        each["id"]
        for each in airflow.get("/assets", name_pattern=f"{PUSHED}.new_partition")["assets"]
        if each["name"] == f"{PUSHED}.new_partition"
    ]
    land(stack, PUSHED, day(0))
    push(stack.airflow("viewer"), asset, day(0), expect=403)
    for _ in range(3):
        push(airflow, asset, day(0))
    wait_until_considered(stack, [PUSHED], 1, within=180)
    push(airflow, asset, day(9))

    def refused() -> list[str] | None:
        runs = airflow.runs(f"{PUSHED}.deploy", run_type="asset_triggered", state="failed")
        return [run["dag_run_id"] for run in runs] or None

    (run_id,) = airflow.wait(refused, within=180, what=lambda: "the run of a partition that is not there")
    assert "which its source does not hold" in airflow.log(f"{PUSHED}.deploy", run_id, "ingest")
    assert taken_in(airflow, PUSHED) == [day(0)]
    (arrival,) = considered(stack, [PUSHED])[PUSHED]
    assert (arrival.key, str(arrival.outcome)) == (day(0), "went through")


def test_a_run_that_failed_keeps_its_arrival_and_goes_on_with_it_when_it_is_cleared(
    stack: Stack, airflow: AirflowApi
) -> None:
    """Until then it is shown as failed; no other run took it meanwhile."""
    dag_id = f"{MENDED}.deploy"
    land(stack, MENDED, day(0), rows_of(heads="customer,age,age"))
    wait_until_considered(stack, [MENDED], 1, within=180)
    (failed,) = considered(stack, [MENDED])[MENDED]
    assert failed.run is not None
    assert str(failed.outcome) == "failed at ingest"
    assert day(0) in stack.command("flightworthy", "status", MENDED).stdout

    land(stack, MENDED, day(0))
    airflow.call("POST", f"/dags/{dag_id}/dagRuns/{failed.run.run_id}/clear", json={"dry_run": False})
    run = airflow.wait_for_run(dag_id, failed.run.run_id, within=180)

    def went_through() -> bool | None:
        return True if "went through" in {str(each.outcome) for each in considered(stack, [MENDED])[MENDED]} else None

    airflow.wait(went_through, within=60, what=lambda: f"the outcome; {considered(stack, [MENDED])}")
    assert run["state"] == "success"
    assert taken_in(airflow, MENDED) == [day(0)]


def connect(airflow: AirflowApi, s3: S3, *, secret: str) -> None:
    """Say by Airflow's API what its connection ``store`` is, as a person does in its form."""
    said = s3.connection(secret=secret)
    body = {**said, "connection_id": "store", "extra": json.dumps(said["extra"])}
    known = {each["connection_id"] for each in airflow.get("/connections")["connections"]}
    if "store" in known:
        airflow.call("PATCH", "/connections/store", json=body)
    else:
        airflow.call("POST", "/connections", json=body, expect=201)


def test_what_lands_in_a_bucket_starts_one_run_each_also_after_its_key_was_rotated(
    stack: Stack, airflow: AirflowApi, tmp_path: Path
) -> None:
    """By a connection that Airflow keeps: triggerer and task alike read it where it is by then."""

    def put(s3: S3, key: str) -> None:
        s3.put(f"bucket/{key}.csv", rows_of().encode())
        s3.put(f"bucket/{key}.done", b"")

    with running_s3(tmp_path) as s3:
        connect(airflow, s3, secret=SECRET)
        put(s3, day(0))
        wait_until_considered(stack, [BUCKET], 1, within=180)
    with running_s3(tmp_path, secret=ROTATED, port=s3.port) as s3:
        connect(airflow, s3, secret=ROTATED)
        put(s3, day(1))
        wait_until_considered(stack, [BUCKET], 2, within=180)
    assert taken_in(airflow, BUCKET) == [day(0), day(1)]
    assert [str(each.outcome) for each in considered(stack, [BUCKET])[BUCKET]] == ["went through"] * 2


def test_new_days_of_a_file_of_all_days_start_one_run_each(stack: Stack, airflow: AirflowApi) -> None:
    """What is in it again as it was starts none."""

    def write(days: int) -> None:
        rows = "".join(f"{number},{20 + number},{number % 2},{day(number // 3)}\n" for number in range(3 * days))
        land(stack, ONE_FILE, "all", f"customer,age,bought,day\n{rows}")

    write(1)
    airflow.wait_for_dags(f"{ONE_FILE}.deploy", within=300)
    wait_until_considered(stack, [ONE_FILE], 1, within=180)
    write(3)
    wait_until_considered(stack, [ONE_FILE], 3, within=180)
    assert taken_in(airflow, ONE_FILE) == [day(0), day(1), day(2)]


@pytest.mark.skipif(not LONG, reason="FLIGHTWORTHY_ARRIVALS: a lost event is missed after half a minute")
def test_what_lands_while_the_dag_is_paused_is_considered_when_it_is_not(stack: Stack, airflow: AirflowApi) -> None:
    """Airflow drops the events of a paused DAG; they are raised again."""
    dag = f"/dags/{PAUSED}.deploy"
    airflow.call("PATCH", dag, json={"is_paused": True})
    land(stack, PAUSED, day(0))
    land(stack, PAUSED, day(1))

    def announced() -> bool | None:
        return True if any(each.announcements > 1 for each in considered(stack, [PAUSED])[PAUSED]) else None

    airflow.wait(announced, within=120, what=lambda: "a second announcement")
    assert taken_in(airflow, PAUSED) == []
    airflow.call("PATCH", dag, json={"is_paused": False})
    wait_until_considered(stack, [PAUSED], 2, within=600)
    assert taken_in(airflow, PAUSED) == [day(0), day(1)]
