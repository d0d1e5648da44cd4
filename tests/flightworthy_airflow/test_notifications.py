"""Actions in the line: what check_expectations sends by Airflow's connections, and says of it in its log."""

from __future__ import annotations

import json
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowFailException

from flightworthy.errors import Refused
from flightworthy_airflow.hooks.notifications import connection_of
from tests.flightworthy_airflow.conftest import MODEL, MONDAY, Line, by_hand
from tests.receiving import webhook

ACTIONS = [
    {"type": "slack", "name": "tell", "slack_webhook": "${team_alerts}", "notify_on": "failure"},
    {"type": "update_data_docs", "name": "docs", "site_names": []},
]


def drop_in(line: Line, *actions: Any) -> None:
    (line.models / MODEL / "checkpoint.json").write_text(json.dumps({"actions": actions, "result_format": "SUMMARY"}))


def by(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_TEAM_ALERTS", json.dumps({"conn_type": "slackwebhook", "password": url}))
    monkeypatch.setenv("AIRFLOW__API__BASE_URL", "https://airflow.example/")


def test_a_refused_partition_is_told_by_the_connection_and_linked_behind_the_login(
    line: Line, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Before the task fails; one that passes is not due."""
    drop_in(line, *ACTIONS)
    with webhook() as server:
        by(f"{server.url}/services/hush-hush", monkeypatch)
        line.land()
        line.check(by_hand(), line.ingest(by_hand()))
        assert server.posted == []
        assert f"action partition={MONDAY} name=tell not due" in capsys.readouterr().out
        line.land("2026-01-12", customer=1)
        run = by_hand(partition="2026-01-12")
        with pytest.raises(AirflowFailException, match="values to be unique"):
            line.check(run, line.ingest(run))
    ((path, said),) = server.posted
    assert path == "/services/hush-hush"
    assert f"{MODEL} 2026-01-12 - Failure" in str(said)
    assert f"https://airflow.example/flightworthy/reports/{MODEL}/data_docs/validations/{MODEL}/2026-01-12/" in str(
        said
    )
    told = capsys.readouterr().out
    assert "action partition=2026-01-12 name=tell done" in told
    assert "hush" not in told


def test_a_message_that_fails_is_a_warning_and_the_run_goes_on(
    line: Line, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The partition is passed on as if nobody was to be told."""
    drop_in(line, {**ACTIONS[0], "notify_on": "all"})
    line.land()
    with webhook() as server:
        server.status = 500
        by(f"{server.url}/services/hush-hush", monkeypatch)
        assert line.check(by_hand(), line.ingest(by_hand()))["partition"] == MONDAY
    told = capsys.readouterr().out
    (line_of_it,) = [each for each in told.splitlines() if "name=tell" in each]
    assert "[warning" in line_of_it
    assert "failed: Request to Slack webhook returned error 500" in line_of_it
    assert "hush" not in told


def test_a_secret_in_the_file_fails_the_task_and_is_not_repeated(
    line: Line, capsys: pytest.CaptureFixture[str]
) -> None:
    """By file, line and key."""
    drop_in(line, {**ACTIONS[0], "slack_webhook": "https://hooks.slack.com/services/hush-hush"})
    line.land()
    with pytest.raises(AirflowFailException, match=r"checkpoint.json:1: actions\[0\].slack_webhook: ") as caught:
        line.check(by_hand(), line.ingest(by_hand()))
    assert "hush" not in f"{caught.value}{capsys.readouterr().out}"


def test_a_connection_is_read_whole_and_masked(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also the path of a webhook alone, as libraries tell it; one that is not there is named."""
    from airflow.sdk.log import redact

    url = "https://hooks.example/services/T9/B9/mumble-mumble"
    said = {"conn_type": "smtp", "host": "h", "port": 25, "login": "me", "password": url}
    monkeypatch.setenv("AIRFLOW_CONN_POST", json.dumps(said))
    found = connection_of("post")
    assert (found.host, found.port, found.login, found.password) == ("h", 25, "me", url)
    assert "mumble" not in str(redact("url: /services/T9/B9/mumble-mumble"))
    with pytest.raises(Refused, match=r"there is no connection nowhere. Add it in Airflow"):
        connection_of("nowhere")
