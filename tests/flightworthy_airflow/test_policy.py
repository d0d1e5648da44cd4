"""Backfills wait in their pool, behind what is live; on the very objects that Airflow's scheduler makes."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib.metadata import entry_points
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from flightworthy_airflow import policy
from flightworthy_airflow.policy import OPERATORS, POOL, task_instance_mutation_hook

LINE = ("ingest", "check_expectations", "train", "evaluate", "register", "containerize", "approve", "promote")


def instance(*, operator: str = "TrainOperator", run_id: str = "scheduled__2026-01-05", **loaded: Any) -> Any:
    return SimpleNamespace(operator=operator, run_id=run_id, pool="default_pool", priority_weight=5, **loaded)


def run_of_type(run_type: str) -> Any:
    return SimpleNamespace(run_type=run_type)


def test_a_backfills_task_is_sent_to_the_pool_and_behind_everything() -> None:
    """By the run, where Airflow gives it; by the run that is loaded, or by the id, where it does not."""
    told = instance(), run_of_type("backfill")
    loaded = instance(dag_run=run_of_type("backfill")), None
    named = instance(run_id="backfill__2026-01-05T00:00:00+00:00"), None
    for task_instance, dag_run in (told, loaded, named):
        task_instance_mutation_hook(task_instance, dag_run)
        assert (task_instance.pool, task_instance.priority_weight) == (POOL, 0)


@pytest.mark.parametrize("run_type", ["scheduled", "manual", "asset_triggered"])
def test_a_live_task_is_left_alone(run_type: str) -> None:
    """Whatever started it."""
    task_instance = instance()
    task_instance_mutation_hook(task_instance, run_of_type(run_type))
    assert (task_instance.pool, task_instance.priority_weight) == ("default_pool", 5)


def test_a_run_that_was_backfilled_once_and_is_live_again_is_live() -> None:
    """The type of the run counts, and not how it was called when it was made."""
    task_instance = instance(run_id="backfill__2026-01-05T00:00:00+00:00")
    task_instance_mutation_hook(task_instance, run_of_type("manual"))
    assert task_instance.pool == "default_pool"


def test_other_peoples_tasks_are_none_of_our_business() -> None:
    """Their backfills go where they say."""
    task_instance = instance(operator="PythonOperator")
    task_instance_mutation_hook(task_instance, run_of_type("backfill"))
    assert task_instance.pool == "default_pool"


def test_every_operator_of_the_line_is_known_to_the_policy() -> None:
    """By the name of its class, which is what an instance carries."""
    import importlib

    named = set()
    for verb in LINE:
        module = importlib.import_module(f"flightworthy_airflow.operators.{verb}")
        named |= {name for name in module.__all__ if name.endswith("Operator")}
    assert named == OPERATORS


def test_airflow_finds_the_policy_by_its_entry_point() -> None:
    """Installed with the distribution: nobody has anything to configure."""
    (found,) = entry_points(group="airflow.policy", name="flightworthy")
    assert found.load() is policy


def test_the_pool_is_made_once_and_its_owners_slots_stay(tmp_path: Path) -> None:
    """In Airflow's own tables: half of what the executor runs at once, until somebody says otherwise."""
    code = """
from airflow import settings
from airflow.models.base import Base
from airflow.models.pool import Pool
from flightworthy_airflow.pool import ensure_pool, on_starting

Base.metadata.create_all(settings.engine, tables=[Base.metadata.tables["team"], Pool.__table__])
on_starting(component=object())
assert Pool.get_pool("flightworthy_backfill") is None
on_starting(component=type("Job", (), {})())
first = Pool.get_pool("flightworthy_backfill").slots
Pool.create_or_update_pool("flightworthy_backfill", 7, "mine", False)
made = ensure_pool()
print(first, made, Pool.get_pool("flightworthy_backfill").slots)
"""
    environ = {
        **os.environ,
        "AIRFLOW_HOME": str(tmp_path),
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{tmp_path / 'airflow.db'}",
        "AIRFLOW__CORE__PARALLELISM": "6",
    }
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=tmp_path, env=environ, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "3 False 7"
