"""Prediction logs as servers leave them, and every row that there is of them, in whichever form."""

from __future__ import annotations

import json
import os
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from pyarrow import parquet

from flightworthy.adapters.prediction_files import PredictionFiles

MODEL = "diagnosis"
NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)
DAY = timedelta(days=1)
LATER = NOON + 9 * DAY


def name_of(number: int) -> str:
    return f"20260105T115900Z-0000000a-{number:04d}.jsonl"


def line_of(at: datetime = NOON, **more: Any) -> str:
    row = {
        "at": at.isoformat().replace("+00:00", "Z"), "request_id": "r1", "entity": "patient-7",
        "release": "diagnosis-2-1a2b3c4d", "version": "2", "arm": "a", "features": {"age": 41, "sex": "f"},
        "prediction": 0.25, "latency_ms": 0.4,
    }  # fmt: skip
    return json.dumps({**row, **more}) + "\n"


def write_log(root: Path, text: str, *, number: int = 1) -> Path:
    """A file that was last written to when its rows were."""
    path = root / MODEL / name_of(number)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    os.utime(path, (NOON.timestamp(), NOON.timestamp() + 2 * DAY.total_seconds()))
    return path


def three_days(rows: int = 300) -> str:
    """Rows of three UTC days, each with an answer of its own."""
    step = 2 * DAY / rows
    return "".join(line_of(NOON + step * number, prediction=number / rows) for number in range(rows))


def answers(root: Path) -> Counter[float]:
    """How often each row is counted by the reader."""
    window = PredictionFiles(root).read(MODEL, since=NOON - DAY, until=NOON + 5 * DAY)
    assert window.broken == ()
    return Counter(window.frame["prediction"].tolist()) if len(window.frame) else Counter()


def kept_rows(root: Path) -> list[dict[str, Any]]:
    """The rows in Parquet, their instant written as a server writes it."""
    found = [row for path in sorted(root.rglob("*.parquet")) for row in parquet.ParquetFile(path).read().to_pylist()]
    return [{**row, "at": row["at"].isoformat().replace("+00:00", "Z")} for row in found]


def names(root: Path) -> list[str]:
    return sorted(path.relative_to(root / MODEL).as_posix() for path in (root / MODEL).rglob("*") if path.is_file())
