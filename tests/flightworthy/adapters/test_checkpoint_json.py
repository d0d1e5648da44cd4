"""A checkpoint that somebody has already, as Great Expectations saves it; nothing secret may stand in it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from flightworthy.adapters.spec_files.suites import load_suite
from flightworthy.errors import Refused, SpecError
from flightworthy.expectations import ACTIONS, Action, Connection
from flightworthy.expectations.checkpoint import UNABLE

SLACK = {"type": "slack", "name": "tell", "slack_webhook": "${alerts}"}
EMAIL = {
    "type": "email", "name": "write", "smtp_address": "${smtp}", "smtp_port": "${smtp}",
    "receiver_emails": "a@b.example",
}  # fmt: skip
OF_SMTP = ("smtp_address", "smtp_port", "sender_login", "sender_password", "sender_alias")


@pytest.fixture
def drop_in(tmp_path: Path) -> Any:
    """Put a checkpoint.json into a folder and read its actions."""

    def drop_in(said: object) -> tuple[Action, ...]:
        text = said if isinstance(said, str) else json.dumps(said, indent=2)
        (tmp_path / "suite.yaml").write_text("expectations: []\n")
        (tmp_path / "checkpoint.json").write_text(text)
        return load_suite(tmp_path, {"alerts": "of the environment"}).actions

    return drop_in


def test_what_great_expectations_saves_is_read(drop_in: Any, tmp_path: Path) -> None:
    """The very library writes the file, with every default and null that it knows."""
    import great_expectations as gx
    from great_expectations import checkpoint as theirs

    context = gx.get_context(mode="file", project_root_dir=tmp_path / "theirs")
    data = context.data_sources.add_pandas("p").add_dataframe_asset("a").add_batch_definition_whole_dataframe("w")
    suite = context.suites.add(gx.ExpectationSuite(name="mine"))
    validation = context.validation_definitions.add(gx.ValidationDefinition(name="v", data=data, suite=suite))
    actions = [
        theirs.UpdateDataDocsAction(name="docs", site_names=["local_site"]),
        theirs.SlackNotificationAction(name="hook", slack_webhook="${alerts}", notify_with=["local_site"]),
        theirs.SlackNotificationAction(name="bot", slack_token="${slack-bot}", slack_channel="#", notify_on="critical"),
        theirs.MicrosoftTeamsNotificationAction(name="teams", teams_webhook="${teams}"),
        theirs.EmailAction(
            name="mail", smtp_address="${smtp}", smtp_port="${smtp}", receiver_emails="a@b.example",
            sender_login="${smtp}", sender_password="${smtp}", use_tls=True,
        ),
        theirs.OpsgenieAlertAction(name="ops", api_key="${ops.genie}", region="eu", priority="P1", tags=["data"]),
        theirs.actions.PagerdutyAlertAction(name="page", api_key="${pager}", routing_key="${route}"),
    ]  # fmt: skip
    context.checkpoints.add(gx.Checkpoint(name="c", validation_definitions=[validation], actions=actions))
    (saved,) = (tmp_path / "theirs").rglob("checkpoints/*.json")

    read = drop_in(saved.read_text())
    assert [(each.type, each.name, dict(each.references)) for each in read] == [
        ("update_data_docs", "docs", {}),
        ("slack", "hook", {"slack_webhook": "alerts"}),
        ("slack", "bot", {"slack_token": "slack-bot"}),
        ("microsoft", "teams", {"teams_webhook": "teams"}),
        ("email", "mail", dict.fromkeys(OF_SMTP, "smtp")),
        ("opsgenie", "ops", {"api_key": "ops.genie"}),
        ("pagerduty", "page", {"api_key": "pager", "routing_key": "route"}),
    ]
    assert read[2].arguments["notify_on"] == "critical"
    assert read[4].arguments["use_tls"] is True


def test_the_known_actions_are_those_of_the_library_with_all_their_arguments() -> None:
    """One that a new version drops, adds or changes shows here."""
    from great_expectations.checkpoint.actions import _VALIDATION_ACTION_REGISTRY

    theirs = dict(_VALIDATION_ACTION_REGISTRY._registered_actions)
    assert theirs.keys() == ACTIONS.keys() | UNABLE.keys()
    for name, known in ACTIONS.items():
        fields = theirs[name].__fields__
        assert known.keys() == fields.keys() - {"type", "name"}
        assert {key for key, each in known.items() if each.is_required} == {
            key for key, each in fields.items() if each.required and key != "name"
        }
        for key, each in known.items():
            if each.kind == "choice" and key != "region":
                assert each.choices == fields[key].outer_type_.__args__


def test_the_api_action_of_the_library_sends_nothing() -> None:
    """That is why it is refused; this fails once a version has mended it."""
    from great_expectations.checkpoint.actions import APINotificationAction

    with pytest.raises(ValueError, match="too many values to unpack"):
        APINotificationAction(name="x", url="http://127.0.0.1:9").send_results([{"a": 1, "b": 2, "c": 3}])


def one(of: dict[str, Any], **said: Any) -> dict[str, Any]:
    return {"actions": [{**of, **said}]}


@pytest.mark.parametrize(
    "said, told",
    [
        ("[]", "checkpoint.json:1: has no list of actions"),
        ({"actions": [], "action_list": []}, "action_list: is the form of before 1.0"),
        (
            {"actions": [{"name": "x", "action": {"class_name": "SlackNotificationAction"}}]},
            "actions[0].action: is the form of before 1.0",
        ),
        ({"actions": [], "resultformat": 1}, "resultformat: unknown key; did you mean result_format?"),
        ({"actions": [], "result_format": "COMPLETE"}, "checkpoint.json:3: result_format: is not how results are told"),
        ({"actions": [], "result_format": {"result_format": "BASIC"}}, "result_format: is not how results are told"),
        ({"actions": [7]}, 'actions[0]=7: must be {"type": …, "name": …}'),
        (one(SLACK, type="slak"), "actions[0].type=slak: is no action of Great Expectations; did you mean slack?"),
        (one(SLACK, type="SlackNotificationAction"), "did you mean slack?"),
        (one(SLACK, type=None), "actions[0].type=null: is missing; known are slack, microsoft"),
        (one(SLACK, type="api"), "cannot send anything in Great Expectations 1.24"),
        (one(SLACK, type="sns"), "use another one"),
        (one(SLACK, name=None), "actions[0].name=null: must be text"),
        (one(SLACK, slack_webook="x"), "actions[0].slack_webook: unknown key; did you mean slack_webhook?"),
        (one(SLACK, notify_on="criticl"), "notify_on=criticl: must be one of all, success, failure, info, warning"),
        (one(SLACK, notify_on="criticl"), "did you mean critical?"),
        (one(SLACK, show_failed_expectations="yes"), "must be true or false"),
        (one(SLACK, notify_with="local_site"), "must be a list of texts"),
        (one(SLACK, slack_channel="#a"), "must have either slack_webhook, or slack_token and slack_channel"),
        (one(SLACK, slack_webhook=None), "actions[0]: must have either slack_webhook, or slack_token"),
        (one(SLACK, slack_webhook="${a}${b}"), "slack_webhook: is a secret in a file"),
        (
            one(SLACK, renderer={"class_name": "Mine", "module_name": "mine"}),
            "must be the library's own SlackRenderer, or left out",
        ),
        (
            one(SLACK, renderer={"class_name": "SlackRenderer", "module_name": "mine"}),
            "must be the library's own SlackRenderer, or left out",
        ),
        (one({"type": "microsoft", "name": "x"}), "actions[0].teams_webhook: is missing"),
        (one(EMAIL, smtp_port="smtp"), "smtp_port=smtp: must be a number, or ${conn_id}"),
        (one(EMAIL, smtp_address="${a}.example"), "smtp_address=${a}.example: must be ${conn_id} and nothing else"),
        (one(EMAIL, receiver_emails="${team}"), "receiver_emails=${team}: refers to nothing here; write it out"),
        (one(EMAIL, receiver_emails=["a@b.example"]), 'receiver_emails=["a@b.example"]: must be text'),
        (
            one(EMAIL, sender_password="${warehouse}"),
            "smtp_address: must be the sender_password's connection: a password goes to the host that its connection",
        ),
        (
            one(EMAIL, smtp_address="mail.example", sender_password="${smtp}"),
            "smtp_address: must be the sender_password's connection",
        ),
        (one({"type": "opsgenie", "name": "x", "api_key": "${a}"}, region="evil.example/"), "must be one of eu, EU"),
        (one({"type": "update_data_docs", "name": "x"}, site_names=[1]), "must be a list of texts"),
    ],
)
def test_what_is_wrong_is_named_with_its_line(drop_in: Any, said: object, told: str) -> None:
    """By the file's own names, and with what was meant."""
    with pytest.raises(SpecError) as caught:
        drop_in(said)
    assert told in str(caught.value)


