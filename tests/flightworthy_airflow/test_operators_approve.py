"""Approval asked for by a task: who is asked, what counts, and what promote makes of it."""

from __future__ import annotations

import json
import subprocess
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.providers.standard.operators import hitl
from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException, TaskAwaitingInput, TaskDeferred

from flightworthy_airflow.operators.approve import NO, YES, ApproveOperator
from tests.flightworthy_airflow.conftest import MODEL, Line, run_of, woken_by

PROCESS = {"target": "process"}
NOON = datetime(2026, 1, 5, 12, 0, tzinfo=UTC)


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """What Airflow was told to show, in its own words."""
    told: list[dict[str, Any]] = []
    monkeypatch.setattr(hitl, "upsert_hitl_detail", lambda **detail: told.append(detail))
    return told


def run(user: str | None = "ada", **params: Any) -> Any:
    """A run by hand, in which a task may wait for people."""
    return run_of("manual", user=user, params=params, task_instance=SimpleNamespace(id="ti-1"))


def packaged(line: Line, approval: Any = "one") -> Any:
    """A version that waits for its release, under a rule."""
    line.say(release={**PROCESS, "approval": approval})
    line.land()
    return line.packaged(run())


def waits(line: Line, version: Any, context: Any | None = None) -> TaskAwaitingInput:
    with pytest.raises(TaskAwaitingInput) as waiting:
        line.approve(context or run(), version)
    return waiting.value


def answered(waiting: TaskAwaitingInput, version: Any, user: str | None, **event: Any) -> Any:
    """The task as it is resumed with somebody's answer: a new process knows what the wait carried, no more."""
    who = None if user is None else {"id": user, "name": user}
    told = {"chosen_options": [YES], "params_input": {}, "responded_at": NOON, "responded_by_user": who, **event}
    operator = ApproveOperator(task_id="approve", model=MODEL, version=version)
    return getattr(operator, waiting.method_name)(run(), event=told, **(waiting.kwargs or {}))


def test_a_person_is_shown_what_they_decide_about_and_nobody_waits_for_them_with_a_worker(
    line: Line, asked: list[dict[str, Any]]
) -> None:
    """The release, what it learnt from, its traffic, and the digest that the answer is about; three days of time."""
    version = packaged(line)

    waiting = waits(line, version)

    (shown,) = asked
    assert shown["options"] == [YES, NO]
    assert shown["subject"] == "May this version of shop be released?"
    assert (shown["defaults"], shown["assigned_users"]) == (None, [])
    assert waiting.kwargs
    digest = waiting.kwargs["digest"]
    for told in ("shop-1-", "partition 2026-01-05", "10 % → 50 % → 100 %", f"`{digest}`: an answer is about exactly"):
        assert told in shown["body"]
    assert (waiting.method_name, waiting.timeout) == ("execute_complete", timedelta(days=3))
    assert line.releases.deployment(MODEL).generation == 0


def test_an_approval_lets_promote_go_on_and_is_in_its_evidence(line: Line, asked: list[dict[str, Any]]) -> None:
    """Kept in the database with person, time and note, not in what tasks pass on."""
    version = packaged(line)

    digest = answered(waits(line, version), version, "grace", params_input={"note": "read the report"})
    with pytest.raises(TaskDeferred):
        line.promote(run(), version)

    (answer,) = line.releases.answers(digest)
    assert (answer.user, answer.approved, answer.note, answer.at) == ("grace", True, "read the report", NOON)
    (entry,) = line.releases.entries
    told = json.loads(line.releases.evidence(entry.evidence[0]) or "")
    assert (told["digest"], told["answers"][0]["user"], told["answers"][0]["run_id"]) == (digest, "grace", "run-1")


def test_a_task_that_was_skipped_or_marked_as_done_promotes_nothing(line: Line) -> None:
    """Promote asks the database itself."""
    version = packaged(line)

    with pytest.raises(AirflowFailException, match="approved by 0, and it takes 1 of those who may answer"):
        line.promote(run(), version)
    assert line.releases.deployment(MODEL).generation == 0


