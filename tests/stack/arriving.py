"""Partitions that arrive for several models while Airflow's scheduler and triggerer are killed at random."""

from __future__ import annotations

import os
import random
import signal
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path
from typing import Any, Self

import pytest
import yaml

from demo.airflow_api import AirflowApi
from demo.components import airflow_components
from demo.settings import Settings
from demo.stack import Stack
from flightworthy.adapters.sql_releases import SqlArrivals
from flightworthy.arrival import Arrival, Stage

DAGS = Path(__file__).with_name("arriving_dags")
FIRST_DAY = date(2026, 1, 5)
QUICK = {
    "AIRFLOW__SCHEDULER__JOB_HEARTBEAT_SEC": "1",
    "AIRFLOW__SCHEDULER__SCHEDULER_HEARTBEAT_SEC": "1",
    "AIRFLOW__SCHEDULER__SCHEDULER_HEALTH_CHECK_THRESHOLD": "6",
    "AIRFLOW__SCHEDULER__ORPHANED_TASKS_CHECK_INTERVAL": "2",
    "AIRFLOW__TRIGGERER__JOB_HEARTBEAT_SEC": "1",
    "AIRFLOW__TRIGGERER__TRIGGERER_HEALTH_CHECK_THRESHOLD": "6",
}
"""A killed process is missed after seconds, not after half a minute: what follows is the same."""


def spec_of(model: str, **source: Any) -> dict[str, Any]:
    """A model.yaml of whose data two numbers are a row; where they land, unless ``source`` says it."""
    landing = {"uri": f"${{FLIGHTWORTHY_LANDING}}/{model}/{{partition}}.csv"}
    return {
        "model": model,
        "owner": "tests",
        "entity": "customer",
        "target": "bought",
        "features": {"age": "integer"},
        "source": {**landing, "partition": "%Y-%m-%d", **source},
        "schedule": {"cron": "0 0 1 1 *", "start_at": FIRST_DAY.isoformat(), "new_data": "each"},
        "gates": [{"metric": "roc_auc", "at_least": 0.6}],
    }


@contextmanager
def arriving_stack(folder: Path, models: Sequence[str], **sources: Mapping[str, Any]) -> Iterator[Stack]:
    """Airflow alone, with the first task of these models' lines, and of those whose ``sources`` lie elsewhere."""
    for model in (*models, *sources):
        kept = folder / "models" / model
        kept.mkdir(parents=True)
        (kept / "model.yaml").write_text(yaml.safe_dump(spec_of(model, **sources.get(model, {}))), encoding="utf-8")
        (kept / "suite.yaml").write_text("expectations: []\n", encoding="utf-8")
        (kept / "train.py").write_text("", encoding="utf-8")
    told = Settings.airflow
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FLIGHTWORTHY_MODELS", str(folder / "models"))
        patch.setattr(Settings, "airflow", lambda self: {**told(self), **QUICK})
        with Stack(folder / "home", dags=DAGS, parts=("airflow",)) as up:
            yield up


def rows_of(count: int = 3, *, heads: str = "customer,age,bought") -> str:
    """A partition of so many rows."""
    return f"{heads}\n" + "".join(f"{number},{20 + number},{number % 2}\n" for number in range(count))


def land(stack: Stack, model: str, key: str, text: str | None = None) -> None:
    """Put a partition where the model's source is; written in place, as a slow upload is."""
    folder = stack.landing / model
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{key}.csv").write_text(text or rows_of(), encoding="utf-8")


def day(number: int) -> str:
    """The key of the day so many days after the first."""
    return (FIRST_DAY + timedelta(days=number)).isoformat()


def kill(stack: Stack, name: str) -> None:
    """SIGKILL a component with all its children, and start it again, as its supervisor would."""
    process = stack._processes.children[name]
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    (component,) = [each for each in airflow_components(stack.settings) if each.name == name]
    stack._processes.start(component)


@dataclass(slots=True, kw_only=True)
class Killer:
    """Kills scheduler and triggerer at random moments, in a thread, until it is told to stop or has killed enough."""

    stack: Stack
    kills: int
    between: tuple[float, float]
    chance: random.Random
    killed: list[str] = field(default_factory=list)
    _stop: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None

    def __enter__(self) -> Self:
        self._thread = threading.Thread(target=self._work)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        assert self._thread is not None
        self._thread.join()

    def _work(self) -> None:
        turns = ["airflow-triggerer", "airflow-scheduler"] * ((self.kills + 1) // 2)
        for name in turns[: self.kills]:
            if self._stop.wait(self.chance.uniform(*self.between)):
                return
            kill(self.stack, name)
            self.killed.append(name)


def considered(stack: Stack, models: Sequence[str]) -> dict[str, list[Arrival]]:
    """The arrivals of each model, in time order."""
    store = SqlArrivals(stack.places.database)
    try:
        return {model: store.of(model) for model in models}
    finally:
        store.close()


def wait_until_considered(stack: Stack, models: Sequence[str], count: int, *, within: float) -> None:
    """Until so many arrivals of these models are considered."""
    deadline = time.monotonic() + within
    while True:
        found = [each for arrivals in considered(stack, models).values() for each in arrivals]
        stages = [each.stage for each in found]
        if stages.count(Stage.CONSIDERED) >= count:
            return
        told = {stage: stages.count(stage) for stage in Stage}
        assert time.monotonic() < deadline, f"after {within:.0f} s of {count}: {told}"
        time.sleep(1)


def taken_in(airflow: AirflowApi, model: str) -> list[str]:
    """The partitions that the ingests of a model's runs handed on, in the order of the runs; Airflow's own word."""
    dag_id = f"{model}.deploy"
    runs = [run["dag_run_id"] for run in airflow.runs(dag_id, run_type="asset_triggered")]
    took = [run_id for run_id in runs if airflow.states(dag_id, run_id)["ingest"] == "success"]
    return [airflow.xcom(dag_id, run_id, "ingest")["partition"] for run_id in took]
