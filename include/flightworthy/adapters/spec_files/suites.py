"""Reads a model's own expectations: suite.yaml, and what Great Expectations saves, suite.json and checkpoint.json.

Beside the reading of model.yaml, for which every DAG file waits.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

from flightworthy.adapters.spec_files import read, read_text, refusal, syntax
from flightworthy.adapters.spec_files.nodes import NotYaml, compose
from flightworthy.adapters.spec_files.reader import written
from flightworthy.errors import SpecError
from flightworthy.expectations import NOTHING, Action, Expectation, Suite, checkpoint_json, suite_from, suite_json
from flightworthy.spec.written import Problem, Written

__all__ = ["load_suite"]

Read = TypeVar("Read")


def load_suite(folder: Path, environ: Mapping[str, str]) -> Suite:
    """What suite.yaml says, a suite.json beside it or in its stead, and the actions of a checkpoint.json.

    Raises ``SpecError`` with everything that is wrong in all of them.
    """
    ours, theirs, checkpoint = (folder / name for name in ("suite.yaml", suite_json.FILE, checkpoint_json.FILE))
    problems: list[SpecError] = []
    suite, dropped_in, actions = NOTHING, tuple[Expectation, ...](), tuple[Action, ...]()
    if ours.is_file() or not theirs.is_file():
        suite = _tried(lambda: suite_from(read(ours, environ), folder=folder), NOTHING, problems)
    if theirs.is_file():
        dropped_in = _tried(lambda: suite_json.expectations_from(_read_json(theirs), folder=folder), (), problems)
    if checkpoint.is_file():
        actions = _tried(lambda: _actions(checkpoint), (), problems)
    if problems:
        said = tuple(line for error in problems for line in error.facts["problems"])
        raise SpecError("\n".join(said), **{**problems[0].facts, "problems": said})
    return replace(suite, expectations=(*suite.expectations, *dropped_in), actions=actions)


def _actions(file: Path) -> tuple[Action, ...]:
    read_file = _read_json(file, advice=checkpoint_json.ADVICE)
    return checkpoint_json.actions_from(read_file, folder=file.parent)


def _tried(read_one: Callable[[], Read], otherwise: Read, problems: list[SpecError]) -> Read:
    try:
        return read_one()
    except SpecError as error:
        problems.append(error)
        return otherwise


def _read_json(file: Path, *, advice: str = "take it out") -> Written:
    """JSON is YAML, once it is JSON: so its values have lines too. Nothing in it refers to the environment."""
    text = read_text(file)
    try:
        json.loads(text, parse_constant=_not_a_number)
        root = compose(text.replace("\t", " "))  # JSON has none inside of text
    except json.JSONDecodeError as error:
        message = f"column {error.colno}: is not JSON: {error.msg}"
        raise refusal(file, Problem(line=error.lineno, at="", message=message)) from None
    except NotYaml as error:
        raise refusal(file, syntax(error)) from None
    except ValueError as error:
        raise refusal(file, Problem(line=1, at="", message=f"is not JSON: {error}")) from None
    if root is None:
        raise refusal(file, Problem(line=1, at="", message="is empty"))
    return written(root, file=file.name, environ=None, advice=advice)


def _not_a_number(word: str) -> None:
    raise ValueError(f"{word} is no number in JSON")
