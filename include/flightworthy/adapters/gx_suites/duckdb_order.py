"""What is repeated or out of order, on DuckDB. Queries of their own, each over one column."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from great_expectations.core.metric_domain_types import MetricDomainTypes

from flightworthy.adapters.gx_suites.duckdb_engine import POSITION, DuckdbExecutionEngine
from flightworthy.adapters.gx_suites.order import Finder, register
from flightworthy.adapters.gx_suites.parquet_columns import Column

__all__: list[str] = []


def _column(engine: DuckdbExecutionEngine, domain: dict[str, Any]) -> tuple[Column, Any, Any]:
    table, _, accessor = engine.get_compute_domain(domain, MetricDomainTypes.COLUMN)
    rows = table.subquery() if hasattr(table, "subquery") else table
    column: Any = sa.column(accessor["column"])
    return engine.columns[str(column.name)], rows, column


def _repeats(engine: DuckdbExecutionEngine, rows: Any, column: Any) -> bool:
    # Telling which ones takes nearly twice the memory, and twice the time.
    present, different = sa.func.count(column), sa.func.count(sa.distinct(column))
    return bool(engine.execute_query(sa.select(present > different).select_from(rows)).scalar())


def _repeated(rows: Any, column: Any) -> Any:
    twice = sa.select(column).select_from(rows).where(column.is_not(None)).group_by(column).having(sa.func.count() > 1)
    return sa.select(column).select_from(rows).where(column.in_(twice))


def _out_of_order(rows: Any, column: Any, *, falls: bool, strictly: bool) -> Any:
    before = sa.func.lag(column).over(order_by=sa.column(POSITION)).label("before")
    pairs = sa.select(column, before).select_from(rows).where(column.is_not(None)).subquery()
    one, other = (pairs.c[0], pairs.c.before) if falls else (pairs.c.before, pairs.c[0])
    return sa.select(pairs.c[0]).where(one >= other if strictly else one > other)


def _count(engine: DuckdbExecutionEngine, found: Any) -> int:
    return int(engine.execute_query(sa.select(sa.func.count()).select_from(found.subquery())).scalar() or 0)


def _values(engine: DuckdbExecutionEngine, found: Any, shown: int) -> list[Any]:
    return [row[0] for row in engine.execute_query(found.limit(shown)).fetchall()]


register(
    Finder(
        engine=DuckdbExecutionEngine,
        column=_column,
        repeats=_repeats,
        repeated=_repeated,
        out_of_order=_out_of_order,
        count=_count,
        values=_values,
    )
)
