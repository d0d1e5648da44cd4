"""From what was written to a ``Spec``, or to one error that lists everything that is wrong."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from flightworthy.errors import SpecError
from flightworthy.spec.inputs import Source
from flightworthy.spec.standing import Spec
from flightworthy.spec.written import At, Problem, Written

__all__ = ["did_you_mean", "source_from", "spec_error", "spec_from"]

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


_BOUNDS = {"ge": "at least", "gt": "greater than", "le": "at most", "lt": "less than", "max_length": "no longer than"}


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
        if spec is not None and spec.model != folder.name:
            problems.append(written.problem(("model",), f"must be the name of its folder ({folder.name})"))
    if problems or spec is None:
        raise spec_error(written.file, problems, folder=folder)
    return spec


def source_from(values: Mapping[str, Any]) -> Source:
    """The section ``source`` alone, for whoever waits for a partition without a model. Raises `SpecError`."""
    try:
        return Source.model_validate(values)
    except ValidationError as error:
        found = [_explained({**each, "loc": ("source", *each["loc"])}) for each in error.errors(include_url=False)]
        lines = tuple(f"{'.'.join(map(str, at))}: {sentence}" for each in found for at, sentence, _ in each)
        raise SpecError("\n".join(lines), problems=lines) from None


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
    at = tuple(part for part in details["loc"] if part != "[key]")
    kind, context = details["type"], details.get("ctx", {})
    for inside, sentence in context.get("problems", ()):
        yield (*at, *inside), sentence, True
    if "problems" in context:
        return
    if kind == "extra_forbidden":
        yield at, f"unknown key{did_you_mean(str(at[-1]), _keys_at(at[:-1]))}", False
    elif kind == "missing":
        yield at, "is missing", False
    else:
        yield at, _sentence(details, kind, context), not isinstance(details["input"], Mapping | list | tuple)


def _sentence(details: ErrorDetails, kind: str, context: Mapping[str, Any]) -> str:
    given = details["input"]
    if kind in _TYPES:
        return _TYPES[kind] + _surprise(given, kind)
    if kind in {"spec", "value_error"}:
        return str(context["sentence" if kind == "spec" else "error"])
    if kind == "literal_error":
        allowed = _allowed(context["expected"])
        return f"must be one of {', '.join(allowed)}{did_you_mean(str(given), allowed, listed=True)}"
    if kind == "string_pattern_mismatch":
        return "must be lower-case letters and digits, with single - or _ between: it names paths, DAGs and images"
    for bound, words in _BOUNDS.items():
        if bound in context:
            return f"must be {words} {context[bound]}"
    return details["msg"][:1].lower() + details["msg"][1:]


def _surprise(given: Any, kind: str) -> str:
    """Explain what YAML 1.2 made of a value that YAML 1.1, or a person, reads differently."""
    if kind == "bool_type" and isinstance(given, str) and given.lower() in {"yes", "no", "on", "off", "y", "n"}:
        return f" ({given} is text in YAML 1.2)"
    if kind in {"int_type", "int_from_float"} and isinstance(given, float) and given.is_integer() and abs(given) < 1e15:
        return f": {int(given)}"
    if kind == "string_type" and isinstance(given, bool | int | float):
        return f" (without quotes YAML reads {'true or false' if isinstance(given, bool) else 'a number'})"
    return ""


def _allowed(expected: str) -> tuple[str, ...]:
    """Read the names out of pydantic's ``'a', 'b' or 'c'``."""
    return tuple(part.strip(" '") for part in expected.replace(" or ", ", ").split(","))


def did_you_mean(name: str, known: tuple[str, ...], *, listed: bool = False) -> str:
    """What is added to a refusal: the closest of the known names, else all of them, unless they are listed already."""
    close = difflib.get_close_matches(name, known, n=1, cutoff=0.6)
    if close:
        return f"; did you mean {close[0]}?"
    return "" if listed else f"; known are {', '.join(known)}"


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
