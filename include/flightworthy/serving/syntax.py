"""What a JSON body is besides its types: duplicate keys, NaN, and why it cannot be read; off the fast path."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator
from typing import Any

import numpy as np

from flightworthy.serving.problem import Problem

__all__ = ["count_colons", "explain", "has_duplicate_keys", "holds_endless_integer", "unreadable"]

_ENDLESS_INTEGER = re.compile(rb"\d{300,}(?![\d.eE])")


def has_duplicate_keys(text: bytes, *, keys: int, colons: int) -> str | None:
    """The first key that an object in ``text`` holds twice, or None.

    The fast path counts: where nothing is escaped, a text has one colon for each key and those inside its strings.
    ``keys``: how many keys were decoded; ``colons``: how many colons are inside decoded names and values.
    """
    if b"\\" not in text and count_colons(text) == keys + colons:
        return None
    return next(iter(_read(text)[1]), None)


def count_colons(text: bytes) -> int:
    """Long texts with NumPy: bytes.count stops at each that it finds, and a table has thousands."""
    if len(text) < 4096:
        return text.count(b":")
    return int(np.count_nonzero(np.frombuffer(text, dtype=np.uint8) == ord(":")))


def explain(body: bytes, error: Exception) -> Problem:
    """Why ``body`` could not be decoded as JSON: not a number (422), a key twice (400), or no JSON at all (400)."""
    try:
        tree, duplicates = _read(body)
    except (ValueError, RecursionError):
        return unreadable(error)
    path = next(_not_finite(tree), None)
    if path is not None:
        return Problem(status=422, detail="Expected a finite number; JSON has no NaN or Infinity", field=path)
    if duplicates:
        return Problem(status=400, detail=f"The key {duplicates[0]!r} is there twice", field=duplicates[0])
    return unreadable(error)


def unreadable(error: Exception) -> Problem:
    """The problem of a body that is not JSON."""
    why = "it is nested too deep" if isinstance(error, RecursionError) else str(error)
    return Problem(status=400, detail=f"The body is not JSON: {why}")


def holds_endless_integer(text: bytes) -> bool:
    """Whether ``text`` spells an integer beyond the range of a float."""
    return _ENDLESS_INTEGER.search(text) is not None


def _read(text: bytes) -> tuple[Any, list[str]]:
    duplicates: list[str] = []

    def keep(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) != len(pairs):
            names = [name for name, _ in pairs]
            duplicates.extend(name for name in found if names.count(name) > 1)
        return found

    return json.loads(text, object_pairs_hook=keep), duplicates


def _not_finite(tree: Any) -> Iterator[str]:
    # A stack of our own: the tree may be nested as deep as the JSON reader allowed.
    waiting: list[tuple[str, Any]] = [("", tree)]
    while waiting:
        path, value = waiting.pop()
        if isinstance(value, float) and not math.isfinite(value):
            yield path
        elif isinstance(value, dict):
            waiting.extend((f"{path}.{name}" if path else str(name), each) for name, each in value.items())
        elif isinstance(value, list):
            waiting.extend((f"{path}[{position}]", each) for position, each in enumerate(value))
