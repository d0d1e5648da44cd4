"""Profiles partitions with DuckDB over the stored files: a query per partition, and one per column of few values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import duckdb

from flightworthy.expectations.profile import Column, Part, Profile

__all__ = ["DuckdbProfiles"]

_LISTED: Final = 50
"""More values than this name rather than describe."""
_NUMBERS: Final = ("BIGINT", "INTEGER", "UBIGINT", "DOUBLE")


@dataclass(frozen=True, slots=True)
class DuckdbProfiles:
    """A `flightworthy.expectations.profile.PartitionProfiler`."""

    def profile(self, partitions: Mapping[str, Sequence[object]]) -> Profile:
        """Columns in the order of the newest partition; one that a partition lacks is missing in all of its rows."""
        with duckdb.connect(":memory:") as connection:
            everything = [file for files in partitions.values() for file in files]
            types = dict(row[:2] for row in connection.execute(f"DESCRIBE {_rows(everything)}").fetchall())
            parts = [_parts(connection, files, types) for files in partitions.values()]
            return Profile(
                keys=tuple(partitions),
                rows=tuple(next(iter(part.values())).rows for part in parts),
                columns=tuple(
                    Column(
                        name=name,
                        parts=tuple(part[name] for part in parts),
                        values=_values(connection, everything, name),
                    )
                    for name in types
                ),
            )


def _parts(connection: duckdb.DuckDBPyConnection, files: Sequence[object], types: Mapping[str, str]) -> dict[str, Part]:
    here = {row[0] for row in connection.execute(f"DESCRIBE {_rows(files)}").fetchall()}
    present = [name for name in types if name in here]
    asked = ", ".join(_asked(name, is_number=types[name] in _NUMBERS) for name in present)
    (rows, *told) = _one(connection, f"SELECT count(*), {asked} FROM ({_rows(files)})")
    each = dict(zip(present, zip(*[iter(told)] * 5, strict=True), strict=True))
    return {name: _part(rows, *each[name]) if name in each else _part(rows, 0, 0) for name in types}


def _part(rows: int, filled: int, distinct: int, *statistics: float | None) -> Part:
    mean, deviation, median = statistics or (None, None, None)
    return Part(rows=rows, missing=rows - filled, distinct=distinct, mean=mean, deviation=deviation, median=median)


def _asked(name: str, *, is_number: bool) -> str:
    column = _quoted(name)
    statistics = f"avg({column}), stddev_samp({column}), median({column})" if is_number else "NULL, NULL, NULL"
    return f"count({column}), count(DISTINCT {column}), {statistics}"


def _values(connection: duckdb.DuckDBPyConnection, files: Sequence[object], name: str) -> dict[object, int] | None:
    column = _quoted(name)
    query = f"SELECT {column}, count(*) FROM ({_rows(files)}) WHERE {column} IS NOT NULL GROUP BY 1 LIMIT {_LISTED + 1}"
    found = connection.execute(query).fetchall()
    return None if len(found) > _LISTED else dict(sorted(found, key=lambda row: str(row[0])))


def _rows(files: Sequence[object]) -> str:
    listed = ", ".join("'" + str(file).replace("'", "''") + "'" for file in files)
    return f"SELECT * FROM read_parquet([{listed}], union_by_name = true, hive_partitioning = false)"


def _one(connection: duckdb.DuckDBPyConnection, query: str) -> Any:
    return connection.execute(query).fetchone()


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
