"""What DuckDB says otherwise than SQL elsewhere, so that a suite means on it what it means on pandas.

Importing this module registers the providers for `DuckdbExecutionEngine`. Three kinds: SQL that keeps to the type of a
column instead of casting (``"7"`` is not 7), SQL for what the library has none for, and Python for what SQL cannot say.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import sqlalchemy as sa
from great_expectations.core.metric_domain_types import MetricDomainTypes
from great_expectations.core.metric_function_types import MetricPartialFunctionTypes
from great_expectations.expectations.metrics.column_aggregate_metric_provider import ColumnAggregateMetricProvider
from great_expectations.expectations.metrics.column_aggregate_metrics import (
    column_distinct_values_missing_from_column as missing_from,
)
from great_expectations.expectations.metrics.column_aggregate_metrics import (
    column_distinct_values_not_in_set as not_in_set,
)
from great_expectations.expectations.metrics.column_aggregate_metrics.column_outlier_statistics import OutlierStatistics
from great_expectations.expectations.metrics.map_metric_provider.column_condition_partial import (
    column_condition_partial,
)
from great_expectations.expectations.metrics.map_metric_provider.column_function_partial import column_function_partial
from great_expectations.expectations.metrics.map_metric_provider.column_map_metric_provider import (
    ColumnMapMetricProvider,
)
from great_expectations.expectations.metrics.metric_provider import metric_partial, metric_value
from great_expectations.expectations.metrics.table_metric_provider import TableMetricProvider

from flightworthy.adapters.gx_suites.duckdb_engine import DuckdbExecutionEngine
from flightworthy.adapters.gx_suites.typed_expectations import type_of

__all__: list[str] = []


class _Columns(TableMetricProvider):
    """Names from the files: the dialect's reflection asks for catalogues that DuckDB has not."""

    metric_name = "table.columns"

    @metric_value(engine=DuckdbExecutionEngine)
    def _duckdb(cls, execution_engine: DuckdbExecutionEngine, **_: Any) -> list[str]:
        return list(execution_engine.columns)


class _ColumnTypes(TableMetricProvider):
    metric_name = "table.column_types"
    value_keys = ("include_nested",)

    @metric_value(engine=DuckdbExecutionEngine)
    def _duckdb(cls, execution_engine: DuckdbExecutionEngine, **_: Any) -> list[dict[str, Any]]:
        return [{"name": name, "type": type_of(column)} for name, column in execution_engine.columns.items()]


# -- one pass: aggregates that go into the one SELECT with all the others ----------------------------------------------


_aggregate = metric_partial(
    engine=DuckdbExecutionEngine,
    partial_fn_type=MetricPartialFunctionTypes.AGGREGATE_FN,
    domain_type=MetricDomainTypes.COLUMN,
)


def _of_number(engine: DuckdbExecutionEngine, domain: dict[str, Any], aggregate: Callable[[Any], Any]) -> Any:
    """An aggregate of a column that one can calculate with; DuckDB would try to read text as numbers."""
    _, compute_domain, accessor_domain = engine.get_compute_domain(domain, MetricDomainTypes.COLUMN)
    known = engine.columns[str(accessor_domain["column"])]
    column: Any = sa.cast(sa.null(), sa.Float) if known.is_empty else sa.column(known.name)
    if not known.is_empty and not known.is_number and not known.is_boolean:
        raise TypeError(f"{known.name} holds no numbers")
    return aggregate(sa.cast(column, sa.Integer) if known.is_boolean else column), compute_domain, accessor_domain


class _Mean(ColumnAggregateMetricProvider):
    metric_name = "column.mean"

    @_aggregate
    def _duckdb(cls, execution_engine: Any, metric_domain_kwargs: Any, **_: Any) -> Any:
        return _of_number(execution_engine, metric_domain_kwargs, sa.func.avg)


class _Sum(ColumnAggregateMetricProvider):
    metric_name = "column.sum"

    @_aggregate
    def _duckdb(cls, execution_engine: Any, metric_domain_kwargs: Any, **_: Any) -> Any:
        # pandas' sum of nothing is nothing, and not unknown.
        return _of_number(
            execution_engine, metric_domain_kwargs, lambda column: sa.func.coalesce(sa.func.sum(column), 0)
        )


class _StandardDeviation(ColumnAggregateMetricProvider):
    metric_name = "column.standard_deviation"

    @_aggregate
    def _duckdb(cls, execution_engine: Any, metric_domain_kwargs: Any, **_: Any) -> Any:
        return _of_number(execution_engine, metric_domain_kwargs, sa.func.stddev_samp)


class _Median(ColumnAggregateMetricProvider):
    metric_name = "column.median"

    @_aggregate
    def _duckdb(cls, execution_engine: Any, metric_domain_kwargs: Any, **_: Any) -> Any:
        return _of_number(execution_engine, metric_domain_kwargs, sa.func.median)


# -- conditions on a value, by its column's type -----------------------------------------------------------------------


class _InSet(ColumnMapMetricProvider):
    condition_metric_name = "column_values.in_set"
    condition_value_keys = ("value_set",)

    @column_condition_partial(engine=DuckdbExecutionEngine)
    def _duckdb(cls, column: Any, value_set: Any, _execution_engine: DuckdbExecutionEngine, **_: Any) -> Any:
        if value_set is None:
            return sa.true()
        return column.in_(_execution_engine.columns[str(column.name)].held(value_set))


