"""What a row's verdict owes to other rows: uniqueness, and order. Queries of their own, each over one column."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import sqlalchemy as sa
from great_expectations.core.metric_domain_types import MetricDomainTypes
from great_expectations.core.metric_function_types import MetricFunctionTypes
from great_expectations.expectations import registry
from great_expectations.expectations.metrics.metric_provider import MetricProvider

from flightworthy.adapters.gx_suites.duckdb_engine import POSITION, DuckdbExecutionEngine
from flightworthy.adapters.gx_suites.parquet_columns import Column

__all__: list[str] = []

_DOMAIN: Final = ("batch_id", "table", "column", "row_condition", "condition_parser")


class _Alone(MetricProvider):
    """A metric that needs no other."""


def _repeated(_: Column, rows: Any, column: Any, **__: Any) -> Any:
    twice = sa.select(column).select_from(rows).where(column.is_not(None)).group_by(column).having(sa.func.count() > 1)
    return sa.select(column).select_from(rows).where(column.in_(twice))


def _out_of_order(known: Column, rows: Any, column: Any, *, falls: bool, strictly: bool | None = None, **_: Any) -> Any:
    if known.is_text and not known.is_empty:
        raise TypeError(f"{known.name} holds text, which has no order to rise in")
    before = sa.func.lag(column).over(order_by=sa.column(POSITION)).label("before")
    pairs = sa.select(column, before).select_from(rows).where(column.is_not(None)).subquery()
    one, other = (pairs.c[0], pairs.c.before) if falls else (pairs.c.before, pairs.c[0])
    return sa.select(pairs.c[0]).where(one >= other if strictly else one > other)


def _rising(known: Column, rows: Any, column: Any, **kwargs: Any) -> Any:
    return _out_of_order(known, rows, column, falls=False, **kwargs)


def _falling(known: Column, rows: Any, column: Any, **kwargs: Any) -> Any:
    return _out_of_order(known, rows, column, falls=True, **kwargs)


def _register(name: str, value_keys: tuple[str, ...], unexpected: Callable[..., Any]) -> None:
    def select(engine: Any, domain: dict[str, Any], kwargs: dict[str, Any]) -> Any:
        table, _, accessor = engine.get_compute_domain(domain, MetricDomainTypes.COLUMN)
        rows = table.subquery() if hasattr(table, "subquery") else table
        column: Any = sa.column(accessor["column"])
        said = {key: kwargs.get(key) for key in value_keys}
        return unexpected(engine.columns[str(column.name)], rows, column, **said)

    def count(execution_engine: Any, metric_domain_kwargs: Any, metric_value_kwargs: Any, **_: Any) -> int:
        bad = select(execution_engine, metric_domain_kwargs, metric_value_kwargs).subquery()
        found = execution_engine.execute_query(sa.select(sa.func.count()).select_from(bad)).scalar()
        return int(found)

    def values(execution_engine: Any, metric_domain_kwargs: Any, metric_value_kwargs: Any, **_: Any) -> list[Any]:
        query = select(execution_engine, metric_domain_kwargs, metric_value_kwargs)
        shown = metric_value_kwargs["result_format"]["partial_unexpected_count"]
        return [row[0] for row in execution_engine.execute_query(query.limit(shown)).fetchall()]

    for ending, keys, provider in (
        ("unexpected_count", value_keys, count),
        ("unexpected_values", (*value_keys, "result_format"), values),
    ):
        registry.register_metric(
            metric_name=f"{name}.{ending}",
            metric_domain_keys=_DOMAIN,
            metric_value_keys=keys,
            execution_engine=DuckdbExecutionEngine,
            metric_class=_Alone,
            metric_provider=provider,
            metric_fn_type=MetricFunctionTypes.VALUE,
        )


_register("column_values.unique", (), _repeated)
_register("column_values.increasing", ("strictly",), _rising)
_register("column_values.decreasing", ("strictly",), _falling)
