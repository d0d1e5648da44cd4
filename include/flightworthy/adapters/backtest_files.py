"""Backtest points as files, one for each interval and work; imports nothing that takes time."""

from __future__ import annotations

import json
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path

from flightworthy.backtest import Point

__all__ = ["BacktestFiles"]


@dataclass(frozen=True, slots=True, kw_only=True)
class BacktestFiles:
    """Implements ``backtest.BacktestStore`` as ``<root>/<model>/<partition key>/<work>.json``."""

    root: Path

    def keep(self, point: Point) -> None:
        """Written under another name and moved: a reader sees a whole point, or the one before."""
        folder = self.root / point.model / point.measured.partition_key
        folder.mkdir(parents=True, exist_ok=True)
        handle, scratch = tempfile.mkstemp(dir=folder, prefix=".new-")
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            json.dump(point.pack(), file, indent=1, sort_keys=True)
        Path(scratch).replace(folder / f"{point.measured.work[:12]}.json")

    def points(self, model: str, partition_key: str | None = None) -> list[Point]:
        """In time order, then by version."""
        folder = self.root / model
        files = (folder / partition_key if partition_key else folder).rglob("[!.]*.json")
        found = (Point.unpack(json.loads(file.read_text(encoding="utf-8"))) for file in files)
        return sorted(found, key=lambda each: (each.measured.partition_key, each.version))
