"""Train, evaluate and register: done once per content, refused with every reason, recorded in a backfill."""

from __future__ import annotations

import json
import shutil
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException, DownstreamTasksSkipped

from flightworthy.adapters.backtest_files import BacktestFiles
from flightworthy_airflow.operators.evaluate import EvaluateOperator
from flightworthy_airflow.operators.register import RegisterOperator
from flightworthy_airflow.operators.train import TrainOperator
from tests.flightworthy_airflow.conftest import MODEL, MONDAY, NEXT_MONDAY, Line, by_hand, run_of
from tests.training_material import TRAIN

STRICT = [{"metric": "roc_auc", "at_least": 0.999}, {"metric": "log_loss", "at_most": 0.001}]


def test_a_trial_is_trained_once_and_found_ever_after(line: Line) -> None:
    """Same data, code, parameters and config are the same work, whoever asks."""
    line.land()
    dataset = line.ingest(by_hand())
    train = TrainOperator(task_id="train", model=MODEL, dataset=dataset, trial={"C": 1.0})

    first = train.execute(by_hand())
    again = line.train(run_of("backfill", run_id="run-2"), dataset)

    assert (first["reused"], again["reused"]) == (False, True)
    assert again["run_id"] == first["run_id"]
    assert first["lineage"]["dataset_digest"] == dataset["dataset_digest"]
    assert train.mlflow_url == f"http://mlflow.example:5000/#/experiments/0/runs/{first['run_id']}"


def test_what_the_form_overrides_is_what_is_trained(line: Line) -> None:
    """Other parameters are other work."""
    line.land()
    dataset = line.ingest(by_hand())

    asked = line.train(by_hand(parameters={"C": 0.5}), dataset, C=1.0)

    assert asked["params"]["C"] == 0.5
    assert asked["key"] != line.train(by_hand(), dataset, C=1.0)["key"]


def test_a_mapped_trial_is_called_by_its_parameters() -> None:
    """So that the grid shows which point of the search a task is."""
    assert TrainOperator(task_id="train", model=MODEL, dataset={}, trial={"C": 0.01, "depth": 3}).title == (
        "C=0.01, depth=3"
    )


def test_the_authors_own_bug_is_named_as_theirs(line: Line) -> None:
    """The reader knows whose code to mend, and no retry is spent on it."""
    line.land()
    dataset = line.ingest(by_hand())
    (line.models / MODEL / "train.py").write_text(
        "def train(frame, params, seed):\n    return frame['no_such_column']\n"
    )

    with pytest.raises(AirflowFailException, match=r"train\.py.*no_such_column"):
        line.train(by_hand(), dataset)


def test_the_best_trial_is_chosen_measured_and_reported(line: Line) -> None:
    """One of many goes on, with its metrics, the decision and the page that a person reads."""
    line.land()
    dataset = line.ingest(by_hand())
    trials = [line.train(by_hand(), dataset, C=value) for value in (1e-6, 1.0)]
    evaluate = EvaluateOperator(task_id="evaluate", model=MODEL, dataset=dataset, runs=trials)

    evaluation = evaluate.execute(by_hand())

    assert evaluation["run"]["run_id"] == trials[1]["run_id"]
    assert evaluation["metrics"]["roc_auc"] >= 0.6
    assert evaluation["champion_metrics"] is None
    assert evaluation["decision"]["objections"] == []
    assert evaluation["worth"]["baseline"] == "age alone"
    assert evaluation["worth"]["metrics"]["roc_auc"]["low"] <= evaluation["metrics"]["roc_auc"]
    assert evaluate.report_path == evaluation["report"]
    assert "roc_auc" in (line.home / "reports" / evaluation["report"]).read_text()


def test_a_challenger_that_the_gates_refuse_fails_with_every_objection(line: Line) -> None:
    """Both gates are named, not only the first; the report is there all the same."""
    line.say(gates=STRICT)
    line.land()

    with pytest.raises(AirflowFailException, match="nothing was changed") as refused:
        line.evaluated(by_hand())

    assert "roc_auc" in str(refused.value)
    assert "log_loss" in str(refused.value)
    assert list((line.home / "reports" / MODEL / "evaluations").glob("*.html"))


def test_in_a_backfill_the_objections_are_recorded_and_do_not_stop_the_run(line: Line) -> None:
    """History is registered as it was, with what the gates would have said."""
    line.say(gates=STRICT)
    line.land()

    evaluation = line.evaluated(run_of("backfill"))
    registered = line.register(run_of("backfill"), evaluation)

    assert len(evaluation["decision"]["objections"]) == 2
    assert (registered["version"], registered["is_new"], registered["is_challenger"]) == (1, True, False)


