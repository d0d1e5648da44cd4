"""A checkpoint's actions against real servers: what arrives, and that what fails changes and hides nothing."""

from __future__ import annotations

import gc
import logging
import socket
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from flightworthy.adapters.dataset_files import DatasetFiles
from flightworthy.adapters.gx_suites import GxSuites
from flightworthy.errors import Refused
from flightworthy.expectations import Action, Connection, Expectation, FailedExpectation, SuiteResult
from tests.receiving import Mail, Webhook, mail, webhook

NOW = datetime(2026, 1, 5, tzinfo=UTC)
KEY = "2026-01"
CELL = 987654321
PATH = "/services/T000/B000/hush-hush"
PASSWORD = "pa$word-${HOME}-\\$-hush"
ADDRESS = "https://airflow.example/flightworthy/reports"


def expect(column: str, **kwargs: Any) -> Expectation:
    kwargs = {"column": column, **kwargs}
    kind = "expect_column_values_to_be_between"
    return Expectation(type=kind, kwargs=kwargs, severity="critical", meta={}, line=1)


PASSES, FAILS = expect("age", min_value=0), expect("age", max_value=40)
WARNS = replace(FAILS, severity="warning")


def action(kind: str, *, name: str = "tell", of: dict[str, str] | None = None, **arguments: Any) -> Action:
    return Action(type=kind, name=name, arguments=arguments, references=of or {})


SLACK = action("slack", of={"slack_webhook": "alerts"})
TEAMS = action("microsoft", of={"teams_webhook": "alerts"})
PAGE = action("update_data_docs", name="docs")
EMAIL = action(
    "email",
    of=dict.fromkeys(("smtp_address", "smtp_port", "sender_login", "sender_password"), "smtp"),
    receiver_emails="ada@example.org, grace@example.org",
)


@pytest.fixture
def hook() -> Iterator[Webhook]:
    with webhook() as server:
        yield server


@pytest.fixture
def post() -> Iterator[Mail]:
    with mail(PASSWORD) as server:
        yield server


class Rig:
    """A partition of three ages, what is expected of it, and connections by their ids."""

    def __init__(self, folder: Path, hook: Webhook, post: Mail) -> None:
        store = DatasetFiles(root=folder / "datasets")
        self.rows = store.rows(store.write("shop", KEY, pa.table({"age": [30, 40, CELL]}), sources=[], now=NOW))
        self.connections = {
            "alerts": {"password": f"{hook.url}{PATH}"},
            "smtp": {"host": "127.0.0.1", "port": post.port, "login": "me@example.org", "password": PASSWORD},
        }
        self.reports, self.address, self.seconds = folder / "reports", ADDRESS, 10.0

    def find(self, conn_id: str) -> Connection:
        if conn_id not in self.connections:
            raise Refused(f"there is no connection {conn_id}. Add it in Airflow, under Admin, Connections.")
        unsaid: dict[str, Any] = dict.fromkeys(("host", "port", "login", "password"))
        return Connection(**{"conn_id": conn_id, **unsaid, **self.connections[conn_id]})

    def publish(self, *actions: Action, expected: Expectation = FAILS, **more: Any) -> SuiteResult:
        suites = GxSuites(
            reports=self.reports,
            address=self.address,
            connections=self.find,
            seconds_of_an_action=self.seconds,
        )
        result = suites.validate(self.rows, [expected], engine="duckdb", model="shop", key=KEY, now=NOW)
        return suites.publish(replace(result, **more), actions)

    def page(self, result: SuiteResult) -> str:
        assert result.docs is not None
        return (self.reports / result.docs).read_text(encoding="utf-8")


@pytest.fixture
def rig(tmp_path: Path, hook: Webhook, post: Mail) -> Rig:
    return Rig(tmp_path, hook, post)


def outcomes(result: SuiteResult) -> list[tuple[str, str, str | None]]:
    return [(each.name, each.outcome, each.why) for each in result.actions]


def test_slack_is_told_what_was_refused_and_where_to_read_it(rig: Rig, hook: Webhook) -> None:
    """The message is Great Expectations' own, of this model and partition, with a link behind Airflow's login."""
    result = rig.publish(SLACK, PAGE)
    ((path, said),) = hook.posted
    told = str(said)
    assert path == PATH
    assert "tell - shop 2026-01 - Failure" in told
    assert "*0* of *1* Expectations were met" in told
    assert f"{ADDRESS}/{result.docs}" in told
    assert outcomes(result) == [("tell", "done", None), ("docs", "done", None)]
    assert "<td>tell</td><td>done</td><td></td>" in rig.page(result)


