"""From YAML text to a tree that remembers lines, by libyaml through PyYAML.

Reading in Python takes twenty times as long, and every DAG file waits for it. libyaml's events are used rather than its
own composer, which recurses in C: a file of opening brackets would end the process.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Literal, NamedTuple

import yaml  # type: ignore[import-untyped]  # its stubs are a package of their own
from yaml.composer import ComposerError  # type: ignore[import-untyped]

__all__ = ["Node", "NotYaml", "compose"]

NotYaml = yaml.YAMLError
_DEEPEST = 20
_Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class Node(NamedTuple):
    """A value as it stands in the file. A tuple, for there are hundreds in each model of hundreds."""

    kind: Literal["scalar", "list", "mapping", "alias"]
    line: int
    """Counted from 1."""
    text: str = ""
    """A scalar's characters, without its quotes."""
    plain: bool = False
    """Whether a scalar stands without quotes."""
    tag: str | None = None
    children: tuple[Node, ...] = ()
    """A list's items; a mapping's keys and values in turn."""

    @property
    def pairs(self) -> Iterator[tuple[Node, Node]]:
        """A mapping's keys with their values, duplicates too."""
        return zip(self.children[::2], self.children[1::2], strict=True)


def compose(text: str) -> Node | None:
    """Read the one document of a file; None where there is none. Raises ``NotYaml``, with a mark where it has one."""
    next_event: Callable[[], Any] = _Loader(text).get_event
    next_event()  # the stream's start
    if isinstance(next_event(), yaml.StreamEndEvent):
        return None
    root = _node(next_event(), next_event, 0)
    next_event()  # the document's end
    if not isinstance(after := next_event(), yaml.StreamEndEvent):
        raise ComposerError(None, None, "a second document begins here; keep one", after.start_mark)
    nothing = root.kind == "scalar" and root.plain and not root.text
    return None if nothing else root


def _node(event: Any, next_event: Callable[[], Any], depth: int) -> Node:
    line = event.start_mark.line + 1
    if depth > _DEEPEST:
        raise ComposerError(None, None, "nested too deeply", event.start_mark)
    if isinstance(event, yaml.ScalarEvent):
        return Node("scalar", line, event.value, event.implicit[0], event.tag)
    if isinstance(event, yaml.AliasEvent):
        return Node(kind="alias", line=line)
    children = []
    while not isinstance(inner := next_event(), yaml.CollectionEndEvent):
        children.append(_node(inner, next_event, depth + 1))
    kind: Literal["list", "mapping"] = "list" if isinstance(event, yaml.SequenceStartEvent) else "mapping"
    return Node(kind=kind, line=line, tag=event.tag, children=tuple(children))
