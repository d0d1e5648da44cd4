"""Lands prepared partitions where a model's source looks for them, each whole; a model's ``land.py`` ends with it."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import pandas as pd

__all__ = ["Partitions", "land", "main"]

Partitions = Iterable[tuple[str, pd.DataFrame]]
"""Keys, each with its rows."""


def land(partitions: Partitions, folder: Path) -> Iterator[Path]:
    """Write every partition that is not there yet, each in one step: whoever watches sees a whole file."""
    folder.mkdir(parents=True, exist_ok=True)
    for key, rows in partitions:
        target = folder / f"{key}.parquet"
        if not target.exists():
            part = folder / f".{target.name}.part"
            rows.to_parquet(part, index=False)
            part.replace(target)
            yield target


def main(model: str, file: str, prepare: Callable[[Path], Partitions]) -> None:
    """Land what ``prepare`` makes of a file in ``FLIGHTWORTHY_DATA_DIR``; say what was written.

    It goes to the landing that the command line names, or else to ``FLIGHTWORTHY_LANDING``.
    """
    given = sys.argv[1] if len(sys.argv) > 1 else os.environ.get("FLIGHTWORTHY_LANDING", ".flightworthy/landing")
    partitions = prepare(Path(os.environ.get("FLIGHTWORTHY_DATA_DIR", "data")) / file)
    for path in land(partitions, Path(given) / model):
        sys.stdout.write(f"{path}\n")