SECRETS = [
    (SLACK, "slack_webhook", "https://hooks.slack.com/services/T000/B000/hush"),
    ({"type": "slack", "name": "x", "slack_channel": "#a"}, "slack_token", "xoxb-1234567890-hush"),
    ({"type": "microsoft", "name": "x"}, "teams_webhook", "https://x.webhook.office.com/hush"),
    ({**EMAIL, "sender_login": "me"}, "sender_password", "hush"),
    ({"type": "opsgenie", "name": "x"}, "api_key", "hush"),
    ({"type": "pagerduty", "name": "x", "routing_key": "${a}"}, "api_key", "hush"),
    ({"type": "pagerduty", "name": "x", "api_key": "${a}"}, "routing_key", "hush"),
]


@pytest.mark.parametrize("action, key, secret", SECRETS)
def test_a_secret_in_the_file_is_refused_and_not_repeated(
    drop_in: Any, action: dict[str, Any], key: str, secret: str
) -> None:
    """By file, line and key, with where it belongs; and by nothing else."""
    said = json.dumps({"actions": [{**action, key: secret}]}, indent=2)
    line = next(number for number, text in enumerate(said.splitlines(), start=1) if f'"{key}"' in text)
    with pytest.raises(SpecError) as caught:
        drop_in(said)
    (problem,) = caught.value.facts["problems"]
    assert problem.startswith(f"checkpoint.json:{line}: actions[0].{key}: ")
    assert problem.endswith("keep it in an Airflow connection, and write ${conn_id} with the connection's id")
    assert "hush" not in str(caught.value)


