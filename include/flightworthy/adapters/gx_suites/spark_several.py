"""Expectations about several columns at once, on Spark: types decide what can be equal, and a gap equals nothing."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import reduce
from itertools import combinations
from typing import Any

from great_expectations.core.metric_domain_types import MetricDomainTypes
from great_expectations.core.metric_function_types import MetricPartialFunctionTypes
from great_expectations.expectations import registry
from great_expectations.expectations.metrics.map_metric_provider.column_pair_map_metric_provider import (
    ColumnPairMapMetricProvider,
)
from great_expectations.expectations.metrics.map_metric_provider.multicolumn_map_metric_provider import (
    MulticolumnMapMetricProvider,
)
from great_expectations.expectations.metrics.metric_provider import metric_partial
from pyspark.sql import Column as SparkColumn
from pyspark.sql import Window
from pyspark.sql import functions as F  # noqa: N812 # as everybody calls it

from flightworthy.adapters.gx_suites.parquet_columns import Column
from flightworthy.adapters.gx_suites.spark_engine import SparkFilesExecutionEngine, quoted
from flightworthy.adapters.gx_suites.spark_metrics import literal

__all__: list[str] = []

Side = tuple[Column, SparkColumn]


def _several(name: str, value_keys: tuple[str, ...], domain: MetricDomainTypes) -> Callable[..., None]:
    """Registers ``(sides, **kwargs) -> condition`` as what is expected of the columns ``sides`` of a row."""
    pair = domain is MetricDomainTypes.COLUMN_PAIR
    provider: Any = ColumnPairMapMetricProvider if pair else MulticolumnMapMetricProvider
    windowed = MetricPartialFunctionTypes.WINDOW_CONDITION_FN
    kind = windowed if name == "compound_columns.unique" else MetricPartialFunctionTypes.MAP_CONDITION_FN

    def registered(expected: Callable[..., SparkColumn]) -> None:
        class _Condition(provider):  # type: ignore[misc] # either of two
            condition_metric_name = name
            # The library's own, or it would warn.
            condition_domain_keys = registry._registered_metrics[f"{name}.condition"]["metric_domain_keys"]  # noqa: SLF001
            condition_value_keys = value_keys

            @metric_partial(engine=SparkFilesExecutionEngine, partial_fn_type=kind, domain_type=domain)
            def _spark(
                cls, execution_engine: Any, metric_domain_kwargs: Any, metric_value_kwargs: Any, **_: Any
            ) -> Any:
                told = metric_domain_kwargs
                names = [told["column_A"], told["column_B"]] if pair else told["column_list"]
                sides = [(execution_engine.columns[each], F.col(quoted(each))) for each in names]
                _, compute, accessor = execution_engine.get_compute_domain(told, domain)
                said = expected(sides, **{key: metric_value_kwargs.get(key) for key in value_keys})
                return ~F.coalesce(said, F.lit(False)), compute, accessor

    return registered


def _pair(name: str, *value_keys: str) -> Callable[..., None]:
    return _several(name, value_keys, MetricDomainTypes.COLUMN_PAIR)


def _many(name: str, *value_keys: str) -> Callable[..., None]:
    return _several(name, value_keys, MetricDomainTypes.MULTICOLUMN)


def _held(side: Side) -> SparkColumn:
    known, column = side
    return column.cast("int") if known.is_boolean else column


def _equal(one: Side, other: Side) -> SparkColumn:
    """Missing where one is missing; false where they cannot be equal."""
    if one[0].kind != other[0].kind and not one[0].is_empty and not other[0].is_empty:
        return F.when(one[1].isNotNull() & other[1].isNotNull(), F.lit(False))
    return _held(one) == _held(other)


@_pair("column_pair_values.equal")
def _values_equal(sides: Sequence[Side]) -> SparkColumn:
    return _equal(*sides)


@_pair("column_pair_values.a_greater_than_b", "or_equal")
def _greater(sides: Sequence[Side], or_equal: bool | None) -> SparkColumn:
    one, other = sides
    if one[0].kind != other[0].kind:
        raise TypeError(f"{one[0].name} and {other[0].name} are of different types")
    return _held(one) >= _held(other) if or_equal else _held(one) > _held(other)


@_pair("column_pair_values.in_set", "value_pairs_set")
def _pair_in_set(sides: Sequence[Side], value_pairs_set: Sequence[Sequence[Any]] | None) -> SparkColumn:
    if value_pairs_set is None:
        return F.lit(True)
    pairs = [reduce(SparkColumn.__and__, map(_is, sides, pair)) for pair in value_pairs_set]
    return reduce(SparkColumn.__or__, pairs, F.lit(False))


def _is(side: Side, value: Any) -> SparkColumn:
    known, column = side
    if value is None:
        return column.isNull()
    held = known.held([value])
    return column.eqNullSafe(literal(held[0])) if held else F.lit(False)


@_many("multicolumn_sum.equal", "sum_total")
def _sum(sides: Sequence[Side], sum_total: float) -> SparkColumn:
    for known, _ in sides:
        # A truth beside a gap is an object to pandas, and no number.
        if not known.is_number and not (known.is_boolean and known.example is None):
            raise TypeError(f"{known.name} holds no numbers")
    whole = all(known.is_whole or known.is_boolean for known, _ in sides)
    return reduce(
        SparkColumn.__add__, [_held(side).cast("decimal(38,0)" if whole else "double") for side in sides]
    ) == F.lit(sum_total)


@_many("multicolumn_values.equal")
def _all_equal(sides: Sequence[Side]) -> SparkColumn:
    first, *others = sides
    return reduce(
        SparkColumn.__and__,
        [F.coalesce(_equal(first, each), F.lit(False)) | (first[1].isNull() & each[1].isNull()) for each in others],
        F.lit(True),
    )


@_many("select_column_values.unique.within_record")
def _all_different(sides: Sequence[Side]) -> SparkColumn:
    same = [
        F.coalesce(_equal(one, other), F.lit(False)) | (one[1].isNull() & other[1].isNull())
        for one, other in combinations(sides, 2)
    ]
    return ~reduce(SparkColumn.__or__, same, F.lit(False))


@_many("compound_columns.unique")
def _together_unique(sides: Sequence[Side]) -> SparkColumn:
    return F.count("*").over(Window.partitionBy(F.struct(*(column for _, column in sides)))) <= 1
