"""Rows in which one of several values is missing: SQL says neither yes nor no, where pandas says no.

Importing this module registers the providers for `DuckdbExecutionEngine`.
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from great_expectations.expectations.metrics.map_metric_provider.column_pair_condition_partial import (
    column_pair_condition_partial,
)
from great_expectations.expectations.metrics.map_metric_provider.column_pair_map_metric_provider import (
    ColumnPairMapMetricProvider,
)
from great_expectations.expectations.metrics.map_metric_provider.multicolumn_condition_partial import (
    multicolumn_condition_partial,
)
from great_expectations.expectations.metrics.map_metric_provider.multicolumn_map_metric_provider import (
    MulticolumnMapMetricProvider,
)

from flightworthy.adapters.gx_suites.duckdb_engine import DuckdbExecutionEngine

__all__: list[str] = []


class _Greater(ColumnPairMapMetricProvider):
    condition_metric_name = "column_pair_values.a_greater_than_b"
    condition_domain_keys = (
        "batch_id",
        "table",
        "column_A",
        "column_B",
        "row_condition",
        "condition_parser",
        "ignore_row_if",
    )
    condition_value_keys = ("or_equal",)

    @column_pair_condition_partial(engine=DuckdbExecutionEngine)  # type: ignore[untyped-decorator] # it has no types
    def _duckdb(cls, column_A: Any, column_B: Any, **kwargs: Any) -> Any:  # noqa: N803 # as the library calls it
        holds = column_A >= column_B if kwargs.get("or_equal") else column_A > column_B
        return sa.func.coalesce(holds, sa.false())


class _SumEqual(MulticolumnMapMetricProvider):
    condition_metric_name = "multicolumn_sum.equal"
    condition_domain_keys = ("batch_id", "table", "column_list", "row_condition", "condition_parser", "ignore_row_if")
    condition_value_keys = ("sum_total",)

    @multicolumn_condition_partial(engine=DuckdbExecutionEngine)  # type: ignore[untyped-decorator] # it has no types
    def _duckdb(cls, column_list: Any, **kwargs: Any) -> Any:
        return sa.func.coalesce(sum(column_list) == kwargs["sum_total"], sa.false())
