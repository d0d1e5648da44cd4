"""What a row's verdict owes to other rows, on Spark: uniqueness, and order. Jobs of their own, each over one column."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from great_expectations.core.metric_function_types import MetricFunctionTypes
from great_expectations.expectations import registry
from great_expectations.expectations.metrics.metric_provider import MetricProvider
from pyspark.sql import Column as SparkColumn
from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F  # noqa: N812 # as everybody calls it

from flightworthy.adapters.gx_suites.parquet_columns import Column
from flightworthy.adapters.gx_suites.spark_engine import POSITION, SparkFilesExecutionEngine

__all__: list[str] = []

_DOMAIN: Final = ("batch_id", "table", "column", "row_condition", "condition_parser")


class _Alone(MetricProvider):
    """A metric that needs no other."""


def _repeated(_: Column, rows: DataFrame, column: SparkColumn, **__: Any) -> DataFrame:
    """Values that are there more than once, each with how often."""
    return (
        rows.where(column.isNotNull()).groupBy(column.alias("value")).agg(F.count("*").alias("rows")).where("rows > 1")
    )


def _out_of_order(
    known: Column, rows: DataFrame, column: SparkColumn, *, falls: bool, strictly: bool | None = None
) -> DataFrame:
    # One task sorts the column, and spills what its memory does not hold: order is what cannot be divided.
    if known.is_text and not known.is_empty:
        raise TypeError(f"{known.name} holds text, which has no order to rise in")
    before = F.lag("value").over(Window.orderBy("position"))
    pairs = rows.where(column.isNotNull()).select(column.alias("value"), F.col(POSITION).alias("position"))
    pairs = pairs.withColumn("before", before)
    one, other = (F.col("value"), F.col("before")) if falls else (F.col("before"), F.col("value"))
    return pairs.where(one >= other if strictly else one > other).withColumn("rows", F.lit(1))


def _rising(known: Column, rows: DataFrame, column: SparkColumn, **kwargs: Any) -> DataFrame:
    return _out_of_order(known, rows, column, falls=False, **kwargs)


def _falling(known: Column, rows: DataFrame, column: SparkColumn, **kwargs: Any) -> DataFrame:
    return _out_of_order(known, rows, column, falls=True, **kwargs)


def _register(name: str, value_keys: tuple[str, ...], unexpected: Callable[..., DataFrame]) -> None:
    def select(engine: SparkFilesExecutionEngine, domain: dict[str, Any], kwargs: dict[str, Any]) -> DataFrame:
        known, column = engine.known(domain)
        said = {key: kwargs.get(key) for key in value_keys}
        return unexpected(known, engine.get_domain_records(domain), column, **said)

    def count(execution_engine: Any, metric_domain_kwargs: Any, metric_value_kwargs: Any, **_: Any) -> int:
        found = select(execution_engine, metric_domain_kwargs, metric_value_kwargs).agg(F.sum("rows")).collect()
        return int(found[0][0] or 0)

    def values(execution_engine: Any, metric_domain_kwargs: Any, metric_value_kwargs: Any, **_: Any) -> list[Any]:
        shown = metric_value_kwargs["result_format"]["partial_unexpected_count"]
        found = select(execution_engine, metric_domain_kwargs, metric_value_kwargs)
        return [row["value"] for row in found.select("value").take(shown)]

    for ending, keys, provider in (
        ("unexpected_count", value_keys, count),
        ("unexpected_values", (*value_keys, "result_format"), values),
    ):
        registry.register_metric(
            metric_name=f"{name}.{ending}",
            metric_domain_keys=_DOMAIN,
            metric_value_keys=keys,
            execution_engine=SparkFilesExecutionEngine,
            metric_class=_Alone,
            metric_provider=provider,
            metric_fn_type=MetricFunctionTypes.VALUE,
        )


_register("column_values.unique", (), _repeated)
_register("column_values.increasing", ("strictly",), _rising)
_register("column_values.decreasing", ("strictly",), _falling)