def connection(**said: Any) -> Connection:
    return Connection(**{"conn_id": "c", "host": None, "port": None, "login": None, "password": None, **said})


@pytest.mark.parametrize(
    "said, url",
    [
        ({"password": "https://hooks.example/T/B/X"}, "https://hooks.example/T/B/X"),
        ({"host": "https://hooks.slack.com/services/", "password": "/T/B/X"}, "https://hooks.slack.com/services/T/B/X"),
        ({"host": "hooks.slack.com/services", "password": "T/B/X"}, "https://hooks.slack.com/services/T/B/X"),
    ],
)
def test_a_webhook_is_a_whole_url_or_what_follows_the_host(said: dict[str, Any], url: str) -> None:
    """As Airflow's own connections to Slack say it."""
    assert connection(**said).part("webhook") == url


@pytest.mark.parametrize(
    "said, part, told",
    [
        ({}, "webhook", "connection c has no password"),
        ({"password": "T/B/X"}, "webhook", "connection c has no host, and its password is no whole URL"),
        ({"host": "h"}, "port", "connection c has no port"),
    ],
)
def test_what_a_connection_does_not_say_is_named(said: dict[str, Any], part: Any, told: str) -> None:
    """With where to say it."""
    with pytest.raises(Refused, match=told):
        connection(**said).part(part)


def test_a_connection_does_not_show_its_password() -> None:
    """And knows in which forms others may tell it."""
    said = connection(password="https://hooks.example/T/B/X")
    assert "T/B/X" not in repr(said)
    assert said.secrets == ("https://hooks.example/T/B/X", "/T/B/X")
    assert connection(password="x").secrets == ("x",)
    assert connection().secrets == ()