def test_a_backfill_keeps_what_its_version_was_worth(line: Line) -> None:
    """A point of the backtest, with the baseline beside it, and a page that the task links to."""
    line.land()
    evaluation = line.evaluated(run_of("backfill"))
    register = RegisterOperator(task_id="register", model=MODEL, evaluation=evaluation)

    register.execute(run_of("backfill"))

    (point,) = BacktestFiles(root=line.home / "backtests").points(MODEL)
    assert (point.version, point.measured.partition_key) == (1, MONDAY)
    assert point.measured.metrics["roc_auc"].value == evaluation["metrics"]["roc_auc"]
    assert point.measured.baseline.name == "age alone"
    assert register.report_path == f"{MODEL}/backtest.html"
    assert "roc_auc over time" in (line.home / "reports" / MODEL / "backtest.html").read_text()


def test_a_version_keeps_what_it_was_worth(line: Line) -> None:
    """Its metrics and the baseline's, each with its interval, for the model card."""
    line.land()
    evaluation = line.evaluated(by_hand())
    line.register(by_hand(), evaluation)

    (version,) = line.registry.versions(MODEL)
    assert json.loads(version.tags["worth"]) == evaluation["worth"]


def test_what_a_live_run_registers_is_no_point_of_a_backtest(line: Line) -> None:
    """It was measured for now."""
    line.land()
    line.register(by_hand(), line.evaluated(by_hand()))

    assert BacktestFiles(root=line.home / "backtests").points(MODEL) == []


def test_in_a_backfill_the_tasks_of_a_release_are_skipped_unstarted(line: Line) -> None:
    """Where the DAG names them; the version is handed on all the same."""
    line.land()
    handed_on: dict[str, Any] = {}
    ti = SimpleNamespace(xcom_push=lambda *, key, value: handed_on.update({key: value}))
    evaluation = line.evaluated(run_of("backfill"))
    register = RegisterOperator(
        task_id="register", model=MODEL, evaluation=evaluation, release_tasks=("containerize", "promote")
    )

    with pytest.raises(DownstreamTasksSkipped) as skipped:
        register.execute(run_of("backfill", ti=ti))

    assert skipped.value.tasks == ["containerize", "promote"]
    assert handed_on["return_value"]["version"] == 1