def test_n_of_m_are_asked_one_after_another_by_the_same_task(line: Line, asked: list[dict[str, Any]]) -> None:
    """The named ones alone; the same person twice is one; what was given stays given when the task is run again."""
    version = packaged(line, {"of": ["ada", "grace", "mary"], "at_least": 2, "within": "2h"})
    first = waits(line, version)
    assert [user["id"] for user in asked[-1]["assigned_users"]] == ["ada", "grace", "mary"]
    assert first.timeout == timedelta(hours=2)

    with pytest.raises(TaskAwaitingInput) as second:
        answered(first, version, "ada")
    with pytest.raises(TaskAwaitingInput) as third:
        answered(second.value, version, "ada")
    again = waits(line, version)
    assert third.value.kwargs == again.kwargs == first.kwargs
    assert "ada said yes" in asked[-1]["body"]
    with pytest.raises(AirflowFailException, match="approved by 1, and it takes 2 of ada, grace, mary"):
        line.promote(run(), version)

    digest = answered(again, version, "mary")
    assert line.approve(run(), version) == digest
    with pytest.raises(TaskDeferred):
        line.promote(run(), version)


def test_who_is_not_asked_does_not_count_though_airflow_let_them_answer(
    line: Line, asked: list[dict[str, Any]]
) -> None:
    """As it does where everybody is an admin."""
    version = packaged(line, {"of": ["grace"]})

    with pytest.raises(TaskAwaitingInput):
        answered(waits(line, version), version, "eve")
    with pytest.raises(AirflowFailException, match="eve approved it, and is not among those who are asked"):
        line.promote(run(), version)


def test_the_author_does_not_count_where_somebody_else_must_approve(line: Line, asked: list[dict[str, Any]]) -> None:
    """Neither who triggered the run nor who last committed to the model's folder."""
    folder = line.models / MODEL
    for words in (
        ("init", "-q"), ("add", "."),
        ("-c", "user.name=Bob Dole", "-c", "user.email=bob@example.org", "commit", "-qm", "x"),
    ):  # fmt: skip
        subprocess.run(["git", *words], cwd=folder, check=True)
    line.say(release={**PROCESS, "approval": "not_the_author"})
    line.land()
    version = line.packaged(run())

    with pytest.raises(TaskAwaitingInput) as second:
        answered(waits(line, version), version, "ada")
    with pytest.raises(TaskAwaitingInput) as third:
        answered(second.value, version, "bob")
    with pytest.raises(AirflowFailException, match=r"ada approved it, and made .* bob approved it, and made"):
        line.promote(run(), version)

    answered(third.value, version, "grace")
    with pytest.raises(TaskDeferred):
        line.promote(run(), version)


def test_where_nobody_knows_the_author_nobody_is_somebody_else(line: Line, asked: list[dict[str, Any]]) -> None:
    """A run that data started, of models outside a checkout: no evidence is an objection."""
    version = packaged(line, "not_the_author")
    answered_by_grace = waits(line, version)
    answered(answered_by_grace, version, "grace")

    with pytest.raises(AirflowFailException, match="nobody knows whose change this is"):
        line.promote(woken_by("2026-01-05"), version)


