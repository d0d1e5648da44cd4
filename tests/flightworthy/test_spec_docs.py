"""What is written about model.yaml and the command line is complete, and says what the code does."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import pytest
from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from flightworthy.cli.answers import Exit
from flightworthy.cli.main import COMMANDS, parser
from flightworthy.expectations import ACTIONS, EXPECTATIONS
from flightworthy.spec import METRICS, Spec

DOCS = Path(__file__).parents[2] / "docs"
REFERENCE = (DOCS / "model-yaml.md").read_text(encoding="utf-8")
COMMAND_LINE = (DOCS / "command-line.md").read_text(encoding="utf-8")
SHARES = (
    "dataset.validation", "dataset.holdout", "drift.drifted_share", "release.max_error_rate", "release.max_slowdown",
    "release.max_flip_rate", "release.shadow.max_flip_rate",
)  # fmt: skip
MARKS = {"features": ".*", "gates": "[]", "columns": ".*"}


def keys(section: type[BaseModel], prefix: str = "") -> Iterator[tuple[str, FieldInfo]]:
    """Every key of model.yaml as the reference writes it, sections themselves left out."""
    for name, field in section.model_fields.items():
        inner = next(models(field.annotation), None)
        path = f"{prefix}{name}"
        if name == "folder":
            continue
        if inner is None or name in {"approval", "complete", "event_time", "known_since", "shadow", *MARKS}:
            yield path, field
        if inner is not None:
            yield from keys(inner, f"{path}{MARKS.get(name, '')}.")


def models(annotation: Any) -> Iterator[type[BaseModel]]:
    """The section inside an annotation."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for inner in get_args(annotation):
        yield from models(inner)


def row(key: str) -> list[str]:
    """The reference's table row about a key: key, default, meaning."""
    (found,) = re.findall(rf"^\| `{re.escape(key)}` \| (.*) \| (.*) \|$", REFERENCE, re.MULTILINE)
    return list(found)


@pytest.mark.parametrize("key", [key for key, _ in keys(Spec)])
def test_every_key_of_model_yaml_is_in_the_reference(key: str) -> None:
    """Once, with a default and a meaning."""
    default, meaning = row(key)
    assert default
    assert meaning


@pytest.mark.parametrize("key, field", [(key, field) for key, field in keys(Spec) if field.is_required()])
def test_required_keys_are_called_required(key: str, field: FieldInfo) -> None:
    """And no others."""
    assert row(key)[0] == "required"


@pytest.mark.parametrize("key, field", [(key, field) for key, field in keys(Spec) if not field.is_required()])
def test_defaults_in_the_reference_are_those_of_the_code(key: str, field: FieldInfo) -> None:
    """A reader relies on them."""
    assert row(key)[0].strip('`"') == written(key, field)


def written(key: str, field: FieldInfo) -> str:
    """A default as the reference writes it."""
    default = field.get_default(call_default_factory=True, validated_data={})
    assert default is not PydanticUndefined
    if default in (None, (), {}, ""):
        return {"description": "empty", "features.*.values": "any"}.get(key, "none")
    if isinstance(default, bool):
        return str(default).lower()
    if key in SHARES:
        return f"{default:.0%}"
    return f"[{', '.join(map(str, default))}]" if isinstance(default, tuple) else str(default)


def test_no_key_is_in_the_reference_that_is_not_in_the_code() -> None:
    """What was removed from the code is removed from the docs."""
    told = set(re.findall(r"^\| `([a-z0-9_.*\[\]]+)` \|", REFERENCE.partition("## suite.yaml")[0], re.MULTILINE))
    assert told == {key for key, _ in keys(Spec)}


def test_every_metric_and_every_expectation_is_named() -> None:
    """An error message sends its reader here."""
    assert [name for name in (*METRICS, *EXPECTATIONS) if f"`{name}`" not in REFERENCE] == []


def test_every_action_and_every_argument_of_it_is_named() -> None:
    """In its own row, in bold where it is a secret."""
    rows = {name: row for row in REFERENCE.splitlines() for name in ACTIONS if row.startswith(f"| `{name}`")}
    marks = {True: "**`{}`**", False: "`{}`"}
    missing = [
        (action, name)
        for action, arguments in ACTIONS.items()
        for name, argument in arguments.items()
        if marks[argument.is_secret].format(name) not in rows[action]
    ]
    assert missing == []


def test_every_command_and_exit_code_is_documented() -> None:
    """In the page about the command line."""
    assert [name for name in COMMANDS if f"`flightworthy {name}" not in COMMAND_LINE] == []
    assert [code for code in Exit if f"| {code.value} | {code.name.lower()}" not in COMMAND_LINE] == []


def test_every_command_of_the_readme_is_understood() -> None:
    """As it is written there, but for its explanation."""
    readme = (DOCS.parent / "README.md").read_text(encoding="utf-8")
    listed = re.findall(r"^flightworthy (.+?)  +\S", readme, re.MULTILINE)
    assert len(listed) > 10
    for words in listed:
        asked = shlex.split(words)
        parser(asked).parse_args(asked)
