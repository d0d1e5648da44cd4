"""Ingest and check_expectations: which partition a run takes, and what becomes of one that is refused."""

from __future__ import annotations

from datetime import UTC, datetime

import pandas as pd
import pytest
import yaml
from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException, TaskDeferred

from flightworthy.errors import Refused
from flightworthy.quarantine.choosing import ALL
from flightworthy.quarantine.verbs import chosen, discard, hold, release
from flightworthy.release import Cause
from flightworthy_airflow.operators.check_expectations import CheckExpectationsOperator
from tests.flightworthy_airflow.conftest import MODEL, MONDAY, NEXT_MONDAY, Line, by_hand, run_of, woken_by

LAST_MONDAY = "2026-01-19"
BECAUSE = Cause(actor="ada", reason="the labels are those of another week", at=datetime(2026, 1, 20, tzinfo=UTC))


def test_a_scheduled_run_takes_the_partition_of_its_interval(line: Line) -> None:
    """Not the newest: what it answers for is its data interval."""
    line.land(MONDAY)
    line.land(NEXT_MONDAY, seed=6)

    taken = line.ingest(run_of("scheduled", at=MONDAY))

    assert (taken["partition"], taken["intent"], taken["rows"]) == (MONDAY, "schedule", 240)


def test_a_run_by_hand_takes_the_partition_that_its_form_names_or_else_the_newest(line: Line) -> None:
    """An empty field is no key."""
    line.land(MONDAY)
    line.land(NEXT_MONDAY, seed=6)

    assert line.ingest(by_hand(partition=MONDAY))["partition"] == MONDAY
    assert line.ingest(by_hand(partition=None))["partition"] == NEXT_MONDAY
    assert line.ingest(by_hand(partition=""))["partition"] == NEXT_MONDAY


def test_the_same_input_gives_the_same_version_and_is_not_written_twice(line: Line) -> None:
    """A retry, a second run and a backfill over the same partition all name one dataset version."""
    line.land()
    first = line.ingest(by_hand())
    written = sorted(path.stat().st_mtime_ns for path in (line.home / "datasets").rglob("*.parquet"))

    again = line.ingest(run_of("backfill", run_id="run-2"))

    assert again["dataset_digest"] == first["dataset_digest"]
    assert sorted(path.stat().st_mtime_ns for path in (line.home / "datasets").rglob("*.parquet")) == written


def test_an_interval_without_a_partition_is_skipped_and_says_where_it_looked(line: Line) -> None:
    """There is nothing to do, which is no failure; the tasks behind are skipped with it."""
    line.land(MONDAY)

    with pytest.raises(AirflowSkipException, match=NEXT_MONDAY):
        line.ingest(run_of("scheduled", at=NEXT_MONDAY))


def test_one_arrival_starts_one_deployment_however_often_its_event_was_raised(line: Line) -> None:
    """The second run is skipped and names the first; the first may be tried again."""
    line.land()
    first = line.ingest(woken_by(MONDAY, run_id="run-1"))

    with pytest.raises(AirflowSkipException, match=r"was taken by run run-1 already"):
        line.ingest(woken_by(MONDAY, run_id="run-2"))
    assert line.ingest(woken_by(MONDAY, run_id="run-1")) == first


def test_a_run_by_hand_may_take_what_an_arrival_took_before(line: Line) -> None:
    """The claim is on the arrival; a person who asks again means it."""
    line.land()
    taken = line.ingest(woken_by(MONDAY, run_id="run-1"))

    assert line.ingest(by_hand())["dataset_digest"] == taken["dataset_digest"]


def test_a_file_that_cannot_be_read_without_guessing_fails_at_once_and_says_why(line: Line) -> None:
    """Asking again gives the same answer, so Airflow is told not to retry."""
    line.land()
    (line.home / "landing" / MODEL / f"{MONDAY}.csv").write_text("customer,age,age\n1,2,3\n")

    with pytest.raises(AirflowFailException, match="age"):
        line.ingest(by_hand())


