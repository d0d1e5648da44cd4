"""What a command answers: one document for programs, text for people, and the exit code."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import IntEnum
from typing import Any

from flightworthy.errors import Conflict, FlightworthyError, Unavailable

__all__ = ["Answer", "Exit", "document_of", "exit_of", "facts", "table", "when"]


class Exit(IntEnum):
    """How a command ended."""

    DONE = 0
    REFUSED = 1
    USAGE = 2
    UNAVAILABLE = 3
    CONFLICT = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """``document`` is what ``--json`` prints, ``text`` what is printed without it."""

    document: Mapping[str, Any]
    text: str
    exit: Exit


def exit_of(error: FlightworthyError) -> Exit:
    """Which code an error ends the command with."""
    if isinstance(error, Conflict):
        return Exit.CONFLICT
    return Exit.UNAVAILABLE if isinstance(error, Unavailable) else Exit.REFUSED


def document_of(error: FlightworthyError) -> dict[str, Any]:
    """An error as the one document that ``--json`` prints."""
    code = exit_of(error)
    return {
        "error": {
            "kind": type(error).__name__,
            "exit": int(code),
            "message": error.message,
            "facts": json.loads(json.dumps(error.facts, default=str)),
        }
    }


def when(at: datetime | None) -> str:
    """An instant in UTC to the second; a dash where there is none."""
    return "-" if at is None else at.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S")


def table(heads: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Align columns under their heads; the last column is as long as it is."""
    cells = [list(heads), *([_cell(value) for value in row] for row in rows)]
    widths = [max(len(row[place]) for row in cells) for place in range(len(heads))]
    lines = ("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in cells)
    return "\n".join(lines)


def facts(said: Mapping[str, object]) -> str:
    """Write names and values, one pair a line."""
    width = max(len(name) for name in said)
    return "\n".join(f"{name.ljust(width)}  {_cell(value)}" for name, value in said.items())


def _cell(value: object) -> str:
    # One line, and nothing that steers a terminal: reasons and file contents come from elsewhere.
    text = "-" if value is None or value == "" else str(value)
    clean = "".join(each if each.isprintable() else " " for each in text)
    return textwrap.shorten(clean, 400, placeholder=" …")
