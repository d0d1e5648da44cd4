"""A suite of fifteen on ten million rows of twenty columns: on DuckDB, on pandas, and as one pass of SQL.

Each in a process of its own, over the same Parquet file. ``python -m benchmarks.expectations [ROWS]`` measures; with
``--once HOW FILE`` it is such a process, and prints its seconds and its peak memory, imports not counted.
"""

from __future__ import annotations

import json
import resource
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks.apart import apart
from benchmarks.result import Result, machine, row, typical

ROWS, CHUNK, ROUNDS = 10_000_000, 500_000, 3
WAYS = ("sql", "duckdb", "pandas")
SUITE: tuple[tuple[str, dict[str, Any]], ...] = (
    ("table_row_count_to_be_between", {"min_value": 1}),
    *(("column_values_to_not_be_null", {"column": name}) for name in ("id", "n0", "n1", "c0")),
    *(
        ("column_values_to_be_between", {"column": name, "min_value": -9, "max_value": 9})
        for name in ("n0", "n1", "n2")
    ),
    *(("column_values_to_be_in_set", {"column": name, "value_set": ["a", "b", "c", "d"]}) for name in ("c0", "c1")),
    ("column_mean_to_be_between", {"column": "n3", "min_value": -1, "max_value": 1}),
    ("column_stdev_to_be_between", {"column": "n4", "min_value": 0.5, "max_value": 2}),
    ("column_median_to_be_between", {"column": "n5", "min_value": -1, "max_value": 1}),
    ("column_values_to_be_unique", {"column": "id"}),
    ("column_values_to_match_regex", {"column": "c2", "regex": "^[a-d]$"}),
)
SQL = """
    SELECT count(*), count(*) FILTER (WHERE id IS NULL), count(*) FILTER (WHERE n0 IS NULL),
           count(*) FILTER (WHERE n1 IS NULL), count(*) FILTER (WHERE c0 IS NULL),
           count(*) FILTER (WHERE n0 NOT BETWEEN -9 AND 9), count(*) FILTER (WHERE n1 NOT BETWEEN -9 AND 9),
           count(*) FILTER (WHERE n2 NOT BETWEEN -9 AND 9), count(*) FILTER (WHERE c0 NOT IN ('a', 'b', 'c', 'd')),
           count(*) FILTER (WHERE c1 NOT IN ('a', 'b', 'c', 'd')), avg(n3), stddev_samp(n4), median(n5),
           count(id) - count(DISTINCT id), count(*) FILTER (WHERE NOT regexp_matches(c2, '^[a-d]$'))
    FROM read_parquet($1)
"""


@dataclass(frozen=True, slots=True)
class Stored:
    """A `flightworthy.expectations.StoredRows` of one file."""

    file: Path

    @property
    def files(self) -> Sequence[Path]:
        return (self.file,)

    @property
    def columns(self) -> Sequence[str]:
        from pyarrow import parquet

        return list(parquet.read_schema(self.file).names)

    def frame(self) -> Any:
        """All of it as pandas."""
        import pandas as pd

        return pd.read_parquet(self.file)


def main(rows: int = ROWS) -> int:
    """Measure, publish; 0 whether the figures were reached or not."""
    found: dict[str, list[dict[str, float]]] = {way: [] for way in WAYS}
    with tempfile.TemporaryDirectory(prefix="flightworthy-expectations-") as scratch:
        file = write(Path(scratch) / "rows.parquet", rows)
        for number in range(1, ROUNDS + 1):
            for way in WAYS:
                found[way].append(measured := apart("benchmarks.expectations", way, file))
                print(f"  round {number}, {way}: {measured['seconds']:.2f} s, {measured['mb']:.0f} MB")
    seconds = {way: typical(each["seconds"] for each in found[way]) for way in WAYS}
    memory = {way: typical(each["mb"] for each in found[way]) for way in WAYS}
    Result(
        name="expectations",
        machine=machine(),
        rows=(
            row("one pass of DuckDB SQL", seconds["sql"], "s"),
            row("suite of 15 on DuckDB", seconds["duckdb"], "s"),
            row("suite of 15 on pandas", seconds["pandas"], "s"),
            row("DuckDB against one pass of SQL", seconds["duckdb"] / seconds["sql"], "times", at_most=1.2),
            row("pandas against DuckDB", seconds["pandas"] / seconds["duckdb"], "times", at_least=5),
            row("peak memory on DuckDB against pandas", memory["duckdb"] / memory["pandas"], "times", at_most=0.2),
            row("peak memory on DuckDB", memory["duckdb"], "MB", at_most=1000),
        ),
        notes=(
            f"{rows:,} rows of 20 columns in one Parquet file; the medians of {ROUNDS} interleaved rounds.",
            "Each in a process of its own; imports count in memory and not in time. The suite's page is written.",
        ),
    ).publish()
    return 0


def once(how: str, file: Path) -> dict[str, float]:
    """Do it one way, in this process. Raises RuntimeError where the suite did not pass."""
    work = {"sql": _by_sql, "duckdb": _by_suite, "pandas": _by_suite}[how](how, file)
    began_at = time.perf_counter()
    work()
    seconds = time.perf_counter() - began_at
    return {"seconds": seconds, "mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}


def write(file: Path, rows: int) -> Path:
    """Twenty columns: an id, twelve numbers, seven categories; in chunks, so that writing needs little memory."""
    import numpy as np
    import pyarrow as pa
    from pyarrow import parquet

    random, writer = np.random.default_rng(7), None
    for start in range(0, rows, CHUNK):
        size = min(CHUNK, rows - start)
        columns: dict[str, Any] = {"id": np.arange(start, start + size)}
        columns |= {f"n{number}": random.normal(size=size).clip(-9, 9) for number in range(12)}
        columns |= {f"c{number}": random.choice(list("abcd"), size=size) for number in range(7)}
        table = pa.table(columns)
        writer = writer or parquet.ParquetWriter(file, table.schema, compression="zstd")
        writer.write_table(table)
    if writer is not None:
        writer.close()
    return file


def _by_sql(_: str, file: Path) -> Callable[[], Any]:
    import duckdb

    return lambda: duckdb.connect(":memory:").execute(SQL, [str(file)]).fetchall()


def _by_suite(how: str, file: Path) -> Callable[[], Any]:
    from flightworthy.adapters.gx_suites import GxSuites, duckdb_engine  # noqa: F401 # imports are not counted
    from flightworthy.expectations import Engine, Expectation

    engine: Engine = "duckdb" if how == "duckdb" else "pandas"
    said = [
        Expectation(type=f"expect_{name}", kwargs=kwargs, severity="critical", meta={}, line=None)
        for name, kwargs in SUITE
    ]

    def work() -> None:
        with tempfile.TemporaryDirectory(prefix="flightworthy-reports-") as reports:
            suites = GxSuites(reports=Path(reports))
            result = suites.validate(
                Stored(file), said, engine=engine, model="wide", key="2026-01", now=datetime(2026, 1, 1, tzinfo=UTC)
            )
            suites.publish(result, [])
        if not result.passed or result.checked != len(SUITE):
            raise RuntimeError(f"the suite did not pass: {result.objections}")

    return work


if __name__ == "__main__":
    if sys.argv[1:2] == ["--once"]:
        print(json.dumps(once(sys.argv[2], Path(sys.argv[3]))))
    else:
        sys.exit(main(*map(int, sys.argv[1:2])))
