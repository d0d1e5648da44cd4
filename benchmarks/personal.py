"""What it costs to look for personal data in columns that nobody declared: ingest of CSV with the look and without.

Each in a process of its own, from the same file. ``python -m benchmarks.personal [ROWS]`` measures; with
``--once HOW FILE FOLDER`` it is such a process, and prints its seconds, imports not counted.
"""

from __future__ import annotations

import json
import shutil
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.apart import apart
from benchmarks.ingest import KEY, write
from benchmarks.result import Result, machine, row, typical

ROWS, ROUNDS = 1_000_000, 7
WAYS = ("without", "with")


def main(rows: int = ROWS) -> int:
    """Measure and publish."""
    found: dict[str, list[dict[str, float]]] = {way: [] for way in WAYS}
    with tempfile.TemporaryDirectory(prefix="flightworthy-personal-") as scratch:
        file = write(Path(scratch) / "landing" / f"{KEY}.csv", rows)
        for number in range(1, ROUNDS + 1):
            for way in WAYS:
                folder = Path(scratch) / "written"
                found[way].append(measured := apart("benchmarks.personal", way, file, folder))
                shutil.rmtree(folder)
                print(f"  round {number}, {way}: {measured['seconds']:.2f} s")
    seconds, processor = (
        {way: typical(each[what] for each in found[way]) for way in WAYS} for what in ("seconds", "processor")
    )
    Result(
        name="personal",
        machine=machine(),
        rows=(
            row("ingest without the look", seconds["without"], "s"),
            row("ingest with the look", seconds["with"], "s"),
            row("with against without", seconds["with"] / seconds["without"], "times"),
            row("processor time without the look", processor["without"], "s"),
            row("processor time with the look", processor["with"], "s"),
            row("processor time of the look", processor["with"] - processor["without"], "s"),
        ),
        notes=(
            f"{rows:,} rows of 20 columns of CSV, four of them text; the medians of {ROUNDS} interleaved rounds.",
            "Nothing in the file is personal: all is looked at, to the end.",
            "Of a text each different cell of a batch is looked at once: a column in which all differ costs more.",
            "Without the look every column is listed under `personal.not_personal`.",
            "Each in a process of its own, imports not counted.",
        ),
    ).publish()
    return 0


def once(how: str, file: Path, folder: Path) -> dict[str, float]:
    """Take the file in, in this process. Raises PartitionRefused where what is looked for is there."""
    from flightworthy.adapters.dataset_files import DatasetFiles
    from flightworthy.adapters.partition_files import PartitionFiles
    from flightworthy.adapters.personal_columns import ProtectedSource, Protection
    from flightworthy.dataset import ingest
    from flightworthy.known import Ask
    from flightworthy.spec import Source

    with file.open(encoding="utf-8") as landed:
        head = landed.readline().strip().split(",")
    protection = Protection(
        treatments={}, not_personal=frozenset(head if how == "without" else ()), entity="id", keys=None
    )
    source = PartitionFiles(source=Source(uri=f"{file.parent}/{{partition}}.csv", partition="%Y-%m"), types={})
    ask = Ask(model="wide", key=KEY, window=1, as_of=None, known_since=None)
    began_at, busy = time.perf_counter(), time.process_time()
    ingest(
        ProtectedSource(source=source, protection=protection),
        DatasetFiles(root=folder),
        ask,
        now=datetime(2026, 2, 1, tzinfo=UTC),
    )
    return {"seconds": time.perf_counter() - began_at, "processor": time.process_time() - busy}


if __name__ == "__main__":
    if sys.argv[1:2] == ["--once"]:
        print(json.dumps(once(sys.argv[2], Path(sys.argv[3]), Path(sys.argv[4]))))
    else:
        sys.exit(main(*map(int, sys.argv[1:2])))
