"""Ten million rows of CSV, twenty columns: taken in by `ingest`, and copied into Parquet by DuckDB alone.

Each in a process of its own, from the same file. ``python -m benchmarks.ingest [ROWS]`` measures; with
``--once HOW FILE FOLDER`` it is such a process, and prints its seconds and its peak memory, imports not counted.
"""

from __future__ import annotations

import json
import os
import resource
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.apart import apart
from benchmarks.result import Result, machine, row, typical

ROWS, ROUNDS = 10_000_000, 3
KEY = "2026-01"
WAYS = ("duckdb", "duckdb zstd", "ingest")


def main(rows: int = ROWS) -> int:
    """Measure, publish; 0 whether the figures were reached or not."""
    found: dict[str, list[dict[str, float]]] = {way: [] for way in WAYS}
    with tempfile.TemporaryDirectory(prefix="flightworthy-ingest-") as scratch:
        file = write(Path(scratch) / "landing" / f"{KEY}.csv", rows)
        for number in range(1, ROUNDS + 1):
            for way in WAYS:
                found[way].append(measured := _measure(way, file, Path(scratch) / "written"))
                print(
                    f"  round {number}, {way}: " + ", ".join(f"{value:.4g} {what}" for what, value in measured.items())
                )
        size = file.stat().st_size
    seconds, memory, disk = ({way: typical(each[what] for each in found[way]) for way in WAYS} for what in _MEASURED)
    Result(
        name="ingest",
        machine=machine(),
        rows=(
            row("DuckDB: CSV to Parquet", seconds["duckdb"], "s"),
            row("DuckDB: CSV to Parquet, as small as ours (zstd)", seconds["duckdb zstd"], "s"),
            row("ingest: strictly typed, hashed, kept", seconds["ingest"], "s"),
            row("ingest against DuckDB", seconds["ingest"] / seconds["duckdb"], "times", at_most=1.5),
            row("ingest against DuckDB with zstd", seconds["ingest"] / seconds["duckdb zstd"], "times"),
            row("peak memory of ingest", memory["ingest"], "MB", at_most=1500),
            row("peak memory of DuckDB", memory["duckdb"], "MB"),
            row("the file that ingest leaves, against DuckDB's", disk["ingest"] / disk["duckdb"], "times"),
        ),
        notes=(
            f"{rows:,} rows of 20 columns, {size / 2**20:,.0f} MiB of CSV; the medians of {ROUNDS} interleaved rounds.",
            "No column is declared: all types follow from all cells. DuckDB guesses types from a sample.",
            "Each in a process of its own; imports count in memory and not in time.",
            "Ingest also hashes cells and file, and waits for the disk to have them; DuckDB does neither.",
        ),
    ).publish()
    return 0


def once(how: str, file: Path, folder: Path) -> dict[str, float]:
    """Do it one way, in this process."""
    work = {"duckdb": _by_duckdb, "duckdb zstd": _by_duckdb, "ingest": _by_ingest}[how](how, file, folder)
    began_at = time.perf_counter()
    work()
    seconds = time.perf_counter() - began_at
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    written = sum(each.stat().st_size for each in folder.rglob("*.parquet"))
    return dict(zip(_MEASURED, (seconds, memory, written / 2**20), strict=True))


_MEASURED = ("seconds", "MB of memory", "MiB written")


def write(file: Path, rows: int) -> Path:
    """An id, six whole numbers (one with gaps), seven with decimals (one with gaps), five categories, a label."""
    import duckdb

    columns = [
        "range AS id",
        *(f"CAST(floor(random() * {10 ** (place + 1)}) AS BIGINT) AS whole_{place}" for place in range(5)),
        "CASE WHEN random() > 0.05 THEN CAST(floor(random() * 1e6) AS BIGINT) END AS whole_5",
        *(f"round(random() * 1000, {place + 1}) AS number_{place}" for place in range(6)),
        "CASE WHEN random() > 0.05 THEN round(random() * 1000, 3) END AS number_6",
        *(
            f"'category ' || CAST(floor(random() * {10 ** (place + 1)}) AS INT) AS category_{place}"
            for place in range(4)
        ),
        "random() < 0.5 AS flag",
        "CAST(random() < 0.1 AS INT) AS label",
    ]
    file.parent.mkdir(parents=True)
    with duckdb.connect(":memory:") as connection:
        connection.execute("SELECT setseed(0.7)")
        connection.execute(f"COPY (SELECT {', '.join(columns)} FROM range({rows})) TO '{file}' (FORMAT csv, HEADER)")
    return file


def _by_duckdb(how: str, file: Path, folder: Path) -> Callable[[], object]:
    import duckdb

    options = "FORMAT parquet, COMPRESSION zstd" if how.endswith("zstd") else "FORMAT parquet"
    connection = duckdb.connect(":memory:", config={"threads": os.cpu_count() or 1})
    return lambda: connection.execute(f"COPY (FROM read_csv('{file}')) TO '{folder / 'rows.parquet'}' ({options})")


def _by_ingest(_: str, file: Path, folder: Path) -> Callable[[], object]:
    from flightworthy.adapters.dataset_files import DatasetFiles
    from flightworthy.adapters.partition_files import PartitionFiles
    from flightworthy.dataset import ingest
    from flightworthy.known import Ask
    from flightworthy.spec import Source

    source = PartitionFiles(source=Source(uri=f"{file.parent}/{{partition}}.csv", partition="%Y-%m"), types={})
    ask = Ask(model="wide", key=KEY, window=1, as_of=None, known_since=None)
    return lambda: ingest(source, DatasetFiles(root=folder), ask, now=datetime(2026, 2, 1, tzinfo=UTC))


def _measure(how: str, file: Path, folder: Path) -> dict[str, float]:
    folder.mkdir()
    found = apart("benchmarks.ingest", how, file, folder)
    shutil.rmtree(folder)
    return found


if __name__ == "__main__":
    if sys.argv[1:2] == ["--once"]:
        print(json.dumps(once(sys.argv[2], Path(sys.argv[3]), Path(sys.argv[4]))))
    else:
        sys.exit(main(*map(int, sys.argv[1:2])))
