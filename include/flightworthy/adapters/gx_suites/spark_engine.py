"""Great Expectations' Spark engine over a partition's Parquet files: executors read them, the driver gets answers.

What differs from the library's own answers is in providers registered for this class (`spark_metrics`, `spark_order`,
`spark_python`), which the library finds by the order of inheritance.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import reduce
from pathlib import Path
from typing import Any, Final, Literal

from great_expectations.datasource.fluent.spark_datasource import SparkDatasource
from great_expectations.execution_engine.sparkdf_execution_engine import SparkDFExecutionEngine
from pyspark.sql import Column as SparkColumn
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F  # noqa: N812 # as everybody calls it

from flightworthy.adapters.gx_suites.answered import AnsweredOnce
from flightworthy.adapters.gx_suites.parquet_columns import Column, columns_of

__all__ = ["POSITION", "SparkFilesDatasource", "SparkFilesExecutionEngine", "quoted", "rows_of"]

POSITION: Final = "flightworthy_position"
"""The place of a row in its files; a hidden column of the frame."""
_NAMES: Final = ("column", "column_A", "column_B")


def rows_of(spark: SparkSession, files: Sequence[str]) -> DataFrame:
    """The rows of ``files``, which share a schema, as pandas would show them: whole numbers with a gap are floats."""
    selected = [
        (column.cast("double") if each.widened else column).alias(each.name)
        for each in columns_of([Path(file) for file in files])
        for column in [F.col(quoted(each.name))]
    ]
    position = F.struct("_metadata.file_path", "_metadata.row_index").alias(POSITION)
    # A folder's name is no pattern, whatever it looks like; Spark's own word for that is not in its manual. And each
    # file by itself: of several in such a folder it reads all as often as there are files.
    read = spark.read.option("__globPaths__", "false")
    return reduce(DataFrame.union, [read.parquet(f"file:{file}").select(*selected, position) for file in files])


def quoted(name: str) -> str:
    """A column's name where Spark would take a dot for a field of a struct."""
    return "`" + name.replace("`", "``") + "`" if set(name) & {".", "`"} else name


class SparkFilesExecutionEngine(AnsweredOnce, SparkDFExecutionEngine):
    """Over the Parquet files ``files``, which share a schema. Nothing is cached: executors read them again."""

    def __init__(self, *, files: Sequence[str] = (), **kwargs: Any) -> None:
        super().__init__(spark=SparkSession.active(), persist=False)
        self.columns: dict[str, Column] = {each.name: each for each in columns_of([Path(file) for file in files])}

    def get_domain_records(self, domain_kwargs: dict[str, Any]) -> DataFrame:
        """The rows that a metric is about."""
        rows: DataFrame = super().get_domain_records(self._readable(domain_kwargs))
        return rows

    def get_compute_domain(
        self, domain_kwargs: dict[str, Any], domain_type: Any, accessor_keys: Iterable[str] | None = None
    ) -> tuple[DataFrame, dict[str, Any], dict[str, Any]]:
        """The rows, and the columns that a metric is to look at, as Spark reads their names."""
        rows, compute, accessor = super().get_compute_domain(domain_kwargs, domain_type, accessor_keys)
        return rows, compute, self._readable(accessor)

    def _readable(self, domain: dict[str, Any]) -> dict[str, Any]:
        told: dict[str, Any] = {key: self._name(domain[key]) for key in _NAMES if key in domain}
        if "column_list" in domain:
            told["column_list"] = [self._name(name) for name in domain["column_list"]]
        return {**domain, **told}

    def _name(self, name: str) -> str:
        # What the library hands back was quoted before.
        return quoted(name) if name in self.columns else name

    def known(self, domain: dict[str, Any]) -> tuple[Column, SparkColumn]:
        """What is known of a domain's column, and the column itself."""
        name = str(domain["column"])
        return self.columns[name], F.col(quoted(name))


class SparkFilesDatasource(SparkDatasource):
    """A datasource of Great Expectations: Parquet files, by Spark."""

    type: Literal["flightworthy_spark"] = "flightworthy_spark"  # type: ignore[assignment] # as its own do
    files: list[str]

    @property
    def execution_engine_type(self) -> Any:
        """Which engine runs its metrics."""
        return SparkFilesExecutionEngine

    def test_connection(self, test_assets: bool = True) -> None:
        """Nothing to test: there was a session before this was made."""
