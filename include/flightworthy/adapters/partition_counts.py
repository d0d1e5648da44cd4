"""Counts partitions for their comparison, with DuckDB over the stored files: no row becomes a frame."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import duckdb

from flightworthy.expectations import Asked, Counts, Rank

__all__ = ["DuckdbCounts"]

_BINS: Final = 20
_CATEGORIES: Final = 200
"""More values than this name rather than describe, and are neither binned nor ranked."""
_FILE: Final = "the file in which a row lies"
"""A column's name that no source has."""


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
                ranks=_ranks(connection, asked, files, reference),
                duplicates=rows - distinct,
                repeats=_repeats(connection) if reference else 0,
                retimed=_repeats(connection, but=asked.times) if reference and asked.times else 0,
            )


def _view(connection: duckdb.DuckDBPyConnection, name: str, files: Sequence[object]) -> None:
    connection.execute(f"CREATE VIEW {name} AS SELECT * FROM {_read(files)}")


def _read(files: Sequence[object], options: str = "") -> str:
    listed = ", ".join("'" + str(file).replace("'", "''") + "'" for file in files)
    return f"read_parquet([{listed}], union_by_name = true, hive_partitioning = false{options})"


def _labels(connection: duckdb.DuckDBPyConnection, rows: str, asked: Asked) -> dict[str, tuple[int, int]]:
    positive = f"count(*) FILTER (WHERE {_is_positive(asked)})"
    labelled = f"count({_quoted(asked.target)})"
    found = {"": _row(connection, f"SELECT {positive}, {labelled} FROM {rows}", asked.positive)}
    for column in asked.slices:
        name = _quoted(column)
        groups = f"{rows} WHERE {name} IS NOT NULL GROUP BY 1 ORDER BY 1 LIMIT {_CATEGORIES}"
        query = f"SELECT {name}, {positive}, {labelled} FROM {groups}"
        for value, positives, count in connection.execute(query, [_text(asked.positive)]).fetchall():
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


def _ranks(
    connection: duckdb.DuckDBPyConnection, asked: Asked, files: Sequence[object], reference: Sequence[object]
) -> dict[str, list[Rank]]:
    """Twice as many partitions each time, so that a window of many is ranked a few times only."""
    if (suspect_above := asked.suspect_above) is None:
        return {}
    found: dict[str, list[Rank]] = {name: [] for name in asked.features}
    older = len(reference)
    while True:
        for name in (name for name, ranks in found.items() if not any(rank.is_enough for rank in ranks)):
            rank = _rank(connection, [*files, *reference[older:]], name, asked)
            if rank is not None and older and rank.needs_before(suspect_above):
                rank = replace(rank, before=_rank(connection, reference[:older], name, asked))
            found[name] += [] if rank is None else [rank]
        if not older:
            return found
        older = max(0, older - (len(reference) - older + 1))


def _rank(connection: duckdb.DuckDBPyConnection, files: Sequence[object], column: str, asked: Asked) -> Rank | None:
    """The area under the ROC curve of one feature; a category ranks by the share of its rows that are positive."""
    name = _quoted(column)
    number = asked.features[column] in {"number", "integer"}
    share = "sum(positives) OVER (PARTITION BY value) / sum(positives + negatives) OVER (PARTITION BY value)"
    query = f"""
        WITH labelled AS (
            SELECT {_quoted(_FILE)} AS part, {name} AS value, {_is_positive(asked)} AS positive
            FROM {_read(files, f", filename = '{_FILE}'")}
            WHERE {name} IS NOT NULL AND {_quoted(asked.target)} IS NOT NULL
        ), by_value AS (
            SELECT part, value, count(*) FILTER (WHERE positive) AS positives,
                   count(*) FILTER (WHERE positive IS NOT TRUE) AS negatives
            FROM labelled GROUP BY 1, 2
        ), ordered AS (
            SELECT *, {"value" if number else share} AS place FROM by_value
        ), ranked AS (
            SELECT *, sum(negatives) OVER (PARTITION BY part ORDER BY place RANGE UNBOUNDED PRECEDING) AS up_to,
                   sum(negatives) OVER (PARTITION BY part, place) AS level,
                   sum(positives) OVER (PARTITION BY part) AS yes, sum(negatives) OVER (PARTITION BY part) AS no
            FROM ordered
        )
        SELECT sum(positives * (up_to - level / 2)), sum(positives * no), sum(positives) FILTER (WHERE no > 0),
               sum(negatives) FILTER (WHERE yes > 0), {0 if number else "count(DISTINCT value)"} FROM ranked
    """
    area, pairs, positives, negatives, values = _row(connection, query, asked.positive)
    if not pairs or values > _CATEGORIES:
        return None
    return Rank(
        area=float(area) / int(pairs),
        positives=int(positives),
        negatives=int(negatives),
        values=int(values),
        partitions=len(files),
        before=None,
    )


def _repeats(connection: duckdb.DuckDBPyConnection, but: Sequence[str] = ()) -> int:
    columns = [row[0] for row in connection.execute("DESCRIBE here").fetchall() if row[0] not in but]
    known = {row[0] for row in connection.execute("DESCRIBE before").fetchall()}
    if not known.issuperset(columns):
        return 0  # a column that is new repeats nothing
    same = " AND ".join(f"here.{_quoted(each)} IS NOT DISTINCT FROM before.{_quoted(each)}" for each in columns)
    return int(_row(connection, f"SELECT count(*) FROM here SEMI JOIN before ON {same}")[0])


def _is_positive(asked: Asked) -> str:
    # As text: a label may be 1 in one partition and 1.0 in the next.
    return f"CAST({_quoted(asked.target)} AS VARCHAR) IN ($1, $1 || '.0')"


def _text(label: object) -> str:
    """As DuckDB writes it."""
    return str(label).lower() if isinstance(label, bool) else str(label)


def _row(connection: duckdb.DuckDBPyConnection, query: str, positive: object = None) -> Any:
    return connection.execute(query, [] if positive is None else [_text(positive)]).fetchone()


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
