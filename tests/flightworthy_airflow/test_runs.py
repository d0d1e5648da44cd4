"""A run knows why it exists, and which partition it answers for."""

from __future__ import annotations

from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest

from flightworthy_airflow.runs import Intent, describe

MONDAY, NEXT_MONDAY = datetime(2026, 1, 5, tzinfo=UTC), datetime(2026, 1, 12, tzinfo=UTC)


def context(run_type: str, *, events: list[dict[str, Any]] | None = None, params: dict[str, Any] | None = None) -> Any:
    dag_run = SimpleNamespace(
        run_id="run-1",
        dag_id="churn.deploy",
        run_type=run_type,
        data_interval_start=MONDAY,
        data_interval_end=NEXT_MONDAY,
        triggering_user_name=None,
    )
    happened = {"asset": [SimpleNamespace(extra=extra) for extra in events or []]}
    return {"dag_run": dag_run, "triggering_asset_events": happened, "params": params or {}}


def arrived(partition: str) -> dict[str, Any]:
    return {"from_trigger": True, "payload": {"model": "churn", "partition": partition}}


@pytest.mark.parametrize(
    "run_type,events,intent",
    [
        ("backfill", [], Intent.BACKFILL),
        ("scheduled", [], Intent.SCHEDULE),
        ("manual", [], Intent.MANUAL),
        ("asset_triggered", [arrived("2026-01-05")], Intent.NEW_DATA),
        ("asset_triggered", [{"model": "churn", "reasons": ["age drifted"]}], Intent.DRIFT),
        ("asset_triggered", [{"model": "churn", "reasons": []}, arrived("2026-01-05")], Intent.NEW_DATA),
    ],
)
def test_why_a_run_exists(run_type: str, events: list[dict[str, Any]], intent: Intent) -> None:
    """Of merged events new data wins, since its partition must be taken in."""
    assert describe(context(run_type, events=events)).intent is intent


def test_only_a_backfill_never_releases() -> None:
    """Whatever else a backfill may do."""
    assert [intent for intent in Intent if not intent.may_release] == [Intent.BACKFILL]


def test_merged_arrivals_are_answered_by_one_run_for_the_newest() -> None:
    """Its window holds the others."""
    run = describe(context("asset_triggered", events=[arrived("2026-01-05"), arrived("2026-01-12")]))

    assert run.partition == "2026-01-12"
    assert run.interval_start is None


def test_a_timed_run_has_an_interval_and_a_manual_one_may_name_a_partition() -> None:
    """Airflow gives a manual run a data interval too; it means nothing here."""
    assert describe(context("scheduled")).interval_start == MONDAY
    manual = describe(context("manual", params={"partition": "2026-01-05"}))
    assert (manual.partition, manual.interval_start) == ("2026-01-05", None)
    assert describe(context("manual", params={"partition": ""})).partition is None


def test_who_acts_is_a_person_where_there_is_one() -> None:
    """The ledger names them; else the DAG."""
    by_hand = context("manual")
    by_hand["dag_run"].triggering_user_name = "ada"

    assert describe(by_hand).actor == "ada"
    assert describe(context("scheduled")).actor == "churn.deploy"