def test_the_actions_change_nothing_of_the_verdict(rig: Rig, hook: Webhook) -> None:
    """Neither one that is done nor one that fails."""
    alone = rig.publish()
    told = rig.publish(SLACK)
    hook.status = 500
    refused = rig.publish(SLACK)
    assert replace(told, actions=()) == replace(refused, actions=()) == alone
    assert alone.objections == (f"age: values to be between: 1 of 3 are not, such as {CELL}",)


def test_teams_is_told_with_the_link_where_data_docs_are_named_too(rig: Rig, hook: Webhook) -> None:
    """In whatever order they stand: as in the library, the page comes first."""
    result = rig.publish(TEAMS, PAGE)
    rig.publish(TEAMS)
    (_, linked), (_, bare) = hook.posted
    card = linked["attachments"][0]["content"]
    assert "shop 2026-01 - Failure" in str(card["body"])
    assert [each["card"]["body"][0]["text"] for each in card["actions"]] == [f"{ADDRESS}/{result.docs}"]
    assert bare["attachments"][0]["content"]["actions"] == []


def test_no_message_holds_a_cell(rig: Rig, hook: Webhook, post: Mail) -> None:
    """The page does; it is behind the login."""
    result = rig.publish(SLACK, TEAMS, EMAIL)
    assert [each.outcome for each in result.actions] == ["done"] * 3
    ((_, letter),) = post.letters
    payload = letter.get_payload()
    assert isinstance(payload, list)
    told = [str(hook.posted), payload[0].get_payload(decode=True).decode()]
    assert all("shop" in each and str(CELL) not in each for each in told)
    assert str(CELL) in rig.page(result)


def test_without_an_address_pages_are_named_as_files(rig: Rig, hook: Webhook) -> None:
    """As Great Expectations does."""
    rig.address = None
    result = rig.publish(SLACK, PAGE)
    assert f"file://{rig.reports.absolute()}/{result.docs}" in str(hook.posted)


def test_mail_is_sent_as_whom_and_through_where_the_connection_says(rig: Rig, post: Mail) -> None:
    """A password with dollar signs is a password, whatever the environment holds."""
    result = rig.publish(EMAIL)
    ((recipients, letter),) = post.letters
    assert recipients == ["ada@example.org", "grace@example.org"]
    assert (letter["Subject"], letter["From"]) == ("shop 2026-01: False", "me@example.org")
    assert outcomes(result) == [("tell", "done", "Not using TLS or SSL to send an email is not secure")]


@pytest.mark.parametrize(
    "notify_on, expected, is_told",
    [
        ("all", PASSES, True),
        ("success", PASSES, True),
        ("success", FAILS, False),
        ("failure", PASSES, False),
        ("failure", WARNS, True),
        ("critical", WARNS, False),
        ("critical", FAILS, True),
        ("warning", WARNS, True),
    ],
)
def test_notify_on_means_what_it_means_to_great_expectations(
    rig: Rig, hook: Webhook, notify_on: str, expected: Expectation, *, is_told: bool
) -> None:
    """What is not due is said to be so, and asks for no connection."""
    if not is_told:
        rig.connections.clear()
    told = replace(SLACK, arguments={"notify_on": notify_on})
    result = rig.publish(told, expected=expected)
    assert len(hook.posted) == is_told
    assert outcomes(result) == [("tell", "done" if is_told else "not due", None)]


@pytest.mark.parametrize("kind", ["comparison", "column"])
def test_no_success_is_told_where_something_else_refused(rig: Rig, hook: Webhook, kind: str) -> None:
    """A comparison, or a column that is gone, is none of the library's expectations; its messages count them."""
    seen = FailedExpectation(expectation="leak", column="age", observed="tells the label", severity="critical")
    told = replace(SLACK, arguments={"notify_on": "critical"})
    if kind == "comparison":
        rig.publish(told, expected=PASSES, failures=(seen,), besides=("leak", "future"))
    else:
        rig.publish(told, expected=expect("height", min_value=0))
    ((_, said),) = hook.posted
    assert "Failure" in str(said)
    assert {"comparison": "*2* of *3*", "column": "*0* of *1*"}[kind] in str(said)


