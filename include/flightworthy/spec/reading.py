"""From what was written to a ``Spec``, or to one error that lists everything that is wrong."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from flightworthy.errors import SpecError
from flightworthy.spec.standing import Spec
from flightworthy.spec.written import At, Problem, Written

__all__ = ["spec_from", "spec_error"]

_TYPES = {
    "bool_type": "must be true or false",
    "int_type": "must be a whole number, written in digits",
    "int_from_float": "must be a whole number, written in digits",
    "float_type": "must be a number",
    "string_type": "must be text; put it in quotes",
    "tuple_type": "must be a list",
    "mapping_type": "must be a mapping of keys to values",
    "dict_type": "must be a mapping of keys to values",
    "model_type": "must be a mapping of keys to values",
    "model_attributes_type": "must be a mapping of keys to values",
    "finite_number": "must be a finite number",
    "too_short": "must not be empty",
    "string_too_short": "must not be empty",
}


def spec_from(written: Written, *, folder: Path) -> Spec:
    """Make a spec. The name in the file must be the folder's, since paths, DAGs and routes go by it."""
    problems = list(written.problems)
    spec: Spec | None = None
    if not isinstance(written.values, Mapping):
        problems.append(written.problem((), "must be a mapping of keys to values; see docs/model-yaml.md"))
    else:
        try:
            spec = Spec.model_validate({**written.values, "folder": folder})
        except ValidationError as error:
            problems += _unless_unknown(written, error)
        if "folder" in written.values:
            problems.append(written.problem(("folder",), "unknown key; the folder is where the file lies", show=False))
        name = written.values.get("model")
        if isinstance(name, str) and name != folder.name and ("model",) not in written.unknown:
            problems.append(written.problem(("model",), f"must be the name of its folder ({folder.name})"))
    if problems or spec is None:
        raise spec_error(written.file, problems, folder=folder)
    return spec


def spec_error(file: str, problems: list[Problem], *, folder: Path) -> SpecError:
    """Put every problem into one error, a line each, in the order of the file."""
    ordered = sorted(dict.fromkeys(problems), key=lambda problem: problem.line)
    lines = tuple(problem.told(file) for problem in ordered)
    first = ordered[0]
    return SpecError("\n".join(lines), file=str(folder / file), line=first.line, key=first.at, problems=lines)


def _unless_unknown(written: Written, error: ValidationError) -> Iterator[Problem]:
    for details in error.errors(include_url=False):
        for at, message, show in _explained(details):
            found = written.written_at(at)
            if any(found[: len(unknown)] == unknown for unknown in written.unknown):
                continue
            where = at if details["type"] == "missing" else found
            yield written.problem(where, message, show=show)


def _explained(details: ErrorDetails) -> Iterator[tuple[At, str, bool]]:
    """Turn one of pydantic's errors into paths, sentences, and whether to show the value."""
    at = tuple(part for part in details["loc"] if part not in {"[key]"})
    kind, context = details["type"], details.get("ctx", {})
    for problem in context.get("problems", ()):
        yield (*at, *problem["at"]), problem["message"], True
    if "problems" in context:
        return
    if kind == "extra_forbidden":
        yield at, f"unknown key{_did_you_mean(str(at[-1]), _keys_at(at[:-1]))}", False
    elif kind == "missing":
        yield at, "is missing", False
    else:
        yield at, _sentence(details, kind, context), not isinstance(details["input"], Mapping | list | tuple)


def _sentence(details: ErrorDetails, kind: str, context: Mapping[str, Any]) -> str:
    given = details["input"]
    if kind in _TYPES:
        return _TYPES[kind]
    if kind == "value_error":
        return str(context["error"])
    if kind == "literal_error":
        allowed = _allowed(context["expected"])
        return f"must be one of {', '.join(allowed)}{_did_you_mean(str(given), allowed)}"
    if kind == "string_pattern_mismatch":
        return "must be lower-case letters, digits and single - or _, beginning with a letter: it names paths, DAGs and images"
    for bound, words in (("ge", "at least"), ("gt", "greater than"), ("le", "at most"), ("lt", "less than")):
        if bound in context:
            return f"must be {words} {context[bound]}"
    return details["msg"][:1].lower() + details["msg"][1:]


def _allowed(expected: str) -> tuple[str, ...]:
    """Read the names out of pydantic's ``'a', 'b' or 'c'``."""
    return tuple(part.strip(" '") for part in expected.replace(" or ", ", ").split(","))


def _did_you_mean(name: str, known: tuple[str, ...]) -> str:
    close = difflib.get_close_matches(name, known, n=1, cutoff=0.6)
    return f"; did you mean {close[0]}?" if close else f"; known are {', '.join(known)}" if known else ""


def _keys_at(at: At) -> tuple[str, ...]:
    """Which keys may stand at a path of the spec."""
    kind: type[BaseModel] = Spec
    for part in at:
        # An index or a feature's name leads nowhere further: the section inside the list or mapping is known already.
        if part in kind.model_fields:
            kind = next(_models(kind.model_fields[str(part)].annotation), kind)
    return tuple(name for name in kind.model_fields if name != "folder")


def _models(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for inner in get_args(annotation):
        yield from _models(inner)