class _NotInSet(ColumnMapMetricProvider):
    condition_metric_name = "column_values.not_in_set"
    condition_value_keys = ("value_set",)

    @column_condition_partial(engine=DuckdbExecutionEngine)
    def _duckdb(cls, column: Any, value_set: Any, _execution_engine: DuckdbExecutionEngine, **_: Any) -> Any:
        if value_set is None:
            return sa.true()
        return column.not_in(_execution_engine.columns[str(column.name)].held(value_set))


class _Between(ColumnMapMetricProvider):
    condition_metric_name = "column_values.between"
    condition_value_keys = ("min_value", "max_value", "strict_min", "strict_max")

    @column_condition_partial(engine=DuckdbExecutionEngine)
    def _duckdb(cls, column: Any, _execution_engine: DuckdbExecutionEngine, **kwargs: Any) -> Any:
        known = _execution_engine.columns[str(column.name)]
        if known.is_empty:
            return sa.true()
        bounds = [kwargs[name] for name in ("min_value", "max_value") if kwargs.get(name) is not None]
        if len(known.comparable(bounds)) < len(bounds):
            raise TypeError(f"{column.name} is of another type than its bounds, {' and '.join(map(repr, bounds))}")
        if not bounds:
            raise ValueError("min_value and max_value cannot both be None")
        held = sa.cast(column, sa.Integer) if known.is_boolean else column
        low, high = (_exact(kwargs.get(name)) for name in ("min_value", "max_value"))
        said = []
        if low is not None:
            said.append(held > low if kwargs.get("strict_min") else held >= low)
        if high is not None:
            said.append(held < high if kwargs.get("strict_max") else held <= high)
        return sa.and_(*said)


def _exact(bound: Any) -> Any:
    """Beyond 2^53 a float next to whole numbers would have them compared as floats."""
    return int(bound) if isinstance(bound, float) and bound.is_integer() else bound


class _ValueLength(ColumnMapMetricProvider):
    function_metric_name = "column_values.value_length"

    @column_function_partial(engine=DuckdbExecutionEngine)  # type: ignore[untyped-decorator] # it has no types
    def _duckdb(cls, column: Any, _table: Any, **kwargs: Any) -> Any:
        return sa.func.length(sa.cast(column, sa.String))


class _Outliers(ColumnAggregateMetricProvider):
    metric_name = "column.outlier_statistics"
    value_keys = ("method",)

    @metric_value(engine=DuckdbExecutionEngine)
    def _duckdb(cls, execution_engine: Any, metric_domain_kwargs: Any, metric_value_kwargs: Any, **_: Any) -> Any:
        table, _, accessor = execution_engine.get_compute_domain(metric_domain_kwargs, MetricDomainTypes.COLUMN)
        column: Any = sa.column(accessor["column"])
        if not execution_engine.columns[column.name].is_number:
            raise TypeError(f"{column.name} holds no numbers")
        asked = [sa.func.quantile_cont(column, 0.25), sa.func.quantile_cont(column, 0.75)]
        if metric_value_kwargs["method"] == "std":
            asked = [sa.func.avg(column), sa.func.stddev_samp(column)]
        rows = table.subquery() if hasattr(table, "subquery") else table
        one, other = execution_engine.execute_query(sa.select(*asked).select_from(rows)).fetchone()
        if metric_value_kwargs["method"] == "std":
            return OutlierStatistics(lower_reference=one, upper_reference=one, spread=other)
        return OutlierStatistics(
            lower_reference=one, upper_reference=other, spread=None if one is None else other - one
        )


def _distinct(provider: Any, *, missing: bool) -> None:
    """Distinct values against a set: values that could not stand in the column are not compared with it."""
    counts = provider.metric_name.endswith("count")

    class _Distinct(ColumnAggregateMetricProvider):
        metric_name = provider.metric_name
        value_keys = provider.value_keys
        default_kwarg_values = provider.default_kwarg_values

        @metric_value(engine=DuckdbExecutionEngine)
        def _duckdb(
            cls, execution_engine: Any, metric_domain_kwargs: Any, metric_value_kwargs: Any, **kwargs: Any
        ) -> Any:
            values = list(metric_value_kwargs.get("value_set") or [])
            able = execution_engine.columns[metric_domain_kwargs["column"]].held(values)
            unable = [value for value in values if value not in able]
            said: Any = inspect.unwrap(provider._sqlalchemy)  # noqa: SLF001 # once the types agree
            found = said(
                provider,
                execution_engine=execution_engine,
                metric_domain_kwargs=metric_domain_kwargs,
                metric_value_kwargs={**metric_value_kwargs, "value_set": able},
                **kwargs,
            )
            if not missing:
                return found
            return found + len(unable) if counts else [*found, *unable]


for _in_set in (not_in_set.ColumnDistinctValuesNotInSet, not_in_set.ColumnDistinctValuesNotInSetCount):
    _distinct(_in_set, missing=False)
for _missing in (
    missing_from.ColumnDistinctValuesMissingFromColumn,
    missing_from.ColumnDistinctValuesMissingFromColumnCount,
):
    _distinct(_missing, missing=True)
