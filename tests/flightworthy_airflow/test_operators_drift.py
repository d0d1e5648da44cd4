"""Monitor_drift and retrain: nothing is said without evidence, and a retrain is asked for only by the decision."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from math import isnan
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.sdk import Asset
from airflow.sdk.exceptions import AirflowSkipException

from flightworthy_airflow.assets import drift_asset
from flightworthy_airflow.operators.monitor_drift import MonitorDriftOperator
from flightworthy_airflow.operators.retrain import RetrainOperator
from tests.flightworthy_airflow.conftest import COLUMNS, MODEL, Line, by_hand, run_of
from tests.training_material import make_frame


def looked(until: datetime, operator: MonitorDriftOperator | None = None) -> Any:
    operator = operator or MonitorDriftOperator(task_id="monitor_drift", model=MODEL)
    return operator.execute(run_of("scheduled", run_after=until))


def champion(line: Line) -> str:
    """A first release, promoted; its id."""
    line.land()
    return line.released(by_hand()).id


def asked(line: Line, release: str, *, rows: int = 120, older_by: int = 0) -> None:
    """That many rows in the prediction log, asked just now of people so many years older."""
    frame = make_frame(seed=9)[COLUMNS].head(rows)
    log = line.home / "predictions" / MODEL / "server.jsonl"
    log.parent.mkdir(parents=True, exist_ok=True)
    at = (datetime.now(UTC) + timedelta(seconds=1)).isoformat()
    with log.open("a", encoding="utf-8") as file:
        for number, row in enumerate(frame.to_dict(orient="records")):
            income = row["income"] * (3 if older_by else 1)
            features = {"age": row["age"] + older_by, "income": None if isnan(income) else income}
            line_of_log = {"at": at, "request_id": str(number), "entity": "1", "release": release, "version": "1"}
            file.write(json.dumps({**line_of_log, "features": features, "prediction": 0.5}) + "\n")


def test_where_nothing_serves_there_is_nothing_to_watch(line: Line) -> None:
    """Skipped, with the reason."""
    with pytest.raises(AirflowSkipException, match="has no champion yet"):
        looked(datetime.now(UTC))


def test_too_few_requests_say_nothing(line: Line) -> None:
    """And never start a retrain; they count in the next look."""
    asked(line, champion(line), rows=10)

    look = looked(datetime.now(UTC) + timedelta(seconds=5))

    assert (look["requests"], look["retrain"]) == (10, False)
    assert any("40 are needed" in reason for reason in look["reasons"])


def test_drift_is_seen_reported_and_asks_for_a_retrain_once(line: Line) -> None:
    """The same run again finds the look it took; the next one leaves the model its cool-down."""
    release = champion(line)
    asked(line, release, older_by=60)
    until = datetime.now(UTC) + timedelta(seconds=5)
    monitor = MonitorDriftOperator(task_id="monitor_drift", model=MODEL)

    look = looked(until, monitor)

    assert (look["requests"], look["drifted"], look["retrain"]) == (120, ["age", "income"], True)
    assert monitor.report_path
    assert (line.home / "reports" / monitor.report_path).is_file()
    assert looked(until) == look
    asked(line, release, older_by=60)
    later = looked(until + timedelta(seconds=5))
    assert later["retrain"] is False
    assert any("the next may start at" in reason for reason in later["reasons"])


def test_requests_like_those_it_learnt_from_are_no_drift(line: Line) -> None:
    """The same people as in training."""
    asked(line, champion(line))

    assert looked(datetime.now(UTC) + timedelta(seconds=5))["retrain"] is False


def test_a_retrain_is_asked_for_only_if_the_monitor_said_so() -> None:
    """Skipped with the monitor's reasons; a skipped task updates no asset."""
    calm = {"retrain": False, "reasons": ["1 of 2 features drifted (50%)"]}

    with pytest.raises(AirflowSkipException, match="1 of 2 features drifted"):
        RetrainOperator(task_id="retrain", model=MODEL, drift=calm).execute(by_hand())


def test_an_answer_that_is_not_plainly_yes_asks_for_nothing() -> None:
    """Missing evidence is a no."""
    for odd in (None, "yes", 1):
        with pytest.raises(AirflowSkipException):
            RetrainOperator(task_id="retrain", model=MODEL, drift={"retrain": odd, "reasons": []}).execute(by_hand())


def test_the_event_that_asks_for_a_retrain_says_why() -> None:
    """The run that it starts can tell drift from new data, and a person reads the reason."""
    drift = drift_asset(MODEL)
    events: dict[Asset, SimpleNamespace] = {drift: SimpleNamespace(extra={})}
    retrain = RetrainOperator(
        task_id="retrain", model=MODEL, drift={"retrain": True, "reasons": ["age drifted"]}, outlets=[drift]
    )

    retrain.execute({**by_hand(), "outlet_events": events})

    assert events[drift].extra == {"model": MODEL, "reasons": ["age drifted"]}
