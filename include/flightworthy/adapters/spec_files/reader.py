"""From a tree of nodes to plain values, with everything that is wrong before a key was looked at.

What a scalar means ``flightworthy.spec.literals`` decides: ``yes`` is text and ``1e3`` a number, as YAML 1.2 says.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from flightworthy.adapters.spec_files.nodes import Node
from flightworthy.spec.literals import looks_secret, meaning, substitute
from flightworthy.spec.written import At, Problem, Written, dotted

__all__ = ["written"]

ADVICE: Final = "write ${NAME} and set NAME in the environment"


def written(root: Node, *, file: str, environ: Mapping[str, str] | None, advice: str = ADVICE) -> Written:
    """Resolve every scalar and replace references to the environment; None: nothing in the file is one.

    ``advice`` says where a secret belongs that was found in the file.
    """
    reader = _Reader(environ=environ, advice=advice)
    values = reader.value(root, ())
    return Written(
        file=file,
        values=values,
        lines=reader.lines,
        texts=reader.texts,
        secrets=frozenset(reader.secrets),
        problems=tuple(reader.problems),
        unknown=frozenset(reader.unknown),
    )


@dataclass(slots=True, kw_only=True)
class _Reader:
    environ: Mapping[str, str] | None
    advice: str
    lines: dict[At, int] = field(default_factory=dict)
    texts: dict[At, str] = field(default_factory=dict)
    secrets: set[At] = field(default_factory=set)
    unknown: set[At] = field(default_factory=set)
    problems: list[Problem] = field(default_factory=list)

    def value(self, node: Node, at: At) -> Any:
        self.lines[at] = node.line
        if node.kind == "alias":
            return self._unread(node, at, "is an alias; write the value out")
        if node.tag is not None and not (node.kind == "scalar" and node.tag == "!"):
            return self._unread(node, at, f"has the tag {node.tag}; tags are not read here")
        if node.kind == "scalar":
            return self._scalar(node, at)
        if node.kind == "list":
            return [self.value(item, (*at, place)) for place, item in enumerate(node.children)]
        return self._mapping(node, at)

    def _mapping(self, node: Node, at: At) -> dict[str, Any]:
        values: dict[str, Any] = {}
        for key, item in node.pairs:
            inside = (*at, key.text)
            if key.kind != "scalar" or key.tag is not None or key.text == "<<":
                self._unread(key, at, "has a key that is not plain text")
            elif key.text in values:
                self._object(key, inside, f"is a duplicate key; it stands on line {self.lines[inside]} already")
            else:
                values[key.text] = self.value(item, inside)
        return values

    def _scalar(self, node: Node, at: At) -> Any:
        self.texts[at] = node.text
        if at[:1] != ("features",) and looks_secret(node.text, key=_key_of(at)):
            self.secrets.add(at)
            return self._unread(node, at, f"looks like a secret; {self.advice}")
        try:
            text = node.text if self.environ is None else substitute(node.text, self.environ)
        except ValueError as error:
            return self._unread(node, at, str(error))
        return meaning(text) if node.plain else text

    def _unread(self, node: Node, at: At, message: str) -> None:
        self.unknown.add(at)
        self._object(node, at, message)

    def _object(self, node: Node, at: At, message: str) -> None:
        self.problems.append(Problem(line=node.line, at=dotted(at), message=message))


def _key_of(at: At) -> str:
    return next((part for part in reversed(at) if isinstance(part, str)), "")