def test_the_same_backfill_again_does_nothing_at_all(line: Line, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not even the source is read; it says which version the interval has."""
    line.land()
    line.register(run_of("backfill"), line.evaluated(run_of("backfill")))
    monkeypatch.setattr("flightworthy_airflow.hooks.sources.source_of", lambda _: pytest.fail("it was read"))

    with pytest.raises(AirflowSkipException, match=r"2026-01-05 of shop was done: version 1"):
        line.ingest(run_of("backfill", run_id="run-2"))

    assert len(line.registry.kept) == 1


@pytest.mark.parametrize(
    "changed", ["code", "spec", "parameters", "lock", "the version is gone", "other interval", "no answer"]
)
def test_a_backfill_is_done_again_where_something_differs(line: Line, changed: str) -> None:
    """Whatever decides a result; and a version that was thrown away is made anew."""
    line.land()
    line.land(NEXT_MONDAY, seed=6)
    line.register(run_of("backfill"), line.evaluated(run_of("backfill")))
    asked = run_of("backfill", run_id="run-2")
    if changed == "code":
        (line.models / MODEL / "train.py").write_text(TRAIN + "\n# better\n")
    elif changed == "spec":
        line.say(gates=STRICT)
    elif changed == "parameters":
        asked = run_of("backfill", params={"parameters": {"C": 0.5}})
    elif changed == "lock":
        (line.models.parent / "requirements.lock").write_text("numpy==1.0\n")
    elif changed == "the version is gone":
        line.registry.kept.clear()
    elif changed == "no answer":
        shutil.rmtree(line.home / "datasets" / MODEL / "asks")
    else:
        asked = run_of("backfill", at=NEXT_MONDAY)

    assert line.ingest(asked)["intent"] == "backfill"


def test_a_backfill_killed_between_version_and_point_ends_as_if_it_never_was(
    line: Line, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The next try finds the version and keeps its point; until then nobody takes the interval for done."""
    line.land()
    evaluation = line.evaluated(run_of("backfill"))

    def killed(*_: Any) -> str:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("flightworthy_airflow.hooks.backfills.keep_point", killed)
        with pytest.raises(KeyboardInterrupt):
            line.register(run_of("backfill"), evaluation)
    assert line.ingest(run_of("backfill", run_id="run-2"))["intent"] == "backfill"

    assert line.register(run_of("backfill"), evaluation)["is_new"] is False
    (point,) = BacktestFiles(root=line.home / "backtests").points(MODEL)
    assert point.version == 1
    assert len(line.registry.kept) == 1


def test_a_live_run_is_not_stopped_by_what_a_backfill_did(line: Line) -> None:
    """It has another purpose: to release."""
    line.land()
    line.register(run_of("backfill"), line.evaluated(run_of("backfill")))

    assert line.ingest(by_hand())["intent"] == "manual"
    assert line.ingest(run_of("scheduled"))["intent"] == "schedule"


def test_a_backfill_is_measured_against_who_served_at_the_end_of_its_interval(line: Line) -> None:
    """By the ledger. Of a time before there is nobody, and no gate can go by who serves now."""
    line.say(gates=[{"metric": "log_loss", "at_most": 1.0, "not_worse_by": 0.5}])
    line.land(MONDAY)
    release = line.released(by_hand())
    today = datetime.now(UTC)
    line.land("2030-01-07", seed=6)

    before = line.evaluated(run_of("backfill", run_id="run-2"))
    after = line.evaluated(run_of("backfill", run_id="run-3", at="2030-01-07"))

    assert today < datetime(2030, 1, 7, tzinfo=UTC)
    assert before["champion_metrics"] is None
    assert any("no champion" in note for note in before["decision"]["notes"])
    assert set(after["champion_metrics"]) == set(after["metrics"])
    assert after["backtest"]["opponent"]["name"] == f"version {release.version}"
    assert after["decision"]["notes"] == []


def test_where_nobody_served_the_version_of_the_interval_before_is_shown_and_decides_nothing(line: Line) -> None:
    """Runs of a backfill end in any order, and a decision must not depend on it."""
    line.say(gates=[{"metric": "log_loss", "at_most": 1.0, "not_worse_by": 0.0}])
    line.land(MONDAY)
    line.land(NEXT_MONDAY, seed=6)
    first = line.register(run_of("backfill"), line.evaluated(run_of("backfill")))

    second = line.evaluated(run_of("backfill", run_id="run-2", at=NEXT_MONDAY))

    assert second["backtest"]["opponent"]["kind"] == "predecessor"
    assert second["backtest"]["opponent"]["name"] == f"version {first['version']}, of {MONDAY}"
    assert second["decision"]["objections"] == []
    assert second["champion_metrics"] is None
    assert "predecessor" in (line.home / "reports" / second["report"]).read_text()


def test_challenger_and_champion_are_measured_on_the_same_holdout(line: Line) -> None:
    """The champion's artifact is fetched by the digest that its release names."""
    line.land(MONDAY)
    line.released(by_hand())
    line.land(NEXT_MONDAY, seed=6)

    evaluation = line.evaluated(by_hand())

    assert set(evaluation["champion_metrics"]) == set(evaluation["metrics"])


def test_a_champion_that_was_deleted_from_mlflow_stops_the_comparison_and_says_so(line: Line) -> None:
    """Without it nothing can be proven; what serves goes on serving from its own files."""
    line.land()
    line.released(by_hand())
    line.registry.kept.clear()

    with pytest.raises(AirflowFailException, match="deleted or replaced"):
        line.evaluated(by_hand())


def test_the_same_content_is_registered_once(line: Line) -> None:
    """A retry and a second run find the version that stands."""
    line.land()
    evaluation = line.evaluated(by_hand())
    register = RegisterOperator(task_id="register", model=MODEL, evaluation=evaluation)

    first, again = register.execute(by_hand()), line.register(by_hand(), evaluation)

    assert (first["version"], first["is_new"], first["is_challenger"]) == (1, True, True)
    assert (again["version"], again["is_new"]) == (1, False)
    assert register.mlflow_url == "http://mlflow.example:5000/#/models/shop/versions/1"
    (version,) = line.registry.versions(MODEL)
    assert version.tags["partition_key"] == MONDAY


def test_a_registration_needs_an_evaluation_and_nothing_less(line: Line) -> None:
    """What no gate has seen gets no number."""
    line.land()
    dataset = line.ingest(by_hand())

    with pytest.raises(AirflowFailException, match=r"expected an? EvaluationReference"):
        line.register(by_hand(), line.train(by_hand(), dataset))
    assert not line.registry.kept
