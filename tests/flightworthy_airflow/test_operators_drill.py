"""Drills asked for by a task: what is skipped, what is waited for, and what is told."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException, TaskDeferred

from flightworthy.release import Drill, DrillResult
from flightworthy_airflow.operators.drill import DrillOperator
from flightworthy_airflow.triggers.drill import DrillTrigger
from tests.flightworthy.release_makers import release, serving
from tests.flightworthy_airflow.conftest import Line, by_hand, run_of


def ask(context: Any | None = None) -> Any:
    return DrillOperator(task_id="drill", model="churn").execute(context or by_hand())


def asked(line: Line, context: Any | None = None) -> tuple[Drill, DrillTrigger]:
    """The drill that the task asked for, and what it waits by."""
    with pytest.raises(TaskDeferred) as deferred:
        ask(context)
    assert deferred.value.method_name == "conclude"
    drill = line.releases.last_drill("churn")
    assert drill is not None
    trigger = deferred.value.trigger
    assert isinstance(trigger, DrillTrigger)
    return drill, trigger


def fired(trigger: DrillTrigger) -> Any:
    """The payload of its one event, through the form that Airflow keeps it in."""

    async def first() -> Any:
        path, arguments = trigger.serialize()
        assert path.endswith(type(trigger).__name__)
        again = DrillTrigger(**{**arguments, "poke_interval": 0.01})
        return [event.payload async for event in again.run()]

    (payload,) = asyncio.run(asyncio.wait_for(first(), 10))
    return payload


def end(line: Line, drill: Drill, *, passed: bool, reason: str) -> None:
    result = DrillResult(passed=passed, reason=reason, took_time=timedelta(seconds=1.5), ended_at=datetime.now(UTC))
    line.releases.end_drill(drill.number, result)


@pytest.mark.parametrize("versions", [(), (1,)], ids=["never released", "one release"])
def test_without_a_previous_release_the_drill_is_skipped_and_says_so(line: Line, versions: tuple[int, ...]) -> None:
    """There is nothing that a rollback could restore, and nothing is asked of the deployer."""
    serving(line.releases, *versions)

    with pytest.raises(AirflowSkipException, match="churn has no release before its champion"):
        ask()
    assert not line.releases.drills


def test_a_drill_is_asked_for_by_the_store_and_waited_for_without_a_worker(line: Line) -> None:
    """Under the person's name, or the DAG's; the champion's row and the ledger stay as they are."""
    serving(line.releases, 1, 2)
    row, entries = line.releases.deployment("churn"), len(line.releases.entries)

    drill, trigger = asked(line)

    assert (drill.release, drill.asked_by, trigger.number) == (release(1).id, "ada", drill.number)
    assert (line.releases.deployment("churn"), len(line.releases.entries)) == (row, entries)


def test_a_task_that_is_run_again_waits_for_the_drill_that_is_open(line: Line) -> None:
    """A worker that died between asking and waiting asked for it already."""
    serving(line.releases, 1, 2)
    first, _ = asked(line)
    second, _ = asked(line, run_of("scheduled"))

    assert second == first
    assert len(line.releases.drills) == 1


def test_a_release_that_was_proven_is_the_answer(line: Line) -> None:
    """Told by the deployer through the store, and by the trigger."""
    serving(line.releases, 1, 2)
    drill, trigger = asked(line)
    end(line, drill, passed=True, reason="ready after 0.8 s")

    assert DrillOperator(task_id="drill", model="churn").conclude(by_hand(), fired(trigger)) == release(1).id


def test_a_release_that_could_not_serve_fails_with_the_reason(line: Line) -> None:
    """Without a retry: the next drill is asked for when it is due."""
    serving(line.releases, 1, 2)
    drill, trigger = asked(line)
    end(line, drill, passed=False, reason="its image is gone. Build it again")

    with pytest.raises(AirflowFailException, match=r"churn-1-00000001 failed: its image is gone\. Build it again"):
        DrillOperator(task_id="drill", model="churn").conclude(by_hand(), fired(trigger))


def test_a_drill_that_nobody_does_fails_and_says_who_should_have(line: Line) -> None:
    """No proof is no success, however long the deployer is away."""
    serving(line.releases, 1, 2)
    _, trigger = asked(line)
    trigger.patience = 0.05

    with pytest.raises(AirflowFailException, match=r"nobody did it within 0\.05 s .* `flightworthy deployer` runs"):
        DrillOperator(task_id="drill", model="churn").conclude(by_hand(), fired(trigger))


@pytest.mark.parametrize("event", [None, "passed", {"passed": True}])
def test_an_event_that_nobody_knows_is_no_proof(event: Any) -> None:
    """Of another version of the trigger, or of none."""
    with pytest.raises(AirflowFailException, match="cannot be read"):
        DrillOperator(task_id="drill", model="churn").conclude(by_hand(), event)


@pytest.mark.parametrize("passed", [None, 1, "yes"])
def test_only_a_plain_yes_is_a_proof(passed: Any) -> None:
    """Whatever else stands there."""
    event = {"release_id": "churn-1", "passed": passed, "reason": "so it says", "seconds": 1.0}

    with pytest.raises(AirflowFailException, match="so it says"):
        DrillOperator(task_id="drill", model="churn").conclude(by_hand(), event)
