"""Takes a checkpoint's actions, by Great Expectations' own classes, one after another and each within a time.

The library's checkpoint would end with the first that raises, wait for ever for a server that does not answer, and
leave word of others in a log alone. Here each has an outcome.
"""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

from great_expectations.checkpoint import actions as theirs
from great_expectations.checkpoint.checkpoint import CheckpointResult

from flightworthy.errors import Refused
from flightworthy.expectations import ACTIONS, Action, ActionOutcome, Connections

__all__ = ["Surroundings", "take"]

_LINKS: Final = "update_data_docs"
_LEFT_OUT: Final = frozenset({"notify_with", "renderer"})
"""There is one site, and each renderer is the library's."""
_SENT: Final[dict[str, object]] = {
    "slack": "Slack notification succeeded.",
    "microsoft": "Microsoft Teams notification succeeded.",
    "email": "success",
    "opsgenie": True,
    "pagerduty": "success",
}
_CLASSES: Final[dict[str, Any]] = {
    "slack": theirs.SlackNotificationAction,
    "microsoft": theirs.MicrosoftTeamsNotificationAction,
    "email": theirs.EmailAction,
    "opsgenie": theirs.OpsgenieAlertAction,
    "pagerduty": theirs.PagerdutyAlertAction,
}
_MASK: Final = "[masked]"


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What actions need besides a result."""

    context: Any
    connections: Connections
    links: Any
    """Addresses of the result's pages, as the library's own action of Data Docs would tell the others."""
    seconds: float
    """How long each may take."""


def take(actions: Sequence[Action], ran: CheckpointResult, around: Surroundings) -> tuple[ActionOutcome, ...]:
    """Take each of ``actions``; what becomes of one keeps no other from being taken, and raises nothing."""
    known = theirs.ActionContext()
    if any(each.type == _LINKS for each in actions):
        # The page stands already: by its own action the library would remove those of all other results.
        known.update(theirs.UpdateDataDocsAction(name=_LINKS), around.links)
    return tuple(_taken(each, ran, known, around) for each in actions)


def _taken(action: Action, ran: CheckpointResult, known: Any, around: Surroundings) -> ActionOutcome:
    if action.type == _LINKS:
        return ActionOutcome(name=action.name, outcome="done", why=None)
    if not _is_due(action, ran):
        return ActionOutcome(name=action.name, outcome="not due", why=None)
    secrets: list[str] = []
    remarks: list[str] = []
    try:
        built = _built(action, around, secrets)
        answer = _within(around.seconds, lambda: _run(built, ran, known, remarks))
    except Exception as error:  # noqa: BLE001 # whatever an action raises is its outcome
        why = _why(error)
    else:
        if answer == _SENT[action.type]:
            return ActionOutcome(name=action.name, outcome="done", why=_masked("; ".join(remarks), secrets) or None)
        why = remarks[-1] if remarks else f"Great Expectations answered {answer!r}"
    return ActionOutcome(name=action.name, outcome="failed", why=_masked(why, secrets))


def _is_due(action: Action, ran: CheckpointResult) -> bool:
    (result,) = ran.run_results.values()
    usual = _CLASSES[action.type].__fields__["notify_on"].default
    notify_on = action.arguments.get("notify_on", usual)
    severity = result.get_max_severity_failure()
    return theirs.should_notify(success=bool(ran.success), notify_on=notify_on, max_severity=severity)


def _built(action: Action, around: Surroundings, secrets: list[str]) -> Any:
    """The library's action, with what its connections say; every secret among it is added to ``secrets``."""
    given = {name: value for name, value in action.arguments.items() if name not in _LEFT_OUT}
    values = {}
    for name, conn_id in action.references.items():
        connection = around.connections(conn_id)
        secrets += connection.secrets
        values[f"{name} of {conn_id}"] = connection.part(ACTIONS[action.type][name].part or "password")
    placeholders = {name: f"{name} of {conn_id}" for name, conn_id in action.references.items()}
    built = _CLASSES[action.type](name=action.name, **given, **placeholders)
    # Behind its validation, which takes a password with a $ in it for a reference to the environment.
    for name in built.__fields__:
        if (value := getattr(built, name)) in placeholders.values():
            setattr(built, name, values[value])
    built._data_context = around.context  # noqa: SLF001 # as the library's checkpoint does
    return built


def _masked(text: str, secrets: Sequence[str]) -> str:
    for secret in secrets:
        text = text.replace(secret, _MASK)
    return " ".join(text.split())


def _why(error: Exception) -> str:
    if isinstance(error, Refused):
        return error.message
    return f"{type(error).__name__}: {error}"


def _run(action: Any, ran: CheckpointResult, known: Any, remarks: list[str]) -> Any:
    with _heard(remarks):
        return next(iter(action.run(checkpoint_result=ran, action_context=known).values()))


@contextmanager
def _heard(remarks: list[str]) -> Iterator[None]:
    """Collect what the library logs in this thread of its actions; it writes a webhook's address there, too."""
    thread = threading.get_ident()

    def hear(record: logging.LogRecord) -> bool:
        if record.thread != thread:
            return True
        remarks.append(record.getMessage())
        return False

    theirs.logger.addFilter(hear)
    try:
        yield
    finally:
        theirs.logger.removeFilter(hear)


def _within(seconds: float, run: Any) -> Any:
    """What ``run`` returns or raises. One that does not end in time is left behind, and ends with the process."""
    answers: queue.SimpleQueue[tuple[Any, Exception | None]] = queue.SimpleQueue()

    def work() -> None:
        try:
            answers.put((run(), None))
        except Exception as error:  # noqa: BLE001 # raised below
            answers.put((None, error))

    threading.Thread(target=work, daemon=True, name="flightworthy-action").start()
    try:
        answer, raised = answers.get(timeout=seconds)
    except queue.Empty:
        raise TimeoutError(f"no answer within {seconds:g} s; it may have been sent or not") from None
    if raised is not None:
        raise raised
    return answer
