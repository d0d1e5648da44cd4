"""What Spark says otherwise than pandas, so that a suite means on it what it means there. Registered on import.

Spark widens numbers to compare them with text, and refuses what pandas compares: here the type of a column decides, as
it does on DuckDB. And no value leaves the executors that is not an answer.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

from great_expectations.core.metric_domain_types import MetricDomainTypes
from great_expectations.core.metric_function_types import MetricPartialFunctionTypes
from great_expectations.expectations.metrics.column_aggregate_metric_provider import ColumnAggregateMetricProvider
from great_expectations.expectations.metrics.column_aggregate_metrics import (
    column_distinct_values_missing_from_column as missing_from,
)
from great_expectations.expectations.metrics.column_aggregate_metrics import (
    column_distinct_values_not_in_set as not_in_set,
)
from great_expectations.expectations.metrics.map_metric_provider.column_map_metric_provider import (
    ColumnMapMetricProvider,
)
from great_expectations.expectations.metrics.metric_provider import metric_partial, metric_value
from great_expectations.expectations.metrics.table_metric_provider import TableMetricProvider
from pyspark.sql import Column as SparkColumn
from pyspark.sql import DataFrame
from pyspark.sql import functions as F  # noqa: N812 # as everybody calls it

from flightworthy.adapters.gx_suites.parquet_columns import Column
from flightworthy.adapters.gx_suites.spark_engine import SparkFilesExecutionEngine
from flightworthy.adapters.gx_suites.typed_expectations import type_of

__all__ = ["Values", "condition", "literal", "number"]

_LARGEST: Final = 2**63
_EXAMPLES: Final = 20


class _Columns(TableMetricProvider):
    """Without the hidden one."""

    metric_name = "table.columns"

    @metric_value(engine=SparkFilesExecutionEngine)
    def _spark(cls, execution_engine: SparkFilesExecutionEngine, **_: Any) -> list[str]:
        return list(execution_engine.columns)


class _ColumnTypes(TableMetricProvider):
    metric_name = "table.column_types"
    value_keys = ("include_nested",)

    @metric_value(engine=SparkFilesExecutionEngine)
    def _spark(cls, execution_engine: SparkFilesExecutionEngine, **_: Any) -> list[dict[str, Any]]:
        return [{"name": name, "type": type_of(column)} for name, column in execution_engine.columns.items()]


# -- aggregates that go into the one question with all the others ------------------------------------------------------


def _aggregate(name: str, aggregate: Callable[[SparkColumn], SparkColumn]) -> None:
    """Of a column that one can calculate with."""

    class _Aggregate(ColumnAggregateMetricProvider):
        metric_name = name

        @metric_partial(
            engine=SparkFilesExecutionEngine,
            partial_fn_type=MetricPartialFunctionTypes.AGGREGATE_FN,
            domain_type=MetricDomainTypes.COLUMN,
        )
        def _spark(cls, execution_engine: SparkFilesExecutionEngine, metric_domain_kwargs: Any, **_: Any) -> Any:
            domain = execution_engine.get_compute_domain(metric_domain_kwargs, MetricDomainTypes.COLUMN)
            return aggregate(number(*execution_engine.known(metric_domain_kwargs))), *domain[1:]


def number(known: Column, column: SparkColumn) -> SparkColumn:
    """The column as floats; raises TypeError where pandas could not calculate with it."""
    if not known.is_empty and not known.is_number and not known.is_boolean:
        raise TypeError(f"{known.name} holds no numbers")
    return (column.cast("int") if known.is_boolean else column).cast("double")


_aggregate("column.mean", F.avg)
_aggregate("column.standard_deviation", F.stddev_samp)


class _Sum(ColumnAggregateMetricProvider):
    """Of whole numbers in a decimal, which neither overflows nor rounds; so it cannot go with the others."""

    metric_name = "column.sum"

    @metric_value(engine=SparkFilesExecutionEngine)
    def _spark(cls, execution_engine: SparkFilesExecutionEngine, metric_domain_kwargs: Any, **_: Any) -> Any:
        known, column = execution_engine.known(metric_domain_kwargs)
        floats = number(known, column)
        rows = execution_engine.get_domain_records(metric_domain_kwargs)
        [[said]] = rows.agg(F.sum(column.cast("decimal(20,0)") if known.is_whole else floats)).collect()
        # pandas' sum of nothing is nothing, and not unknown.
        return 0 if said is None else int(said) if known.is_whole else said


# -- conditions on a value, by its column's type -----------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Values:
    """What a condition is about: a column, what is known of it, and the rows that it stands in."""

    known: Column
    column: SparkColumn
    rows: DataFrame


def condition(name: str, value_keys: tuple[str, ...], defaults: dict[str, Any] | None = None) -> Callable[..., None]:
    """Registers ``(values, **kwargs) -> condition`` as what is expected of a value that is there."""

    def registered(expected: Callable[..., SparkColumn]) -> None:
        class _Condition(ColumnMapMetricProvider):
            condition_metric_name = name
            condition_value_keys = value_keys
            default_kwarg_values = defaults or {}

            @metric_partial(
                engine=SparkFilesExecutionEngine,
                partial_fn_type=MetricPartialFunctionTypes.MAP_CONDITION_FN,
                domain_type=MetricDomainTypes.COLUMN,
            )
            def _spark(
                cls, execution_engine: Any, metric_domain_kwargs: Any, metric_value_kwargs: Any, **_: Any
            ) -> Any:
                known, column = execution_engine.known(metric_domain_kwargs)
                rows, compute, accessor = execution_engine.get_compute_domain(
                    metric_domain_kwargs, MetricDomainTypes.COLUMN
                )
                values = Values(known=known, column=column, rows=rows)
                said = expected(values, **{key: metric_value_kwargs.get(key) for key in value_keys})
                return column.isNotNull() & ~said, compute, accessor

    return registered


def _among(known: Column, column: SparkColumn, values: Iterable[Any]) -> SparkColumn:
    return column.isin([literal(value) for value in known.held(values)])


def literal(value: Any) -> SparkColumn:
    """A value as Spark writes it; whole numbers beyond its own are decimals."""
    return F.lit(Decimal(value) if isinstance(value, int) and abs(value) >= _LARGEST else value)


@condition("column_values.in_set", ("value_set",))
def _in_set(values: Values, value_set: Sequence[Any] | None) -> SparkColumn:
    return F.lit(True) if value_set is None else _among(values.known, values.column, value_set)


@condition("column_values.not_in_set", ("value_set",))
def _not_in_set(values: Values, value_set: Sequence[Any] | None) -> SparkColumn:
    return F.lit(True) if value_set is None else ~_among(values.known, values.column, value_set)


@condition("column_values.between", ("min_value", "max_value", "strict_min", "strict_max"))
def _between(values: Values, **kwargs: Any) -> SparkColumn:
    if values.known.is_empty:
        return F.lit(True)
    low, high = (_as_bound(values.known, kwargs[name]) for name in ("min_value", "max_value"))
    if low is None and high is None:
        raise ValueError("min_value and max_value cannot both be None")
    held = values.column.cast("int") if values.known.is_boolean else values.column
    said = F.lit(True)
    if low is not None:
        said &= held > literal(low) if kwargs["strict_min"] else held >= literal(low)
    if high is not None:
        said &= held < literal(high) if kwargs["strict_max"] else held <= literal(high)
    return said


def _as_bound(known: Column, bound: Any) -> Any:
    if bound is not None and not known.comparable([bound]):
        raise TypeError(f"{known.name} is of another type than its bound {bound!r}")
    # Beyond 2^53 a float next to whole numbers would have them compared as floats.
    return int(bound) if isinstance(bound, float) and bound.is_integer() else bound


# -- distinct values against a set: counted where they lie -------------------------------------------------------------


def _distinct(provider: Any, answer: Callable[..., Any]) -> None:
    class _Distinct(ColumnAggregateMetricProvider):
        metric_name = provider.metric_name
        value_keys = provider.value_keys
        default_kwarg_values = provider.default_kwarg_values

        @metric_value(engine=SparkFilesExecutionEngine)
        def _spark(cls, execution_engine: Any, metric_domain_kwargs: Any, metric_value_kwargs: Any, **_: Any) -> Any:
            known, column = execution_engine.known(metric_domain_kwargs)
            present = execution_engine.get_domain_records(metric_domain_kwargs).where(column.isNotNull())
            values = list(metric_value_kwargs.get("value_set") or [])
            return answer(known, column, present, values, metric_value_kwargs.get("limit") or _EXAMPLES)


def _others(known: Column, column: SparkColumn, present: Any, values: list[Any], limit: int) -> list[Any]:
    return [row[0] for row in present.where(~_among(known, column, values)).select(column).distinct().take(limit)]


def _count_of_others(known: Column, column: SparkColumn, present: Any, values: list[Any], _: int) -> int:
    [[found]] = present.where(~_among(known, column, values)).agg(F.count_distinct(column)).collect()
    return int(found)


def _absent(known: Column, column: SparkColumn, present: Any, values: list[Any], limit: int) -> list[Any]:
    found = {row[0] for row in present.where(_among(known, column, values)).select(column).distinct().collect()}
    return [value for value in values if not found.issuperset(known.held([value]) or [value])][:limit]


def _count_of_absent(known: Column, column: SparkColumn, present: Any, values: list[Any], _: int) -> int:
    return len(_absent(known, column, present, values, len(values)))


_distinct(not_in_set.ColumnDistinctValuesNotInSet, _others)
_distinct(not_in_set.ColumnDistinctValuesNotInSetCount, _count_of_others)
_distinct(missing_from.ColumnDistinctValuesMissingFromColumn, _absent)
_distinct(missing_from.ColumnDistinctValuesMissingFromColumnCount, _count_of_absent)
