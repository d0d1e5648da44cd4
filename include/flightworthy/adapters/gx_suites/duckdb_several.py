"""Expectations about several columns at once, on DuckDB: types decide what can be equal, where SQL would cast."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import combinations
from typing import Any

import sqlalchemy as sa
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

from flightworthy.adapters.gx_suites.duckdb_engine import DuckdbExecutionEngine
from flightworthy.adapters.gx_suites.parquet_columns import Column

__all__: list[str] = []

_Side = tuple[Column, Any]


def _several(name: str, *value_keys: str) -> Callable[..., None]:
    """Registers ``(sides, **kwargs) -> condition`` as what is expected of the columns ``sides`` of a row."""
    pair = name.startswith("column_pair")
    domain = MetricDomainTypes.COLUMN_PAIR if pair else MetricDomainTypes.MULTICOLUMN
    provider: Any = ColumnPairMapMetricProvider if pair else MulticolumnMapMetricProvider

    def registered(expected: Callable[..., Any]) -> None:
        class _Condition(provider):  # type: ignore[misc] # either of two
            condition_metric_name = name
            # The library's own, or it would warn.
            condition_domain_keys = registry._registered_metrics[f"{name}.condition"]["metric_domain_keys"]  # noqa: SLF001
            condition_value_keys = value_keys

            @metric_partial(
                engine=DuckdbExecutionEngine,
                partial_fn_type=MetricPartialFunctionTypes.MAP_CONDITION_FN,
                domain_type=domain,
            )
            def _duckdb(
                cls, execution_engine: Any, metric_domain_kwargs: Any, metric_value_kwargs: Any, **_: Any
            ) -> Any:
                told = metric_domain_kwargs
                names = [told["column_A"], told["column_B"]] if pair else told["column_list"]
                sides: list[_Side] = [(execution_engine.columns[each], sa.column(each)) for each in names]
                _, compute, accessor = execution_engine.get_compute_domain(told, domain)
                said = expected(sides, **{key: metric_value_kwargs.get(key) for key in value_keys})
                return sa.not_(sa.func.coalesce(said, sa.false())), compute, accessor

    return registered


def _equal(one: _Side, other: _Side) -> Any:
    """Missing where one is missing; false where they cannot be equal."""
    if one[0].kind != other[0].kind and not one[0].is_empty and not other[0].is_empty:
        return sa.false()
    return _held(one) == _held(other)


def _held(side: _Side) -> Any:
    known, column = side
    return sa.cast(column, sa.Integer) if known.is_boolean else column


def _same(one: _Side, other: _Side) -> Any:
    """Equal, or both missing."""
    return sa.or_(sa.func.coalesce(_equal(one, other), sa.false()), sa.and_(one[1].is_(None), other[1].is_(None)))


@_several("column_pair_values.equal")
def _values_equal(sides: Sequence[_Side]) -> Any:
    return _equal(*sides)


@_several("column_pair_values.in_set", "value_pairs_set")
def _pair_in_set(sides: Sequence[_Side], value_pairs_set: Sequence[Sequence[Any]] | None) -> Any:
    if value_pairs_set is None:
        return sa.true()
    return sa.or_(sa.false(), *(sa.and_(*map(_is, sides, pair)) for pair in value_pairs_set))


@_several("column_pair_values.a_greater_than_b", "or_equal")
def _greater(sides: Sequence[_Side], or_equal: bool | None) -> Any:
    one, other = sides
    if one[0].kind != other[0].kind:
        raise TypeError(f"{one[0].name} and {other[0].name} are of different types")
    return _held(one) >= _held(other) if or_equal else _held(one) > _held(other)


@_several("multicolumn_sum.equal", "sum_total")
def _sum(sides: Sequence[_Side], sum_total: float) -> Any:
    for known, _ in sides:
        # A truth beside a gap is an object to pandas, and no number.
        if not known.is_number and not (known.is_boolean and known.example is None):
            raise TypeError(f"{known.name} holds no numbers")
    return sum(map(_held, sides)) == sum_total


def _is(side: _Side, value: Any) -> Any:
    known, column = side
    if value is None:
        return column.is_(None)
    held = known.held([value])
    return column == sa.literal(held[0]) if held else sa.false()


@_several("multicolumn_values.equal")
def _all_equal(sides: Sequence[_Side]) -> Any:
    first, *others = sides
    return sa.and_(sa.true(), *(_same(first, each) for each in others))


@_several("select_column_values.unique.within_record")
def _all_different(sides: Sequence[_Side]) -> Any:
    return sa.not_(sa.or_(sa.false(), *(_same(one, other) for one, other in combinations(sides, 2))))
