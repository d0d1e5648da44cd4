"""The prediction log as a frame: what a model was asked and answered in a window of time, by which release.

A server appends one JSON object per row of a request to ``<folder>/<model>/*.jsonl``::

    {"at": "2026-01-05T10:00:00+00:00", "request_id": "…", "entity": "…", "release": "…", "version": "3",
     "features": {"age": 41, …}, "prediction": 0.12}

A line marked ``"shadow": true`` was answered for comparison and served nobody: it is not in any window.

The file may be live: a last line without its line end is a row still being written and is left for the next look.
Any other line that cannot be read is left out, counted and named, because silence would look like less traffic.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pandas as pd

__all__ = ["PREDICTION", "BrokenLine", "PredictionFiles", "PredictionWindow"]

PREDICTION = "prediction"
"""The column that holds what was answered, beside the features."""

_CLOCK_SLACK = timedelta(minutes=5)


@dataclass(frozen=True, slots=True, kw_only=True)
class BrokenLine:
    """A line of the log that could not be read."""

    file: str
    line: int
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PredictionWindow:
    """What was asked and answered, by one release or by all, from ``started_at`` up to but without ``ended_at``."""

    model: str
    started_at: datetime
    ended_at: datetime
    frame: pd.DataFrame
    """One row per row asked: the features and the column ``prediction``. Whom it was about is not in it."""
    releases: Mapping[str, int]
    """Rows answered by each release in ``frame``."""
    broken: tuple[BrokenLine, ...]
    """Lines left out, of the files that were read."""


class PredictionFiles:
    """The log files under one folder, such as ``.flightworthy/predictions``."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def read(
        self,
        model: str,
        *,
        since: datetime,
        until: datetime,
        release: str | None = None,
        version: str | None = None,
    ) -> PredictionWindow:
        """The rows of ``since <= at < until``, of one release or version if named; an empty frame where none is."""
        rows: list[dict[str, Any]] = []
        releases: dict[str, int] = {}
        broken: list[BrokenLine] = []
        for found in self._lines(model, since):
            if isinstance(found, BrokenLine):
                broken.append(found)
                continue
            if found.get("shadow") is True:
                continue
            if not since <= datetime.fromisoformat(found["at"]) < until:
                continue
            if release not in (None, found["release"]) or version not in (None, str(found["version"])):
                continue
            rows.append({**found["features"], PREDICTION: found["prediction"]})
            releases[found["release"]] = releases.get(found["release"], 0) + 1
        return PredictionWindow(
            model=model,
            started_at=since,
            ended_at=until,
            frame=pd.DataFrame(rows),
            releases=releases,
            broken=tuple(broken),
        )

    def _lines(self, model: str, since: datetime) -> Iterator[dict[str, Any] | BrokenLine]:
        for path in sorted((self.folder / model).glob("*.jsonl")):
            # Nothing was written to it in the window, and rows are written in the order of time.
            if datetime.fromtimestamp(path.stat().st_mtime, UTC) < since - _CLOCK_SLACK:
                continue
            with path.open("rb") as file:
                for number, line in enumerate(file, start=1):
                    if not line.endswith(b"\n"):
                        break
                    yield _row(line) or BrokenLine(file=path.name, line=number, why=_why(line))


def _row(line: bytes) -> dict[str, Any] | None:
    try:
        row = json.loads(line)
    except ValueError:
        return None
    return row if isinstance(row, dict) and not _faults(row) else None


def _why(line: bytes) -> str:
    try:
        row = json.loads(line)
    except ValueError as error:
        return f"is not JSON: {error}"
    return "; ".join(_faults(row)) if isinstance(row, dict) else "is not a JSON object"


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
        return datetime.fromisoformat(written).tzinfo is not None  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return False
