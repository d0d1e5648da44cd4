"""What Airflow says of its own runs, asked from the triggerer. Blocks; call it from a thread."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from flightworthy.arrival import Outcome, RunName

__all__ = ["ending_of", "is_busy", "is_there"]

_ENDED = ("success", "failed")


def is_busy(dag_id: str) -> bool:
    """Whether the DAG has a run that is queued or running."""
    return _count(dag_id, states=["queued", "running"]) > 0


def is_there(run: RunName) -> bool:
    """Whether the run still exists; a person may have deleted it."""
    return _count(run.dag_id, run_ids=[run.run_id]) > 0


def ending_of(run: RunName) -> Outcome | None:
    """How a run that exists has ended; None while it is under way."""
    from airflow.sdk.execution_time.task_runner import RuntimeTaskInstance

    from flightworthy.arrival import Outcome

    state = RuntimeTaskInstance.get_dagrun_state(dag_id=run.dag_id, run_id=run.run_id)
    if state not in _ENDED:
        return None
    states = RuntimeTaskInstance.get_task_states(dag_id=run.dag_id, run_ids=[run.run_id]).get(run.run_id, {})
    failed = state == "failed"
    told = "failed" if failed else "skipped"
    return Outcome(failed=failed, tasks=tuple(sorted(task for task, each in states.items() if each == told)))


def _count(dag_id: str, *, states: list[str] | None = None, run_ids: list[str] | None = None) -> int:
    from airflow.sdk.execution_time.task_runner import RuntimeTaskInstance

    return RuntimeTaskInstance.get_dr_count(dag_id=dag_id, states=states, run_ids=run_ids)
