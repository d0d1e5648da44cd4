"""Why a DAG run exists (its intent), and which partition it answers for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from airflow.sdk import Context

__all__ = ["Intent", "Run", "describe"]


class Intent(StrEnum):
    """Why a run exists. Only a backfill can never release."""

    SCHEDULE = "schedule"
    NEW_DATA = "new_data"
    DRIFT = "drift"
    BACKFILL = "backfill"
    MANUAL = "manual"

    @property
    def may_release(self) -> bool:
        return self is not Intent.BACKFILL


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """A DAG run in the words of the line.

    ``named`` are the keys that the events named which started it; a knock, and not yet an arrival of its own.

    ``partition`` is the key a person or an event named; ``interval_start`` and ``interval_end`` bound the data interval
    of a scheduled or backfilled run. All are None for a run that takes the newest partition there is (drift, manual).
    ``actor`` is whom the ledger names: the ``user`` who triggered it, else the DAG. ``parameters`` override those of
    the trials; a person fills them into the form of a manual run or of a backfill, and no other run carries any.
    """

    run_id: str
    dag_id: str
    intent: Intent
    named: tuple[str, ...]
    partition: str | None
    interval_start: datetime | None
    interval_end: datetime | None
    actor: str
    user: str | None
    parameters: Mapping[str, Any]


def describe(context: Context) -> Run:
    """Read a run's intent and partition from Airflow's context."""
    dag_run = context["dag_run"]
    run_type = str(getattr(dag_run.run_type, "value", dag_run.run_type))
    payloads = tuple(_payloads(context))
    intent = _intent(run_type, payloads)
    user = getattr(dag_run, "triggering_user_name", None) or None
    timed = intent in (Intent.SCHEDULE, Intent.BACKFILL)
    return Run(
        run_id=dag_run.run_id,
        dag_id=dag_run.dag_id,
        intent=intent,
        named=tuple(sorted({str(payload["partition"]) for payload in payloads if "partition" in payload})),
        partition=_partition(intent, payloads, context),
        interval_start=dag_run.data_interval_start if timed else None,
        interval_end=dag_run.data_interval_end if timed else None,
        actor=user or dag_run.dag_id,
        user=user,
        parameters=(context.get("params") or {}).get("parameters") or {},
    )


def _intent(run_type: str, payloads: tuple[dict[str, Any], ...]) -> Intent:
    if run_type == "backfill":
        return Intent.BACKFILL
    if run_type == "scheduled":
        return Intent.SCHEDULE
    if run_type == "asset_triggered":
        # Merged events of both kinds: new data wins, because its partition must be taken in.
        return Intent.NEW_DATA if any("partition" in payload for payload in payloads) else Intent.DRIFT
    return Intent.MANUAL


def _partition(intent: Intent, payloads: tuple[dict[str, Any], ...], context: Context) -> str | None:
    if intent is Intent.NEW_DATA:
        return max(str(payload["partition"]) for payload in payloads if "partition" in payload)
    if intent is Intent.MANUAL:
        return (context.get("params") or {}).get("partition") or None
    return None


def _payloads(context: Context) -> Iterator[dict[str, Any]]:
    """What the asset events that started this run carry; a watcher's payload is nested under its own key."""
    for events in (context.get("triggering_asset_events") or {}).values():
        for event in events:
            extra = event.extra or {}
            payload = extra.get("payload", extra)
            if isinstance(payload, dict):
                yield payload
