"""From a table's row to what the domain calls it, and back."""

from __future__ import annotations

import json
from dataclasses import asdict, fields, replace
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from flightworthy import ledger
from flightworthy.release import NO_LIMITS, Deployment, Healing, Limits, Observation, Phase, Release, Shadow, Strategy

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
