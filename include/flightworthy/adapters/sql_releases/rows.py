"""From a table's row to what the domain calls it, and back."""

from __future__ import annotations

import json
from dataclasses import asdict, fields, replace
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from flightworthy import ledger
from flightworthy.arrival import Arrival, Kind, Outcome, RunName
from flightworthy.release import (
    NO_LIMITS,
    Answer,
    Deployment,
    Drill,
    DrillResult,
    Healing,
    Limits,
    Observation,
    Phase,
    Release,
    Shadow,
    Strategy,
)

Row = sa.RowMapping


def entry_values(entry: ledger.Entry) -> dict[str, Any]:
    """A ledger entry as its table's columns."""
    return {**asdict(entry), "at": ledger.instant(entry.at), "evidence": json.dumps(entry.evidence)}


def as_entry(row: Row) -> ledger.Entry:
    """A row of the ledger."""
    evidence = tuple(json.loads(row["evidence"]))
    return ledger.Entry(**{**row, "at": datetime.fromisoformat(row["at"]), "evidence": evidence})


def deployment_values(row: Deployment) -> dict[str, Any]:
    """A model's row as its table's columns."""
    since = None if row.since_at is None else ledger.instant(row.since_at)
    return {**asdict(row), "phase": str(row.phase), "since_at": since}


def as_deployment(row: Row) -> Deployment:
    """A model's row."""
    since = None if row["since_at"] is None else datetime.fromisoformat(row["since_at"])
    return Deployment(**{**row, "phase": Phase(row["phase"]), "since_at": since})


def release_values(release: Release) -> dict[str, Any]:
    """A release as its table's columns; durations are seconds."""
    kept = {field.name: getattr(release, field.name) for field in fields(release)}
    strategy = _in_seconds(asdict(release.strategy))
    return {**kept, "bundle": json.dumps(dict(release.bundle), sort_keys=True), "strategy": json.dumps(strategy)}


def as_release(row: Row) -> Release:
    """A row of the releases."""
    values = {key: value for key, value in row.items() if key != "place"}
    told = json.loads(values["strategy"])
    strategy = Strategy(
        steps=tuple(told["steps"]),
        bake_time=timedelta(seconds=told["bake_time"]),
        min_requests=told["min_requests"],
        deadline=timedelta(seconds=told["deadline"]),
        max_error_rate=told["max_error_rate"],
        limits=_as_limits(told.get("limits")),
        shadow=_as_shadow(told.get("shadow")),
        warm_time=_as_time(told.get("warm_time")),
    )
    return Release(**{**values, "bundle": json.loads(values["bundle"]), "strategy": strategy})


def observation_values(seen: Observation) -> dict[str, Any]:
    """What was seen, as its table's columns."""
    return {**asdict(seen), "healthy": json.dumps(seen.healthy), "at": ledger.instant(seen.at)}


def as_observation(row: Row) -> Observation:
    """A row of what was seen."""
    seen_at = datetime.fromisoformat(row["at"])
    return Observation(**{**row, "healthy": tuple(json.loads(row["healthy"])), "at": seen_at})


def healing_values(healing: Healing) -> dict[str, Any]:
    """A healing as its table's columns."""
    return {**asdict(healing), "at": ledger.instant(healing.at)}


def as_healing(row: Row) -> Healing:
    """A row of the healings."""
    values = {key: value for key, value in row.items() if key != "place"}
    return Healing(**{**values, "at": datetime.fromisoformat(values["at"])})


def drill_values(result: DrillResult) -> dict[str, Any]:
    """A drill's result as its table's columns; the time that it took is seconds."""
    took_time, ended_at = result.took_time.total_seconds(), ledger.instant(result.ended_at)
    return {"passed": result.passed, "reason": result.reason, "took_time": took_time, "ended_at": ended_at}


def as_drill(row: Row) -> Drill:
    """A row of the drills."""
    read: dict[str, Any] = {"asked_at": datetime.fromisoformat(row["asked_at"])}
    if row["ended_at"] is not None:
        took_time, ended_at = timedelta(seconds=row["took_time"]), datetime.fromisoformat(row["ended_at"])
        read |= {"took_time": took_time, "ended_at": ended_at}
    return Drill(**{**row, **read})


def answer_values(answer: Answer) -> dict[str, Any]:
    """An answer as its table's columns."""
    return {**asdict(answer), "at": ledger.instant(answer.at)}


def as_answer(row: Row) -> Answer:
    """A row of the answers."""
    values = {key: value for key, value in row.items() if key != "number"}
    return Answer(**{**values, "at": datetime.fromisoformat(row["at"])})


def arrival_values(arrival: Arrival) -> dict[str, Any]:
    """An arrival as its table's columns."""
    run = arrival.run
    outcome = {"failed": None, "tasks": "[]"} if arrival.outcome is None else outcome_values(arrival.outcome)
    return {
        "model": arrival.model,
        "partition_key": arrival.key,
        "digest": arrival.digest,
        "kind": str(arrival.kind),
        "seen_at": ledger.instant(arrival.seen_at),
        "announced_at": _written(arrival.announced_at),
        "announcements": arrival.announcements,
        "dag_id": None if run is None else run.dag_id,
        "run_id": None if run is None else run.run_id,
        "taken_at": _written(arrival.taken_at),
        **outcome,
        "considered_at": _written(arrival.considered_at),
    }


def outcome_values(outcome: Outcome) -> dict[str, Any]:
    """How an arrival's run ended, as its columns."""
    return {"failed": outcome.failed, "tasks": json.dumps(outcome.tasks)}


def as_arrival(row: Row) -> Arrival:
    """A row of the arrivals."""
    run = None if row["run_id"] is None else RunName(dag_id=row["dag_id"], run_id=row["run_id"])
    tasks = tuple(json.loads(row["tasks"]))
    return Arrival(
        model=row["model"],
        key=row["partition_key"],
        digest=row["digest"],
        kind=Kind(row["kind"]),
        seen_at=datetime.fromisoformat(row["seen_at"]),
        announced_at=_read(row["announced_at"]),
        announcements=row["announcements"],
        run=run,
        taken_at=_read(row["taken_at"]),
        outcome=None if row["failed"] is None else Outcome(failed=row["failed"], tasks=tasks),
        considered_at=_read(row["considered_at"]),
    )


def _written(at: datetime | None) -> str | None:
    return None if at is None else ledger.instant(at)


def _read(at: str | None) -> datetime | None:
    return None if at is None else datetime.fromisoformat(at)


def _as_limits(told: dict[str, Any] | None) -> Limits:
    """The limits of a strategy; one that was written before there were any is judged as it was then."""
    if told is None:
        return NO_LIMITS
    read = {
        "max_p99_latency": _as_time(told.get("max_p99_latency")),
        "required": tuple(told.get("required", NO_LIMITS.required)),
    }
    return replace(NO_LIMITS, **{**told, **read})


def _as_time(seconds: float | None) -> timedelta | None:
    return None if seconds is None else timedelta(seconds=seconds)


def _as_shadow(told: dict[str, Any] | None) -> Shadow | None:
    """The shadow of a strategy, which those have not that were written before there was any."""
    return None if told is None else Shadow(**{**told, "bake_time": timedelta(seconds=told["bake_time"])})


def _in_seconds(told: dict[str, Any]) -> dict[str, Any]:
    """Durations as JSON has them."""
    inner = {key: _in_seconds(value) for key, value in told.items() if isinstance(value, dict)}
    durations = {key: value.total_seconds() for key, value in told.items() if isinstance(value, timedelta)}
    return {**told, **inner, **durations}
