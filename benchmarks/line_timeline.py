"""Where the time of a run in Airflow went, read from its task instances, their logs and the ledger."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from datetime import datetime
from typing import TYPE_CHECKING

from demo.airflow_api import AirflowApi, Json

if TYPE_CHECKING:
    from flightworthy.adapters.sql_releases import SqlReleases

__all__ = ["LINE", "Course", "Spent", "course_of", "spent_in", "take_apart"]

LINE = ("ingest", "check_expectations", "train", "evaluate", "register", "containerize", "promote")

_PREPARED, _WORKED = "::endgroup::", "::group::Post Execute"
"""What Airflow writes into a task's log before the operator's code, and after it."""

Course = tuple[datetime, datetime]
"""When a release was proposed, and when it was promoted, as the ledger has it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Spent:
    """The seconds of a run without its release's course; together they are all of it."""

    scheduling: float
    """From the end of a task, at first from the run's creation, until its successor is queued."""
    starting: float
    """From there until the task's process reports that it runs."""
    preparing: float
    """From there until the operator's own code begins."""
    working: float
    """The operators' own code."""
    reporting: float
    """From its end until the task is marked as done."""
    finishing: float
    """From the promotion until the run is marked as done."""

    @property
    def total(self) -> float:
        return float(sum(asdict(self).values()))

    def __str__(self) -> str:
        return ", ".join(f"{field.name} {getattr(self, field.name):.2f} s" for field in fields(self))


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """The instants of one task; of a mapped one those of the instance that ended last."""

    queued_at: datetime
    started_at: datetime
    worked_from: datetime
    worked_until: datetime
    ended_at: datetime


def course_of(store: SqlReleases, model: str, release: str) -> Course:
    """The course of a release that was promoted."""
    entries = [entry for entry in store.history(model) if entry.to_release == release]
    proposed = next(entry.at for entry in entries if entry.action == "proposed")
    return proposed, next(entry.at for entry in entries if entry.action == "promoted")


def spent_in(api: AirflowApi, dag_id: str, run: Json, course: Course) -> Spent:
    """Where the time of a successful run went."""
    run_id = run["dag_run_id"]
    tasks = api.tasks(dag_id, run_id)
    last = [
        max((each for each in tasks if each["task_id"] == name), key=lambda each: each["end_date"]) for name in LINE
    ]
    steps = [_step(task, _events(api, dag_id, run_id, task), course) for task in last]
    return take_apart(_at(run["queued_at"]), steps, _at(run["end_date"]), course)


def take_apart(created_at: datetime, steps: Sequence[Step], ended_at: datetime, course: Course) -> Spent:
    """The phases of a line of steps, one after the other, whose last waits for ``course`` to end."""
    ends = [created_at, *(step.ended_at for step in steps)]
    return Spent(
        scheduling=sum((step.queued_at - end).total_seconds() for end, step in zip(ends, steps, strict=False)),
        starting=sum((step.started_at - step.queued_at).total_seconds() for step in steps),
        preparing=sum((step.worked_from - step.started_at).total_seconds() for step in steps),
        working=sum((step.worked_until - step.worked_from).total_seconds() for step in steps),
        reporting=sum((step.ended_at - step.worked_until).total_seconds() for step in steps),
        finishing=(ended_at - course[1]).total_seconds(),
    )


def _step(task: Json, events: Sequence[Json], course: Course) -> Step:
    """``promote`` works until its release is on its course.

    It is queued again when that has ended, and Airflow keeps only the last time: its queueing counts as scheduling.
    """
    marks = {
        mark: [_at(event["timestamp"]) for event in events if event["event"] == mark] for mark in (_PREPARED, _WORKED)
    }
    waits = task["task_id"] == LINE[-1]
    started_at = _at(task["start_date"])
    return Step(
        queued_at=started_at if waits else _at(task["queued_when"]),
        started_at=started_at,
        worked_from=marks[_PREPARED][0],
        worked_until=course[0] if waits else marks[_WORKED][0],
        ended_at=course[0] if waits else _at(task["end_date"]),
    )


def _events(api: AirflowApi, dag_id: str, run_id: str, task: Json) -> list[Json]:
    path = f"/dags/{dag_id}/dagRuns/{run_id}/taskInstances/{task['task_id']}/logs/{task['try_number']}"
    content = api.get(path, map_index=task["map_index"], full_content=True)["content"]
    return [event for event in content if isinstance(event, dict) and event.get("timestamp")]


def _at(text: str) -> datetime:
    return datetime.fromisoformat(text)
