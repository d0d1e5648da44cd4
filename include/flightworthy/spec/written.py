"""A file as somebody wrote it: its values, the line of each, and what is wrong with it.

A message reads ``model.yaml:12: release.steps[2]=40: must be greater than the previous step (50)``.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

__all__ = ["At", "Problem", "Written", "dotted", "shown"]

At = tuple[str | int, ...]
_LONGEST_SHOWN = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One thing that is wrong, and where."""

    line: int
    at: str
    """``release.steps[2]=40``: the key, and the value where showing it helps; empty for the file as a whole."""
    message: str

    def told(self, file: str) -> str:
        """Say it in one line."""
        return f"{file}:{self.line}: {self.at}: {self.message}" if self.at else f"{file}:{self.line}: {self.message}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """What a YAML file says, before anybody asked whether it makes sense."""

    file: str
    values: Any
    lines: Mapping[At, int]
    texts: Mapping[At, str]
    """Scalars as they stand in the file: ``1e3`` where the value is 1000.0."""
    secrets: frozenset[At]
    """Values that no message may repeat."""
    problems: tuple[Problem, ...]
    """What the reader itself objects to: a duplicate key, an unset variable, a secret."""
    unknown: frozenset[At]
    """Values that could not be made out; nothing more is said about them."""

    def line(self, at: At) -> int:
        """Find the line of a value, or of the closest thing around it."""
        while at and at not in self.lines:
            at = at[:-1]
        return self.lines.get(at, 1)

    def written_at(self, at: At) -> At:
        """Shorten a path to what stands in the file: ``age: integer`` has no ``type`` inside."""
        while at and at not in self.lines:
            at = at[:-1]
        return at

    def problem(self, at: At, message: str, *, show: bool = True) -> Problem:
        """Say what is wrong with the value at a path."""
        name = dotted(at)
        if show and at in self.lines:
            name += f"={'***' if self._is_secret(at) else shown(self.texts.get(at, self._value(at)))}"
        return Problem(line=self.line(at), at=name, message=message)

    def _is_secret(self, at: At) -> bool:
        return any(at == secret[: len(at)] or at[: len(secret)] == secret for secret in self.secrets)

    def _value(self, at: At) -> Any:
        value = self.values
        for part in at:
            value = value[part]
        return value


def dotted(at: Iterable[str | int]) -> str:
    """Write a path as people do: ``release.steps[2]``."""
    name = ""
    for part in at:
        name += f"[{part}]" if isinstance(part, int) else f".{part}" if name else part
    return name


def shown(value: Any) -> str:
    """Write a value in a message, shortened."""
    text = value if isinstance(value, str) else json.dumps(value, default=str, ensure_ascii=False)
    text = text.encode("unicode_escape").decode("ascii") if not text.isprintable() else text
    return text if len(text) <= _LONGEST_SHOWN else f"{text[: _LONGEST_SHOWN - 1]}…"
