"""What is repeated or out of order, on Spark. Jobs of their own, each over one column."""

from __future__ import annotations

from typing import Any

from pyspark.sql import Column as SparkColumn
from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F  # noqa: N812 # as everybody calls it

from flightworthy.adapters.gx_suites.order import Finder, register
from flightworthy.adapters.gx_suites.parquet_columns import Column
from flightworthy.adapters.gx_suites.spark_engine import POSITION, SparkFilesExecutionEngine

__all__: list[str] = []


def _column(engine: SparkFilesExecutionEngine, domain: dict[str, Any]) -> tuple[Column, DataFrame, SparkColumn]:
    known, column = engine.known(domain)
    return known, engine.get_domain_records(domain), column


def _repeated(rows: DataFrame, column: SparkColumn) -> DataFrame:
    """Values that are there more than once, each with how often."""
    return (
        rows.where(column.isNotNull()).groupBy(column.alias("value")).agg(F.count("*").alias("rows")).where("rows > 1")
    )


def _out_of_order(rows: DataFrame, column: SparkColumn, *, falls: bool, strictly: bool) -> DataFrame:
    # One task sorts the column, and spills what its memory does not hold: order is what cannot be divided.
    before = F.lag("value").over(Window.orderBy("position"))
    pairs = rows.where(column.isNotNull()).select(column.alias("value"), F.col(POSITION).alias("position"))
    pairs = pairs.withColumn("before", before)
    one, other = (F.col("value"), F.col("before")) if falls else (F.col("before"), F.col("value"))
    return pairs.where(one >= other if strictly else one > other).withColumn("rows", F.lit(1))


def _count(_: SparkFilesExecutionEngine, found: DataFrame) -> int:
    return int(found.agg(F.sum("rows")).collect()[0][0] or 0)


def _values(_: SparkFilesExecutionEngine, found: DataFrame, shown: int) -> list[Any]:
    return [row["value"] for row in found.select("value").take(shown)]


register(
    Finder(
        engine=SparkFilesExecutionEngine,
        column=_column,
        repeated=_repeated,
        out_of_order=_out_of_order,
        count=_count,
        values=_values,
    )
)
