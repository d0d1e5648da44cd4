"""Reads model.yaml files, remembering where everything stood.

libyaml scans and composes (through PyYAML, which every Airflow has; 20 times faster than reading in Python); what a scalar means is decided by
``flightworthy.spec.literals``, so that ``yes`` is text and ``1e3`` a number, as YAML 1.2 says.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml  # type: ignore[import-untyped]  # its stubs are a package of their own

from flightworthy.errors import SpecError
from flightworthy.spec import Spec
from flightworthy.spec.literals import looks_secret, meaning, substitute
from flightworthy.spec.reading import spec_error, spec_from
from flightworthy.spec.written import At, Problem, Written, dotted

__all__ = ["Specs", "load", "load_all", "read"]

FILE = "model.yaml"
_LONGEST = 256 * 1024
_DEEPEST = 20
_STRING = "tag:yaml.org,2002:str"


class _Composer(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
    """Leaves every plain scalar text: YAML 1.1 would read ``no`` as false."""

    yaml_implicit_resolvers: dict[str, list[Any]] = {}  # noqa: RUF012 - PyYAML's name and type


@dataclass(frozen=True, slots=True, kw_only=True)
class Specs:
    """The models of a folder: those that can run, and why each of the others cannot."""

    loaded: tuple[Spec, ...]
    refused: Mapping[str, SpecError]
    """By the name of the model's folder."""


def load(path: Path, environ: Mapping[str, str]) -> Spec:
    """Read one model: ``path`` is its folder or its model.yaml. Raises ``SpecError`` with everything that is wrong."""
    file = path / FILE if path.name != FILE else path
    return spec_from(read(file, environ), folder=file.parent.absolute())


def load_all(folder: Path, environ: Mapping[str, str]) -> Specs:
    """Read every model of a folder, in the order of names; one wrong file leaves the others alone."""
    loaded, refused = [], {}
    for model in sorted(path for path in folder.glob("[!._]*") if path.is_dir()):
        try:
            loaded.append(load(model, environ))
        except SpecError as error:
            refused[model.name] = error
    return Specs(loaded=tuple(loaded), refused=refused)


def read(file: Path, environ: Mapping[str, str]) -> Written:
    """Read a YAML file without judging its keys. Raises ``SpecError`` where there is nothing to read."""
    text = _text(file)
    try:
        root = yaml.compose(text, Loader=_Composer)
    except yaml.MarkedYAMLError as error:
        raise _refusal(file, _syntax(error)) from None
    except (yaml.YAMLError, RecursionError) as error:
        raise _refusal(file, Problem(line=1, at="", message=f"is not YAML: {error}")) from None
    if root is None:
        raise _refusal(file, Problem(line=1, at="", message="is empty; `flightworthy new` shows what belongs in it"))
    reader = _Reader(environ=environ)
    values = reader.value(root, ())
    return Written(
        file=file.name,
        values=values,
        lines=reader.lines,
        texts=reader.texts,
        secrets=frozenset(reader.secrets),
        problems=tuple(reader.problems),
        unknown=frozenset(reader.unknown),
    )


def _text(file: Path) -> str:
    try:
        if file.stat().st_size > _LONGEST:
            raise _refusal(file, Problem(line=1, at="", message=f"is larger than {_LONGEST // 1024} KiB"))
        return file.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        message = f"is missing; {file.parent} is no model without it (`flightworthy new` makes one)"
    except UnicodeDecodeError as error:
        message = f"is not UTF-8 (byte {error.start}); save it as UTF-8"
    except OSError as error:
        message = f"cannot be read: {error.strerror}"
    raise _refusal(file, Problem(line=1, at="", message=message))


def _refusal(file: Path, problem: Problem) -> SpecError:
    return spec_error(file.name, [problem], folder=file.parent)


def _syntax(error: yaml.MarkedYAMLError) -> Problem:
    mark = error.problem_mark or error.context_mark
    said = " ".join(part for part in (error.context, error.problem) if part)
    if "\t" in said or "cannot start any token" in said:
        said = "a tab or another character that cannot stand here; indent with spaces"
    return Problem(line=mark.line + 1, at="", message=f"column {mark.column + 1}: is not YAML: {said}")


@dataclass(slots=True, kw_only=True)
class _Reader:
    environ: Mapping[str, str]
    lines: dict[At, int] = field(default_factory=dict)
    texts: dict[At, str] = field(default_factory=dict)
    secrets: set[At] = field(default_factory=set)
    unknown: set[At] = field(default_factory=set)
    problems: list[Problem] = field(default_factory=list)
    seen: set[int] = field(default_factory=set)

    def value(self, node: Any, at: At) -> Any:
        self.lines[at] = node.start_mark.line + 1
        if id(node) in self.seen:
            return self._object(at, node, "is an alias; write the value out")
        self.seen.add(id(node))
        if len(at) > _DEEPEST:
            return self._object(at, node, "is nested too deeply")
        if isinstance(node, yaml.ScalarNode):
            return self._scalar(node, at)
        if isinstance(node, yaml.SequenceNode):
            return [self.value(item, (*at, place)) for place, item in enumerate(node.value)]
        return self._mapping(node, at)

    def _mapping(self, node: Any, at: At) -> dict[str, Any]:
        values: dict[str, Any] = {}
        for key, item in node.value:
            name = key.value if isinstance(key, yaml.ScalarNode) else None
            if name is None or name == "<<":
                self._object(at, key, "has a key that is not plain text")
            elif name in values:
                first = self.lines[(*at, name)]
                self._say((*at, name), key, f"is a duplicate key; it stands on line {first} already")
            else:
                values[name] = self.value(item, (*at, name))
        return values

    def _scalar(self, node: Any, at: At) -> Any:
        text: str = node.value
        self.texts[at] = text
        if node.tag != _STRING:
            return self._object(at, node, f"has the tag {node.tag}; tags are not read here")
        if at[:1] != ("features",) and looks_secret(
            text, key=str(next((p for p in reversed(at) if isinstance(p, str)), ""))
        ):
            self.secrets.add(at)
            return self._object(at, node, "looks like a secret; write ${NAME} and set NAME in the environment")
        try:
            text = substitute(text, self.environ)
        except ValueError as error:
            return self._object(at, node, str(error))
        return text if node.style else meaning(text)

    def _object(self, at: At, node: Any, message: str) -> None:
        self.unknown.add(at)
        self._say(at, node, message)

    def _say(self, at: At, node: Any, message: str) -> None:
        self.problems.append(Problem(line=node.start_mark.line + 1, at=dotted(at), message=message))