def test_a_long_reading_writes_its_progress_into_the_tasks_log(
    line: Line, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Rows, share and rate, now and then; here without a pause between."""
    monkeypatch.setattr("flightworthy.adapters.partition_files.progress._PAUSE", 0.0)
    line.land()

    line.ingest(by_hand())

    (told,) = [line for line in capsys.readouterr().out.splitlines() if " reading " in line]
    assert f"{MONDAY}.csv rows=240 share=100% rows_per_second=" in told


def test_a_model_that_is_not_there_fails_and_names_the_file_that_was_looked_for(line: Line) -> None:
    """The task answers to model.yaml as it is now."""
    (line.models / MODEL / "model.yaml").unlink()

    with pytest.raises(AirflowFailException, match=r"model\.yaml.*is missing"):
        line.ingest(by_hand())


def test_what_the_expectations_pass_goes_on_with_a_link_to_its_data_docs(line: Line) -> None:
    """The reference is handed on; the page lies among the reports."""
    line.land()
    dataset = line.ingest(by_hand())
    check = CheckExpectationsOperator(task_id="check_expectations", model=MODEL, dataset=dataset)

    assert check.execute(by_hand()) == dataset
    assert check.report_path
    assert (line.home / "reports" / check.report_path).is_file()


def test_a_refused_partition_fails_with_every_objection_and_waits_in_quarantine(line: Line) -> None:
    """Duplicates are an objection of suite.yaml; nulls where none may be, one of model.yaml."""
    line.land(customer=7, age=None)
    dataset = line.ingest(by_hand())

    with pytest.raises(AirflowFailException) as refused:
        line.check(by_hand(), dataset)

    message = str(refused.value)
    assert f"Partition {MONDAY} of {MODEL} was refused" in message
    assert "the champion was not touched" in message
    assert "customer" in message
    assert "age" in message
    assert list((line.home / "datasets" / MODEL / "quarantine" / MONDAY).rglob("reason.json"))
    with pytest.raises(AirflowFailException, match="waits in quarantine with this very content"):
        line.ingest(run_of("scheduled", run_id="run-2"))


def test_an_older_refused_partition_freezes_the_run_until_it_is_given_up(line: Line) -> None:
    """The log says which, why, and what ends it; then the same task passes, without that partition."""
    line.land(MONDAY, customer=7)
    line.land(NEXT_MONDAY, seed=6)
    dataset = line.ingest(by_hand())
    assert dataset["rows"] == 480

    with pytest.raises(AirflowFailException) as refused:
        line.check(by_hand(), dataset)
    assert f"Run {NEXT_MONDAY} of {MODEL} is frozen: partition {MONDAY} of {MODEL} waits in quarantine" in str(
        refused.value
    )
    assert "values to be unique" in str(refused.value)
    assert f"`flightworthy quarantine release {MODEL} {MONDAY} --reason …`" in str(refused.value)

    discard(line.store, line.releases, chosen(line.store, MODEL, MONDAY), BECAUSE, ALL)
    checked = line.check(by_hand(), dataset)

    assert (checked["partition"], checked["rows"]) == (NEXT_MONDAY, 240)
    assert checked["dataset_digest"] != dataset["dataset_digest"]


def test_a_corrected_partition_ends_the_freeze_by_the_next_run(line: Line) -> None:
    """The run of a later interval takes it in; nobody has to decide anything."""
    line.land(MONDAY, customer=7)
    line.land(NEXT_MONDAY, seed=6)
    with pytest.raises(AirflowFailException, match="is frozen"):
        line.check(by_hand(), line.ingest(by_hand()))

    line.land(MONDAY)
    checked = line.check(by_hand(), line.ingest(by_hand()))

    assert checked["rows"] == 480


def test_a_backfill_is_frozen_where_its_interval_depends_on_the_refused_one_and_nowhere_else(line: Line) -> None:
    """An interval before it knows nothing of it; the intervals after it wait."""
    earlier, later = run_of("backfill", at=MONDAY), run_of("backfill", at=LAST_MONDAY, run_id="run-2")
    line.land(MONDAY)
    line.land(NEXT_MONDAY, customer=7)
    line.land(LAST_MONDAY, seed=8)
    with pytest.raises(AirflowFailException, match=rf"Run {LAST_MONDAY} of {MODEL} is frozen: partition {NEXT_MONDAY}"):
        line.check(later, line.ingest(later))
    assert line.check(earlier, line.ingest(earlier))["rows"] == 240


def test_a_partition_refused_after_its_check_is_trained_on_by_nobody(line: Line) -> None:
    """A person found it false while the run was under way."""
    line.land()
    dataset = line.check(by_hand(), line.ingest(by_hand()))
    hold(line.store, line.releases, MODEL, MONDAY, BECAUSE)

    with pytest.raises(AirflowFailException, match=f"Run {MONDAY} of {MODEL} is frozen.*ada: the labels are those of"):
        line.train(by_hand(), dataset)


def test_a_version_trained_on_what_was_refused_later_is_not_released(line: Line) -> None:
    """Neither while it waits nor once it was given up; a corrected partition means another training."""
    line.land()
    version = line.packaged(by_hand())
    held = hold(line.store, line.releases, MODEL, MONDAY, BECAUSE)

    with pytest.raises(AirflowFailException, match="Nothing is trained or released"):
        line.promote(by_hand(), version)
    discard(line.store, line.releases, held, BECAUSE, ALL)
    with pytest.raises(AirflowFailException, match="Nothing is trained or released"):
        line.promote(by_hand(), version)
    release(line.store, line.releases, chosen(line.store, MODEL, MONDAY), BECAUSE, ALL)
    with pytest.raises(TaskDeferred):
        line.promote(by_hand(), version)


def test_an_interval_that_was_given_up_is_skipped(line: Line) -> None:
    """There is nothing to learn for it, which is no failure; the newest is the one before it."""
    line.land(MONDAY)
    line.land(NEXT_MONDAY, customer=7)
    with pytest.raises(AirflowFailException, match="was refused"):
        line.check(by_hand(), line.ingest(by_hand()))
    discard(line.store, line.releases, chosen(line.store, MODEL, NEXT_MONDAY), BECAUSE, ALL)

    with pytest.raises(AirflowSkipException, match=f"partition {NEXT_MONDAY} of {MODEL} was given up by ada"):
        line.ingest(run_of("scheduled", at=NEXT_MONDAY))
    assert line.ingest(by_hand())["partition"] == MONDAY


def test_refused_rows_wait_and_the_rest_is_handed_on(line: Line) -> None:
    """With the digest of what went on, by which the same source is found standing."""
    rows = {"minimum": 20, "keep_at_least": "90%", "out_of_spec": "quarantine"}
    (line.models / MODEL / "suite.yaml").write_text(yaml.safe_dump({"rows": rows, "expectations": []}))
    line.land(age=pd.array([None, *range(20, 259)], dtype="Int64"))
    dataset = line.ingest(by_hand())
    checked = line.check(by_hand(), dataset)

    assert (checked["rows"], dataset["rows"]) == (239, 240)
    assert checked["partition_digest"] == line.store.current(MODEL)[MONDAY].digest != dataset["partition_digest"]
    again = line.ingest(by_hand())
    assert (again["rows"], again["dataset_digest"]) == (239, checked["dataset_digest"])


def test_a_task_that_was_handed_something_else_refuses_it(line: Line) -> None:
    """A mistake in a hand-written DAG is named, not guessed around."""
    with pytest.raises(AirflowFailException, match="Pass on what the task before returned") as refused:
        line.check(by_hand(), {"model": MODEL})
    assert isinstance(refused.value.__cause__, Refused)
