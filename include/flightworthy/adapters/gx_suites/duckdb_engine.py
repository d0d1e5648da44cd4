"""A Great Expectations execution engine that asks DuckDB, over a view of Parquet files: no row becomes a frame.

A subclass of its SQLAlchemy engine. What differs from SQL elsewhere is in providers registered for this class
(`duckdb_metrics`), which the library finds by the order of inheritance; all else is the library's.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, Literal

import duckdb
import pandas as pd
import pyarrow as pa
import sqlalchemy as sa
from duckdb.func import ARROW, SPECIAL
from great_expectations.datasource.fluent.sql_datasource import SQLDatasource
from great_expectations.execution_engine.sqlalchemy_execution_engine import SqlAlchemyExecutionEngine

from flightworthy.adapters.gx_suites.answered import AnsweredOnce
from flightworthy.adapters.gx_suites.parquet_columns import Column, columns_of

__all__ = ["POSITION", "VIEW", "DuckdbExecutionEngine", "ParquetDatasource"]

VIEW: Final = "partition_rows"
POSITION: Final = "flightworthy_position"
"""The place of a row in its files; a hidden column of the view."""
_FILE: Final = "flightworthy_file"


class DuckdbExecutionEngine(AnsweredOnce, SqlAlchemyExecutionEngine):
    """Over the Parquet files ``files``, which share a schema. Reading it is what checks them; nothing is written."""

    def __init__(self, *, files: Sequence[str] = (), **kwargs: Any) -> None:
        super().__init__(**kwargs, poolclass=sa.pool.StaticPool)
        self.columns: dict[str, Column] = {each.name: each for each in columns_of([Path(file) for file in files])}
        self._numbers = itertools.count()
        with self.get_connection() as connection:
            keywords = connection.exec_driver_sql("SELECT keyword_name FROM duckdb_keywords()").fetchall()
            # The dialect knows PostgreSQL's, and would leave a column named `at` without its quotes.
            self.engine.dialect.identifier_preparer.reserved_words = {name for (name,) in keywords}
            # Over a partition's rows nothing depends on their order but what asks for their position.
            connection.exec_driver_sql("SET preserve_insertion_order = false")
            connection.exec_driver_sql(_view(files, self.columns.values()))
            connection.commit()

    @contextmanager
    def get_connection(self) -> Iterator[sa.Connection]:
        """The one connection there is: a view, a function and a result live as long as it does."""
        if self._connection is None:
            self._connection = self.engine.connect()
        yield self._connection

    def execute_query(self, query: Any) -> Any:
        """Run a query. One that fails must not fail those after it, which share its transaction."""
        with self.get_connection() as connection:
            try:
                # All of it now: DuckDB would keep an answer that is half read open, and refuse the next question.
                return connection.execute(query).freeze()()
            except sa.exc.DBAPIError:
                connection.rollback()
                raise

    def close(self) -> None:
        """Close the one connection."""
        if (connection := getattr(self, "_connection", None)) is not None:
            connection.close()
            self._connection = None
        self.engine.dispose()

    def in_python(self, column: sa.ColumnElement[Any], told: Callable[[Any], Any]) -> sa.ColumnElement[Any]:
        """What ``told`` says of a column's values, a few thousand at a time; missing where the value is.

        For what SQL cannot say, or would say differently: Python's regular expressions, formats of dates, JSON.
        """
        known = self.columns[str(column.name)]
        name = f"in_python_{next(self._numbers)}"

        def by_chunk(chunk: pa.ChunkedArray | pa.Array) -> pa.Array:
            values = pd.Series(chunk.to_pandas(), dtype=None if known.is_number else object)
            present = values.notna()
            said = pd.Series([None] * len(values), dtype=object)
            if present.any():
                said[present] = told(values[present]).to_numpy()
            return pa.array(said.tolist(), type=pa.bool_())

        self._duckdb().create_function(
            name,
            by_chunk,
            [self._type(column)],
            "BOOLEAN",
            type=ARROW,
            null_handling=SPECIAL,
        )
        with self.get_connection() as connection:
            connection.commit()  # or another query that fails takes the function back
        told_of: sa.ColumnElement[Any] = getattr(sa.func, name)(column, type_=sa.Boolean)
        return told_of

    def _type(self, column: sa.ColumnElement[Any]) -> str:
        said = self._duckdb().sql(f"DESCRIBE {VIEW}").fetchall()
        return next(str(kind) for name, kind, *_ in said if name == str(column.name))

    def _duckdb(self) -> duckdb.DuckDBPyConnection:
        with self.get_connection() as connection:
            wrapped: Any = connection.connection.dbapi_connection
        # The dialect's wrapper passes every name that it lacks on to DuckDB's own connection.
        return wrapped  # type: ignore[no-any-return]


def _view(files: Sequence[str], columns: Any) -> str:
    def quoted(name: str) -> str:
        return '"' + name.replace('"', '""') + '"'

    selected = [
        f"CAST({quoted(each.name)} AS DOUBLE) AS {quoted(each.name)}" if each.widened else quoted(each.name)
        for each in columns
    ]
    listed = ", ".join("'" + file.replace("'", "''") + "'" for file in files)
    position = f"struct_pack(file := {_FILE}, row := file_row_number) AS {POSITION}"
    # A column of the rows may be called filename, which is what DuckDB would call its own.
    source = f"read_parquet([{listed}], filename = '{_FILE}', file_row_number = true, hive_partitioning = false)"
    return f"CREATE VIEW {VIEW} AS SELECT {', '.join([*selected, position])} FROM {source}"  # noqa: S608 # quoted


class ParquetDatasource(SQLDatasource):
    """A datasource of Great Expectations: Parquet files, by DuckDB."""

    type: Literal["flightworthy_parquet"] = "flightworthy_parquet"  # type: ignore[assignment] # as its own do
    files: list[str]

    @property
    def execution_engine_type(self) -> Any:
        """Which engine runs its metrics."""
        return DuckdbExecutionEngine

    def test_connection(self, test_assets: bool = True) -> None:
        """Nothing to test: a file that is not there is said when the engine is made."""
