"""A checkpoint as Great Expectations saves it, of which the actions are taken: ``checkpoint.json`` beside the suite.

Which data is validated and against what the model says itself, so that names, ids and validation definitions are passed
over. ``${conn_id}`` stands for what a connection has; nothing secret may stand in the file.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from flightworthy.expectations.checkpoint import ACTIONS, UNABLE, Action, Argument
from flightworthy.spec.reading import did_you_mean, spec_error
from flightworthy.spec.written import At, Problem, Written

__all__ = ["ADVICE", "FILE", "actions_from"]

FILE: Final = "checkpoint.json"
ADVICE: Final = "keep it in an Airflow connection, and write ${conn_id} with the connection's id"
_KEYS: Final = ("actions", "result_format", "name", "id", "validation_definitions")
_OF_EACH: Final = ("type", "name")
_OF_BEFORE: Final = frozenset({"action_list", "action", "class_name", "config_version"})
_FORMATS: Final = ("BASIC", "SUMMARY")
_REFERENCE: Final = re.compile(r"\$\{(?P<conn_id>[\w.:-]+)\}")
_THEIRS: Final = "great_expectations.render.renderer"


def actions_from(written: Written, *, folder: Path) -> tuple[Action, ...]:
    """The actions of a file that was read; raises `SpecError` with the line of everything that is wrong."""
    problems = [*written.problems, *_problems(written)]
    if problems:
        raise spec_error(written.file, problems, folder=folder)
    return tuple(_action(said) for said in written.values["actions"])


def _action(said: Mapping[str, Any]) -> Action:
    known = ACTIONS[said["type"]]
    given = {key: said[key] for key in known if said.get(key) is not None}
    references = {key: found["conn_id"] for key, value in given.items() if (found := _reference(known[key], value))}
    arguments = {key: value for key, value in given.items() if key not in references}
    return Action(type=said["type"], name=said["name"], arguments=arguments, references=references)


def _reference(argument: Argument, value: Any) -> re.Match[str] | None:
    return _REFERENCE.fullmatch(value) if argument.part is not None and isinstance(value, str) else None


def _problems(written: Written) -> Iterator[Problem]:
    values = written.values
    if not isinstance(values, Mapping) or not isinstance(values.get("actions"), list):
        message = "has no list of actions; save a checkpoint with Great Expectations 1.x, `context.checkpoints.add(…)`"
        yield written.problem((), message, show=False)
        return
    for key in values:
        if key not in _KEYS:
            yield written.problem((key,), _unknown(key, _KEYS), show=False)
    if (said := values.get("result_format")) is not None and said not in _FORMATS:
        message = f"is not how results are told here, with five examples at most; write {_FORMATS[0]} or leave it out"
        yield written.problem(("result_format",), message, show=False)
    for place, said in enumerate(values["actions"]):
        if isinstance(said, Mapping):
            yield from _problems_of(written, ("actions", place), said)
        else:
            yield written.problem(("actions", place), 'must be {"type": …, "name": …}')


def _unknown(key: str, known: tuple[str, ...]) -> str:
    if key in _OF_BEFORE:
        return 'is the form of before 1.0; an action is {"type": "slack", "name": …} now, its arguments beside them'
    return f"unknown key{did_you_mean(key, known)}"


def _problems_of(written: Written, at: At, said: Mapping[str, Any]) -> Iterator[Problem]:
    if not isinstance(said.get("name"), str):
        yield written.problem((*at, "name"), "must be text; messages and the log name the action by it")
    known = ACTIONS.get(str(said.get("type")))
    if known is None:
        yield written.problem((*at, "type"), _no_action(said.get("type")))
        yield from (written.problem((*at, key), _unknown(key, ()), show=False) for key in said if key in _OF_BEFORE)
        return
    for key, value in said.items():
        if key in _OF_EACH or (*at, key) in written.unknown:
            continue
        if key not in known:
            yield written.problem((*at, key), _unknown(key, (*_OF_EACH, *known)), show=False)
        elif value is not None and (why := _wrong(known[key], value)):
            yield written.problem((*at, key), why, show=not known[key].is_secret)
    given = {key for key in known if said.get(key) is not None or (*at, key) in written.unknown}
    yield from (
        written.problem((*at, key), "is missing", show=False)
        for key, argument in known.items()
        if argument.is_required and key not in given
    )
    yield from _problems_together(written, at, said, given)


def _no_action(kind: object) -> str:
    if kind is None:
        return f"is missing; known are {', '.join(ACTIONS)}"
    if kind in UNABLE:
        return f"{UNABLE[str(kind)]}; use another one"
    # People know them by the names of their classes, too.
    plain = str(kind).lower().replace("_", "")
    named = next((name for name in ACTIONS if name.replace("_", "") in plain), None)
    hint = f"; did you mean {named}?" if named else did_you_mean(str(kind), tuple(ACTIONS))
    return f"is no action of Great Expectations{hint}"


def _wrong(argument: Argument, value: Any) -> str | None:
    """Why an argument is refused; None where it is well."""
    if argument.kind == "flag":
        return None if isinstance(value, bool) else "must be true or false"
    if argument.kind == "texts":
        of_text = isinstance(value, list) and all(isinstance(each, str) for each in value)
        return None if of_text else "must be a list of texts"
    if argument.kind == "choice":
        hint = did_you_mean(str(value), argument.choices, listed=True)
        return None if value in argument.choices else f"must be one of {', '.join(argument.choices)}{hint}"
    if argument.kind == "renderer":
        return None if _is_theirs(argument, value) else f"must be the library's own {argument.choices[0]}, or left out"
    return _wrong_text(argument, value)


def _wrong_text(argument: Argument, value: Any) -> str | None:
    if _reference(argument, value):
        return None
    if argument.is_secret:
        return f"is a secret in a file; {ADVICE}"
    if argument.part == "port":
        return None if type(value) is int or str(value).isdecimal() else "must be a number, or ${conn_id}"
    if not isinstance(value, str) or not value:
        return "must be text"
    if "$" in value:
        return "must be ${conn_id} and nothing else" if argument.part else "refers to nothing here; write it out"
    return None


def _is_theirs(argument: Argument, value: Any) -> bool:
    """Another renderer is code that a file would have imported."""
    if not isinstance(value, Mapping) or not value.keys() <= {"class_name", "module_name"}:
        return False
    module = value.get("module_name") or _THEIRS
    return value.get("class_name") in argument.choices and str(module).startswith(_THEIRS)


def _problems_together(written: Written, at: At, said: Mapping[str, Any], given: set[str]) -> Iterator[Problem]:
    if said["type"] == "slack" and given & {"slack_webhook", "slack_token", "slack_channel"} not in (
        {"slack_webhook"},
        {"slack_token", "slack_channel"},
    ):
        yield written.problem(at, "must have either slack_webhook, or slack_token and slack_channel", show=False)
    password = said.get("sender_password")
    if password is not None and said.get("smtp_address") != password:
        message = "must be the sender_password's connection: a password goes to the host that its connection names"
        yield written.problem((*at, "smtp_address"), message, show=False)