def test_comparisons_that_are_met_are_counted(rig: Rig, hook: Webhook) -> None:
    """Two of them, beside one expectation."""
    rig.publish(SLACK, expected=PASSES, besides=("leak", "future"))
    assert "*3* of *3* Expectations were met" in str(hook.posted)
    assert "Success" in str(hook.posted)


@pytest.mark.parametrize("told", [SLACK, TEAMS])
def test_an_answer_that_is_an_error_is_an_outcome_and_keeps_the_address(
    rig: Rig, hook: Webhook, told: Action, caplog: pytest.LogCaptureFixture
) -> None:
    """The library logs it, with the webhook's address, and goes on as if nothing were; here it is told without."""
    hook.status = 404
    result = rig.publish(told, replace(SLACK, name="other"))
    ((_, outcome, why), _) = outcomes(result)
    assert outcome == "failed"
    assert "returned error 404" in str(why)
    assert len(hook.posted) == 2
    for text in (str(result), rig.page(result), caplog.text):
        assert "hush" not in text
    assert "<td>failed</td>" in rig.page(result)


def test_a_server_that_is_not_there_is_an_outcome(rig: Rig) -> None:
    """For a message and for a letter."""
    with closing(socket.socket()) as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    rig.connections["alerts"] = {"password": f"http://127.0.0.1:{port}{PATH}"}
    rig.connections["smtp"] |= {"port": port}
    slack, letter = outcomes(rig.publish(SLACK, replace(EMAIL, name="mail")))
    assert slack == ("tell", "failed", "Failed to connect to Slack webhook after 10 retries.")
    assert letter[:2] == ("mail", "failed")
    assert "refused" in str(letter[2])


def test_a_server_that_does_not_answer_is_waited_for_so_long(
    rig: Rig, hook: Webhook, caplog: pytest.LogCaptureFixture
) -> None:
    """The library would wait for ever; the next action has its turn, and what comes late says nothing secret."""
    caplog.set_level(logging.WARNING)
    hook.answers.clear()
    rig.seconds = 1.0
    began_at = time.monotonic()
    result = rig.publish(SLACK, EMAIL)
    assert time.monotonic() - began_at < 10
    assert [each.outcome for each in result.actions] == ["failed", "done"]
    assert "no answer within 1 s; it may have been sent or not" in str(result.actions[0].why)
    assert "hush" not in caplog.text


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_password_that_is_not_let_in_is_an_outcome_and_is_not_told(rig: Rig, post: Mail) -> None:
    """The library leaves its connection to the garbage collector then."""
    post.password = "another"
    ((_, outcome, why),) = outcomes(rig.publish(EMAIL))
    assert (outcome, why) == ("failed", "Failed to authenticate to the SMTP server at address: 127.0.0.1")
    assert post.letters == []
    gc.collect()


def test_a_connection_that_is_not_there_is_an_outcome(rig: Rig, hook: Webhook) -> None:
    """With where to add it; the other action is taken."""
    lost = action("slack", name="lost", of={"slack_webhook": "nowhere"})
    first, second = outcomes(rig.publish(lost, SLACK))
    assert first == (
        "lost",
        "failed",
        "there is no connection nowhere. Add it in Airflow, under Admin, Connections.",
    )
    assert second[1] == "done"
    assert len(hook.posted) == 1


def test_an_action_whose_package_is_not_installed_is_an_outcome(rig: Rig) -> None:
    """PagerDuty's is none that Flightworthy asks for."""
    pager = action("pagerduty", of={"api_key": "alerts", "routing_key": "alerts"})
    ((_, outcome, why),) = outcomes(rig.publish(pager))
    assert outcome == "failed"
    assert "pypd" in str(why)


def test_an_action_of_the_page_leaves_the_pages_of_others(rig: Rig) -> None:
    """The library's own would remove the page of every result that it does not hold."""
    first = rig.publish(PAGE)
    second = GxSuites(reports=rig.reports)
    result = second.validate(rig.rows, [FAILS], engine="duckdb", model="shop", key="2026-02", now=NOW)
    second.publish(result, [PAGE])
    assert rig.page(first)


def test_outside_of_airflow_no_connection_is_known(rig: Rig) -> None:
    """And no action that needs one is taken."""
    suites = GxSuites(reports=rig.reports)
    result = suites.validate(rig.rows, [FAILS], engine="duckdb", model="shop", key=KEY, now=NOW)
    ((_, outcome, why),) = outcomes(suites.publish(result, [SLACK]))
    assert (outcome, why) == ("failed", "connection alerts is known inside Airflow only")
