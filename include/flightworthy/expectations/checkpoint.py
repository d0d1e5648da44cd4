"""Actions: what Great Expectations does with a result once it stands, what each takes, and what became of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal
from urllib.parse import urlsplit

from flightworthy.errors import Refused

__all__ = ["ACTIONS", "UNABLE", "Action", "ActionOutcome", "Argument", "Connection", "Connections", "Outcome", "Part"]

Part = Literal["webhook", "host", "port", "login", "password"]
"""What of a connection stands for a reference. A webhook is the password: its URL, or what follows the host's."""

Outcome = Literal["done", "not due", "failed"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Argument:
    """What an action takes under one name."""

    kind: Literal["text", "texts", "flag", "choice", "renderer"] = "text"
    choices: tuple[str, ...] = ()
    part: Part | None = None
    """Of a connection, where it may be a reference to one."""
    is_secret: bool = False
    """Then it must be a reference."""
    is_required: bool = False


_TEXT: Final = Argument()
_TEXTS: Final = Argument(kind="texts")
_FLAG: Final = Argument(kind="flag")
_NOTIFY_ON: Final = Argument(kind="choice", choices=("all", "success", "failure", "info", "warning", "critical"))


def _renderer(name: str) -> Argument:
    return Argument(kind="renderer", choices=(name,))


def _secret(part: Part, *, is_required: bool = False) -> Argument:
    return Argument(part=part, is_secret=True, is_required=is_required)


ACTIONS: Final[Mapping[str, Mapping[str, Argument]]] = {
    "slack": {
        "slack_webhook": _secret("webhook"),
        "slack_token": _secret("password"),
        "slack_channel": _TEXT,
        "notify_on": _NOTIFY_ON,
        "notify_with": _TEXTS,
        "show_failed_expectations": _FLAG,
        "renderer": _renderer("SlackRenderer"),
    },
    "microsoft": {
        "teams_webhook": _secret("webhook", is_required=True),
        "notify_on": _NOTIFY_ON,
        "renderer": _renderer("MicrosoftTeamsRenderer"),
    },
    "email": {
        "smtp_address": Argument(part="host", is_required=True),
        "smtp_port": Argument(part="port", is_required=True),
        "receiver_emails": Argument(is_required=True),
        "sender_login": Argument(part="login"),
        "sender_password": _secret("password"),
        "sender_alias": Argument(part="login"),
        "use_tls": _FLAG,
        "use_ssl": _FLAG,
        "notify_on": _NOTIFY_ON,
        "notify_with": _TEXTS,
        "renderer": _renderer("EmailRenderer"),
    },
    "opsgenie": {
        "api_key": _secret("password", is_required=True),
        "region": Argument(kind="choice", choices=("eu", "EU")),
        "priority": Argument(kind="choice", choices=("P1", "P2", "P3", "P4", "P5")),
        "notify_on": _NOTIFY_ON,
        "tags": _TEXTS,
        "renderer": _renderer("OpsgenieRenderer"),
    },
    "pagerduty": {
        "api_key": _secret("password", is_required=True),
        "routing_key": _secret("password", is_required=True),
        "notify_on": _NOTIFY_ON,
        "severity": Argument(kind="choice", choices=("critical", "error", "warning", "info")),
    },
    "update_data_docs": {"site_names": _TEXTS},
}
"""Great Expectations' actions by ``type``, each with its arguments."""

UNABLE: Final[Mapping[str, str]] = {
    "api": "cannot send anything in Great Expectations 1.24: its own request fails on every result",
    "sns": (
        "publishes in Great Expectations 1.24 what Amazon SNS takes for no message (text where an object with a "
        "default is asked for)"
    ),
}
"""Actions that the library has, and that do not work."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Action:
    """One action as its author wrote it."""

    type: str
    name: str
    arguments: Mapping[str, Any]
    references: Mapping[str, str]
    """Arguments that a connection has the value of, and its id."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ActionOutcome:
    """What became of an action."""

    name: str
    outcome: Outcome
    why: str | None
    """Why it failed, without any secret; of one that was done what the library remarked."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Connection:
    """Where an action's address and its secrets are."""

    conn_id: str
    host: str | None
    port: int | None
    login: str | None
    password: str | None = field(repr=False)

    def part(self, part: Part) -> str:
        """Raises `Refused` where the connection does not say it."""
        found = self._webhook() if part == "webhook" else getattr(self, part)
        if not found:
            raise Refused(
                f"connection {self.conn_id} has no {'password' if part == 'webhook' else part}. "
                "Add it in Airflow, under Admin, Connections.",
                conn_id=self.conn_id,
                part=part,
            )
        return str(found)

    @property
    def secrets(self) -> tuple[str, ...]:
        """What no message may repeat; of a webhook's URL a library also tells the path alone."""
        if not self.password:
            return ()
        parts = urlsplit(self.password)
        return (self.password, parts.path) if parts.netloc and len(parts.path) > 1 else (self.password,)

    def _webhook(self) -> str | None:
        if not self.password or "://" in self.password:
            return self.password
        if not self.host:
            raise Refused(
                f"connection {self.conn_id} has no host, and its password is no whole URL. Make its password the "
                "webhook's URL, or its host https://hooks.slack.com/services and its password what follows.",
                conn_id=self.conn_id,
            )
        host = self.host if "://" in self.host else f"https://{self.host}"
        return f"{host.rstrip('/')}/{self.password.lstrip('/')}"


Connections = Callable[[str], Connection]
"""Find a connection by its id. Raises `Refused` where there is none."""
