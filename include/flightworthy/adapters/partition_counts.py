"""Counts partitions for their comparison, with DuckDB over the stored files: no row becomes a frame."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import duckdb

from flightworthy.expectations import Asked, Counts

__all__ = ["DuckdbCounts"]

_BINS: Final = 20
_CATEGORIES: Final = 200
"""More values than this name rather than describe, and are neither binned nor ranked."""


@dataclass(frozen=True, slots=True)
class DuckdbCounts:
    """A `flightworthy.expectations.PartitionCounter`."""

    def count(self, files: Sequence[object], reference: Sequence[object], asked: Asked) -> Counts:
        """A query per column, each over the one column that it is about; without a reference only what needs none."""
        with duckdb.connect(":memory:") as connection:
            _view(connection, "here", files)
            if reference:
                _view(connection, "before", reference)
            rows, distinct = _row(
                connection, "SELECT (SELECT count(*) FROM here), count(*) FROM (SELECT DISTINCT * FROM here)"
            )
            return Counts(
                rows=rows,
                reference_rows=_row(connection, "SELECT count(*) FROM before")[0] if reference else 0,
                reference_partitions=len(reference),
                labels=_labels(connection, "here", asked),
                reference_labels=_labels(connection, "before", asked) if reference else {},
                bins=_bins(connection, asked) if reference else {},
                ranks={name: ranked for name in asked.features if (ranked := _ranks(connection, name, asked))},
                duplicates=rows - distinct,
                repeats=_repeats(connection) if reference else 0,
            )


def _view(connection: duckdb.DuckDBPyConnection, name: str, files: Sequence[object]) -> None:
    listed = ", ".join("'" + str(file).replace("'", "''") + "'" for file in files)
    connection.execute(
        f"CREATE VIEW {name} AS SELECT * FROM read_parquet([{listed}], union_by_name = true, hive_partitioning = false)"
    )


def _labels(connection: duckdb.DuckDBPyConnection, rows: str, asked: Asked) -> dict[str, tuple[int, int]]:
    positive = f"count(*) FILTER (WHERE {_is_positive(asked)})"
    labelled = f"count({_quoted(asked.target)})"
    found = {"": _row(connection, f"SELECT {positive}, {labelled} FROM {rows}", asked.positive)}
    for column in asked.slices:
        name = _quoted(column)
        groups = f"{rows} WHERE {name} IS NOT NULL GROUP BY 1 ORDER BY 1 LIMIT {_CATEGORIES}"
        query = f"SELECT {name}, {positive}, {labelled} FROM {groups}"
        for value, positives, count in connection.execute(query, [str(asked.positive)]).fetchall():
            found[f"{column}={value}"] = (positives, count)
    return found


def _bins(connection: duckdb.DuckDBPyConnection, asked: Asked) -> dict[str, tuple[list[int], list[int]]]:
    found = {}
    for column, kind in asked.features.items():
        name = _quoted(column)
        place, keys = name, None
        if kind in {"number", "integer"}:
            steps = [number / _BINS for number in range(1, _BINS)]
            (edges,) = _row(connection, f"SELECT quantile_cont({name}, {steps}) FROM before")
            keys = sorted(set(edges or []))
            place = " + ".join(f"CAST({name} > {edge!r} AS INTEGER)" for edge in keys) or "0"
        here, before = (_by_place(connection, rows, name, place) for rows in ("here", "before"))
        values = sorted({*here, *before}, key=repr)
        if keys is not None or len(values) <= _CATEGORIES:
            found[column] = ([here.get(each, 0) for each in values], [before.get(each, 0) for each in values])
    return found


def _by_place(connection: duckdb.DuckDBPyConnection, rows: str, name: str, place: str) -> Mapping[Any, int]:
    query = f"SELECT {place} AS place, count(*) FROM {rows} WHERE {name} IS NOT NULL GROUP BY 1 LIMIT {_CATEGORIES + 1}"
    return dict(connection.execute(query).fetchall())


def _ranks(connection: duckdb.DuckDBPyConnection, column: str, asked: Asked) -> tuple[float, int, int] | None:
    """The area under the ROC curve of one feature; a category ranks by the share of its rows that are positive."""
    name = _quoted(column)
    number = asked.features[column] in {"number", "integer"}
    order = "value" if number else "positives / (positives + negatives)"
    query = f"""
        WITH labelled AS (
            SELECT {name} AS value, {_is_positive(asked)} AS positive FROM here
            WHERE {name} IS NOT NULL AND {_quoted(asked.target)} IS NOT NULL
        ), by_value AS (
            SELECT value, count(*) FILTER (WHERE positive) AS positives,
                   count(*) FILTER (WHERE positive IS NOT TRUE) AS negatives
            FROM labelled GROUP BY 1
        ), ranked AS (
            SELECT *, sum(negatives) OVER (ORDER BY {order} RANGE UNBOUNDED PRECEDING) AS up_to,
                   sum(negatives) OVER (PARTITION BY {order}) AS level
            FROM by_value
        )
        SELECT sum(positives * (up_to - level / 2)), sum(positives), sum(negatives), count(*) FROM ranked
    """
    area, positives, negatives, values = _row(connection, query, asked.positive)
    if not positives or not negatives or (not number and values > _CATEGORIES):
        return None
    return float(area) / (int(positives) * int(negatives)), int(positives), int(negatives)


def _repeats(connection: duckdb.DuckDBPyConnection) -> int:
    columns = [row[0] for row in connection.execute("DESCRIBE here").fetchall()]
    known = {row[0] for row in connection.execute("DESCRIBE before").fetchall()}
    if not known.issuperset(columns):
        return 0  # a column that is new repeats nothing
    same = " AND ".join(f"here.{_quoted(each)} IS NOT DISTINCT FROM before.{_quoted(each)}" for each in columns)
    return int(_row(connection, f"SELECT count(*) FROM here SEMI JOIN before ON {same}")[0])


def _is_positive(asked: Asked) -> str:
    # As text: a label may be 1 in one partition and 1.0 in the next.
    return f"CAST({_quoted(asked.target)} AS VARCHAR) IN ($1, $1 || '.0')"


def _row(connection: duckdb.DuckDBPyConnection, query: str, positive: object = None) -> Any:
    return connection.execute(query, [] if positive is None else [str(positive)]).fetchone()


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
