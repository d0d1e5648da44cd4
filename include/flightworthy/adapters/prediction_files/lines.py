"""A line of the prediction log as a row, or what is wrong with it."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any

__all__ = ["PREDICTION", "day_folders", "day_of", "faulty", "instant", "row_of", "whole_lines"]

PREDICTION = "prediction"
"""What was answered."""


def whole_lines(file: IO[bytes]) -> Iterator[tuple[int, bytes]]:
    """All lines of a file, numbered from 1; without a last one that has no line end, which is no row yet.

    Blank ones are left out too: they were rows of somebody who was erased.
    """
    file.seek(0)
    for number, line in enumerate(file, start=1):
        if not line.endswith(b"\n"):
            return
        if not line.isspace():
            yield number, line


def row_of(line: bytes) -> dict[str, Any] | None:
    """The row that a line holds; None if it holds none."""
    try:
        row = json.loads(line)
    except ValueError:
        return None
    return row if isinstance(row, dict) and not _faults(row) else None


def faulty(line: bytes) -> str:
    """Why a line holds no row."""
    try:
        row = json.loads(line)
    except ValueError as error:
        return f"is not JSON: {error}"
    return "; ".join(_faults(row)) if isinstance(row, dict) else "is not a JSON object"


def instant(row: Mapping[str, Any]) -> datetime:
    """When a row was answered, in UTC."""
    return datetime.fromisoformat(row["at"]).astimezone(UTC)


def day_of(row: Mapping[str, Any]) -> str:
    """The UTC day of a row, such as ``2026-01-05``."""
    return instant(row).date().isoformat()


def day_folders(folder: Path) -> Iterator[tuple[str, Path]]:
    """The days that there is Parquet of, oldest first: ``2026-01-05`` and its folder."""
    for path in sorted(folder.glob("day=????-??-??")):
        if path.is_dir() and not path.is_symlink():
            yield path.name.removeprefix("day="), path


def _faults(row: Mapping[str, Any]) -> list[str]:
    """Everything wrong with a row; what is not used here is not asked for."""
    prediction = row.get(PREDICTION)
    checks = {
        "at is not a time with its zone": _is_instant(row.get("at")),
        "release is not a name": isinstance(row.get("release"), str),
        "version is missing": row.get("version") is not None,
        "features is not an object": isinstance(row.get("features"), dict),
        "prediction is not a finite number": isinstance(prediction, int | float) and math.isfinite(prediction),
    }
    return [fault for fault, fine in checks.items() if not fine]


def _is_instant(written: object) -> bool:
    try:
        at = datetime.fromisoformat(written)  # type: ignore[arg-type]
        return at.tzinfo is not None and bool(at.astimezone(UTC))
    except (TypeError, ValueError, OverflowError):
        return False