@pytest.mark.parametrize(
    "event, why",
    [
        ({"chosen_options": [NO], "params_input": {"note": "not today"}}, r"was rejected by grace: not today"),
        ({"error": "…", "error_type": "timeout"}, "nobody answered in time"),
        ({"error": "…", "error_type": "unknown"}, "cannot be read"),
        ({"responded_by_user": None}, "nobody is known to have answered"),
        ({"chosen_options": []}, "nobody is known to have answered"),
        ({"chosen_options": [YES, NO]}, "nobody is known to have answered"),
        ({"chosen_options": ["Maybe"]}, "cannot be read"),
        ({"params_input": {"note": 7}}, "cannot be read"),
        ({"params_input": {"emergency": "x"}}, "cannot be read"),
        ({"responded_at": None}, "cannot be read"),
    ],
)
def test_whatever_is_no_plain_yes_of_a_known_person_is_a_no(
    line: Line, asked: list[dict[str, Any]], event: dict[str, Any], why: str
) -> None:
    """The task fails without a retry, and nothing is released."""
    version = packaged(line)

    with pytest.raises(AirflowFailException, match=why):
        answered(waits(line, version), version, "grace", **event)
    with pytest.raises(AirflowFailException, match="was not taken up"):
        line.promote(run(), version)


def test_an_answer_about_what_was_shown_does_not_count_for_what_came_after(
    line: Line, asked: list[dict[str, Any]]
) -> None:
    """Thresholds that changed meanwhile are another bundle: people are asked again."""
    version = packaged(line)
    waiting = waits(line, version)
    line.say(release={**PROCESS, "approval": "one"}, gates=[{"metric": "roc_auc", "at_least": 0.5}])

    with pytest.raises(TaskAwaitingInput) as again:
        answered(waiting, version, "grace")

    assert again.value.kwargs != waiting.kwargs
    with pytest.raises(AirflowFailException, match="approved by 0"):
        line.promote(run(), version)


def test_an_answer_without_what_was_shown_is_nobodys(line: Line, asked: list[dict[str, Any]]) -> None:
    """A wait of another version of this operator."""
    version = packaged(line)
    waiting = waits(line, version)
    waiting.kwargs = None

    with pytest.raises(AirflowFailException, match="nobody is known to have answered"):
        answered(waiting, version, "grace")


@pytest.mark.parametrize(
    "context, why",
    [
        (run_of("backfill"), "a backfill never releases"),
        (run(release=False), "the form says not to release"),
        (run(emergency="it denies everyone"), "in an emergency that ada declared"),
    ],
    ids=["backfill", "form says no", "emergency"],
)
def test_where_there_is_nothing_to_decide_nobody_is_asked(line: Line, context: Any, why: str) -> None:
    """The task is skipped and says why."""
    version = packaged(line)

    with pytest.raises(AirflowSkipException, match=why):
        line.approve(context, version)


def test_a_spec_that_asks_nobody_skips_the_task(line: Line) -> None:
    """Changed after the DAG was read."""
    line.land()
    version = line.packaged(run())

    with pytest.raises(AirflowSkipException, match="shop asks nobody"):
        line.approve(run(), version)


def test_an_emergency_is_released_under_the_name_and_the_reason_of_a_person(line: Line) -> None:
    """Both are in the ledger for ever."""
    version = packaged(line)

    with pytest.raises(TaskDeferred):
        line.promote(run(emergency="it denies everyone"), version)

    (entry,) = line.releases.entries
    assert entry.actor == "ada"
    assert entry.reason.startswith("EMERGENCY, without approval: it denies everyone; manual run")
    assert json.loads(line.releases.evidence(entry.evidence[0]) or "")["emergency"] == {
        "by": "ada", "reason": "it denies everyone",
    }  # fmt: skip


def test_an_emergency_that_nobody_declared_is_refused(line: Line) -> None:
    """A run without a person has nobody to answer for it."""
    version = packaged(line)

    with pytest.raises(AirflowFailException, match="an emergency needs a person who declares it"):
        line.promote(run(user=None, emergency="it denies everyone"), version)
    assert line.releases.deployment(MODEL).generation == 0


def test_a_secret_in_a_note_is_not_kept(line: Line, asked: list[dict[str, Any]]) -> None:
    """Evidence is kept for ever."""
    version = packaged(line)

    digest = answered(waits(line, version), version, "grace", params_input={"note": "password=hunter2hunter2"})

    assert "hunter2" not in line.releases.answers(digest)[0].note
