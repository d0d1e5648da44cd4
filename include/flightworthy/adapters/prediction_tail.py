"""The prediction log as it grows: what each release answered since a step began, read on from where the last look was.

A server appends one JSON object per row to ``<folder>/<model>/*.jsonl``; of it are used ``at``, ``release``,
``request_id``, ``entity``, ``prediction`` and, where the server writes them, ``latency_ms``, its service time, and
``shadow``, the mark of answers that nobody got. Bounded:
a look reads at most ``MOST_BYTES`` of what a file grew by, the newest; what is skipped is not chosen by what it says.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

__all__ = ["MOST_BYTES", "Logged", "PredictionTail", "predictions_in_training"]

MOST_BYTES = 1 << 20
"""What one look reads of a file: some thousand rows, parsed in some ten milliseconds."""

_REFERENCE = "reference.parquet"
_PREDICTION = "prediction"


@dataclass(frozen=True, slots=True, kw_only=True)
class Logged:
    """One row that was answered.

    ``row`` is its place in the request, from 0. ``unit`` is the entity, or the request where none was named.
    ``latency_ms`` stands on a request's first row; it is None on its others and where the server does not write it.
    """

    release: str
    request: str
    row: int
    is_shadow: bool
    unit: str
    prediction: float
    latency_ms: float | None


class PredictionTail:
    """Follows one model's log from the moment it is made; rows answered before ``started_at`` are left out."""

    def __init__(self, folder: Path, *, started_at: datetime) -> None:
        self._folder = folder
        self._started_at = started_at
        self._read_to = dict(self._sizes())
        self._last_rows: dict[Path, tuple[str, str, int]] = {}

    def read(self) -> list[Logged]:
        """The rows since the last look. A line that cannot be used, and a file that cannot be read, are left out."""
        rows: list[Logged] = []
        for path, size in self._sizes():
            begun = self._read_to.get(path, 0)
            if size > begun:
                rows += self._rows_of(path, begun, size)
        return rows

    def _sizes(self) -> Iterator[tuple[Path, int]]:
        try:
            with os.scandir(self._folder) as found:
                for entry in found:
                    if entry.name.endswith(".jsonl"):
                        yield Path(entry.path), entry.stat().st_size
        except OSError:
            return  # no folder yet, or a file that was removed meanwhile: the next look sees the rest

    def _rows_of(self, path: Path, begun: int, size: int) -> Iterator[Logged]:
        start = max(begun, size - MOST_BYTES)
        try:
            with path.open("rb") as file:
                file.seek(start)
                text = file.read(size - start)
        except OSError:
            return
        # The last line may still be being written; after a skip the first is the end of one, which is no row.
        whole = text[: text.rfind(b"\n") + 1]
        self._read_to[path] = size - (len(text) - len(whole))
        for line in whole.splitlines():
            if (row := self._row(path, line)) is not None:
                yield row

    def _row(self, path: Path, line: bytes) -> Logged | None:
        try:
            row: dict[str, Any] = json.loads(line)
            if datetime.fromisoformat(row["at"]) < self._started_at:
                return None
            request, prediction = str(row["request_id"]), float(row[_PREDICTION])
            release, entity = str(row["release"]), row.get("entity")
        except (ValueError, KeyError, TypeError, AttributeError):
            return None
        if not 0.0 <= prediction <= 1.0:
            return None
        place = self._place(path, request, row["at"])
        return Logged(
            release=release,
            request=request,
            row=place,
            is_shadow=row.get("shadow") is True,
            unit=f"entity {entity}" if entity is not None else f"request {request}",
            prediction=prediction,
            latency_ms=_latency(row.get("latency_ms")) if place == 0 else None,
        )

    def _place(self, path: Path, request: str, at: str) -> int:
        """A row's place in its request, whose rows stand together and were answered at one moment."""
        last_request, last_at, last = self._last_rows.get(path, ("", "", 0))
        place = last + 1 if (request, at) == (last_request, last_at) else 0
        self._last_rows[path] = (request, at, place)
        return place


def predictions_in_training(artifact: Path) -> list[float] | None:
    """What a model answered to the rows that it learnt from; None where its artifact does not say."""
    path = artifact / _REFERENCE
    if not path.is_file():
        return None
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        found = pq.read_table(path, columns=[_PREDICTION])[_PREDICTION].to_pylist()
    except (OSError, KeyError, pa.ArrowException):
        return None
    return [value for value in found if value is not None and 0.0 <= value <= 1.0] or None


def _latency(written: object) -> float | None:
    if isinstance(written, bool) or not isinstance(written, int | float):
        return None
    return float(written) if math.isfinite(written) and written >= 0 else None
