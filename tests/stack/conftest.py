"""The real processes, started once for all the tests of this folder."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path

import pytest
import yaml

from demo.airflow_api import AirflowApi, Json
from demo.places import USERS
from demo.stack import Stack
from demo.world import FIRST, World, records
from tests.quick_models import quick_models

APPROVERS = ("grace", "mary")


def add_screening(models: Path) -> None:
    """A copy of diagnosis that two people must approve, and that gets all traffic at once."""
    shutil.copytree(models / "diagnosis", models / "screening")
    file = models / "screening" / "model.yaml"
    said = yaml.safe_load(file.read_text(encoding="utf-8"))
    said["model"] = "screening"
    said["source"]["uri"] = said["source"]["uri"].replace("diagnosis", "screening")
    said["release"] |= {"steps": [100], "approval": {"of": list(APPROVERS), "at_least": 2}}
    file.write_text(yaml.safe_dump(said, sort_keys=False), encoding="utf-8")


PAST = tuple((date(2025, 1, 6) + timedelta(weeks=week)).isoformat() for week in range(4))
"""The Mondays of the model ``past``."""


def add_past(models: Path, folder: Path) -> None:
    """A copy of diagnosis whose weeks are all in one file that nobody watches."""
    shutil.copytree(models / "diagnosis", models / "past")
    file = models / "past" / "model.yaml"
    said = yaml.safe_load(file.read_text(encoding="utf-8"))
    said["model"] = "past"
    said["source"] = {
        "uri": str(folder / "past.csv"),
        "partition": "%Y-%m-%d",
        "event_time": {"columns": ["week"], "format": "%Y-%m-%d"},
        "watched": False,
    }
    file.write_text(yaml.safe_dump(said, sort_keys=False), encoding="utf-8")
    known = records().sample(frac=1, random_state=7)[: 60 * len(PAST)]
    known.assign(week=[PAST[row // 60] for row in range(len(known))]).to_csv(folder / "past.csv", index=False)


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Airflow, MLflow, the deployer and its router, in a home of their own, with this checkout's DAGs and plugins."""
    folder = tmp_path_factory.mktemp("stack")
    with pytest.MonkeyPatch.context() as patch:
        models = quick_models(folder)
        add_screening(models)
        add_past(models, folder)
        patch.setenv("FLIGHTWORTHY_MODELS", str(models))
        for user in APPROVERS:
            patch.setitem(USERS, user, "op")
        with Stack(folder / "home") as up:
            yield up


@pytest.fixture(scope="session")
def airflow(stack: Stack) -> AirflowApi:
    """Airflow as its admin sees it, once it knows the DAGs."""
    api = stack.airflow()
    api.wait_for_dags(
        "diagnosis.deploy",
        "diagnosis.drill",
        "diagnosis.monitor",
        "diagnosis.rollback",
        "past.deploy",
        "screening.deploy",
        within=300,
    )
    return api


@pytest.fixture(scope="session")
def world(stack: Stack) -> World:
    """What lands."""
    return World(landing=stack.landing)


@pytest.fixture(scope="session")
def first_deployment(airflow: AirflowApi, world: World) -> Json:
    """The finished run that the first partition started by landing; nobody triggered it."""
    known = {run["dag_run_id"] for run in airflow.runs("diagnosis.deploy")}
    world.first()
    run = airflow.wait(
        lambda: next((each for each in _woken(airflow) if each["dag_run_id"] not in known), None),
        within=300,
        what=lambda: f"the arrival of {FIRST} to start a run",
    )
    return airflow.wait_for_run("diagnosis.deploy", run["dag_run_id"], within=600)


def _woken(airflow: AirflowApi) -> list[Json]:
    return airflow.runs("diagnosis.deploy", run_type="asset_triggered")
