"""Where a backfill's tasks wait: in a pool of their own, behind everything else. Registered as an ``airflow.policy``.

One DAG serves live runs and backfills, and a task names its pool and its priority once for both. Which kind a run is
is known where the scheduler makes the task's instance, which is here. Nothing in here may open a session: the scheduler
is in the middle of its own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow.policies import hookimpl

if TYPE_CHECKING:
    from airflow.models.dagrun import DagRun
    from airflow.models.taskinstance import TaskInstance

__all__ = ["OPERATORS", "POOL", "task_instance_mutation_hook"]

POOL = "flightworthy_backfill"

OPERATORS = frozenset(
    f"{verb}Operator"
    for verb in ("Ingest", "CheckExpectations", "Train", "Evaluate", "Register", "Containerize", "Approve", "Promote")
)
"""Whose tasks are sent to the pool, in whichever DAG: those of the line."""

_LAST = 0
"""A live task weighs 1 and more. Among themselves a backfill's tasks go by their interval, the earliest first."""


@hookimpl
def task_instance_mutation_hook(task_instance: TaskInstance, dag_run: DagRun | None) -> None:
    """Send a backfill's task to the pool, behind every live task that waits for a free slot of the executor."""
    if task_instance.operator in OPERATORS and _is_backfill(task_instance, dag_run):
        task_instance.pool = POOL
        task_instance.priority_weight = _LAST


def _is_backfill(task_instance: TaskInstance, dag_run: DagRun | None) -> bool:
    # What is loaded, and no look-up: a run that was scheduled and is backfilled keeps its id, and changes its type.
    known = dag_run or vars(task_instance).get("dag_run")
    if known is None:
        return str(task_instance.run_id).startswith("backfill__")
    return str(getattr(known.run_type, "value", known.run_type)) == "backfill"
