"""Exact quantiles without the rows: a rough bracket by Spark's sketch, then what lies in it, counted by the executors.

Spark gathers a column in one place for its own exact ones: `approxQuantile` on the driver, `percentile` on an executor.
"""

from __future__ import annotations

import math
from itertools import accumulate
from typing import Any, Final

from great_expectations.core.metric_domain_types import MetricDomainTypes
from great_expectations.expectations.metrics.column_aggregate_metric_provider import ColumnAggregateMetricProvider
from great_expectations.expectations.metrics.column_aggregate_metrics.column_outlier_statistics import OutlierStatistics
from great_expectations.expectations.metrics.metric_provider import metric_value
from pyspark.sql import Column as SparkColumn
from pyspark.sql import DataFrame
from pyspark.sql import functions as F  # noqa: N812 # as everybody calls it

from flightworthy.adapters.gx_suites.spark_engine import SparkFilesExecutionEngine
from flightworthy.adapters.gx_suites.spark_metrics import number

__all__ = ["quantiles_of"]

_AT_ONCE: Final = 20_000
"""So many different values may come to the driver."""
_ACCURACY: Final = 10_000
"""Of the sketch: a rank is off by one in so many at most."""


def quantiles_of(rows: DataFrame, column: SparkColumn, shares: list[float]) -> list[float] | None:
    """Of values that are there, interpolated as NumPy and DuckDB do; None without any."""
    values = rows.select(column.alias("value")).where("value IS NOT NULL")
    count = values.count()
    return [_quantile(values, share * (count - 1)) for share in shares] if count else None


def _quantile(values: DataFrame, place: float) -> float:
    low, high = (_at(values, rank) for rank in (math.floor(place), math.ceil(place)))
    return low + (high - low) * (place - math.floor(place))


def _at(values: DataFrame, rank: int) -> float:
    """The value at a place, counted from 0, of all in order."""
    while values.select("value").distinct().limit(_AT_ONCE + 1).count() > _AT_ONCE:
        count = values.count()
        around = [max(rank / count - 2 / _ACCURACY, 0.0), min((rank + 1) / count + 2 / _ACCURACY, 1.0)]
        [[(low, high)]] = values.agg(F.percentile_approx("value", around, _ACCURACY)).collect()
        rank -= values.where(F.col("value") < low).count()
        values = values.where(F.col("value").between(low, high))
    counted = values.groupBy("value").count().orderBy("value").collect()
    reached = accumulate(row["count"] for row in counted)
    return float(next(row["value"] for row, so_many in zip(counted, reached, strict=True) if so_many > rank))


class _Median(ColumnAggregateMetricProvider):
    metric_name = "column.median"

    @metric_value(engine=SparkFilesExecutionEngine)
    def _spark(cls, execution_engine: SparkFilesExecutionEngine, metric_domain_kwargs: Any, **_: Any) -> Any:
        column = number(*execution_engine.known(metric_domain_kwargs))
        found = quantiles_of(execution_engine.get_domain_records(metric_domain_kwargs), column, [0.5])
        return None if found is None else found[0]


class _Outliers(ColumnAggregateMetricProvider):
    metric_name = "column.outlier_statistics"
    value_keys = ("method",)

    @metric_value(engine=SparkFilesExecutionEngine)
    def _spark(cls, execution_engine: Any, metric_domain_kwargs: Any, metric_value_kwargs: Any, **_: Any) -> Any:
        rows, _, _ = execution_engine.get_compute_domain(metric_domain_kwargs, MetricDomainTypes.COLUMN)
        known, column = execution_engine.known(metric_domain_kwargs)
        if not known.is_number:
            raise TypeError(f"{known.name} holds no numbers")
        column = number(known, column)
        if metric_value_kwargs["method"] == "std":
            [(mean, spread)] = rows.agg(F.avg(column), F.stddev_samp(column)).collect()
            return OutlierStatistics(lower_reference=mean, upper_reference=mean, spread=spread)
        low, high = quantiles_of(rows, column, [0.25, 0.75]) or (None, None)
        spread = None if low is None or high is None else high - low
        return OutlierStatistics(lower_reference=low, upper_reference=high, spread=spread)
