"""Conditions that only Python can tell as pandas tells them: the library's own functions, on a chunk at a time.

Most regular expressions go to DuckDB all the same: it asks RE2, and so does pandas.
"""

from __future__ import annotations

import inspect
from typing import Any, Final

import sqlalchemy as sa
from great_expectations.expectations.metrics import column_map_metrics
from great_expectations.expectations.metrics.column_map_metrics.column_values_dateutil_parseable import (
    ColumnValuesDateutilParseable,
)
from great_expectations.expectations.metrics.map_metric_provider.column_condition_partial import (
    column_condition_partial,
)
from great_expectations.expectations.metrics.map_metric_provider.column_map_metric_provider import (
    ColumnMapMetricProvider,
)

from flightworthy.adapters.gx_suites.duckdb_engine import DuckdbExecutionEngine
from flightworthy.adapters.gx_suites.regular_expressions import only_python

__all__: list[str] = []

_theirs: Any = column_map_metrics
_PROVIDERS: Final = (
    _theirs.ColumnValuesMatchRegex,
    _theirs.ColumnValuesNotMatchRegex,
    _theirs.ColumnValuesMatchRegexList,
    _theirs.ColumnValuesNotMatchRegexList,
    _theirs.ColumnValuesJsonParseable,
    _theirs.ColumnValuesMatchJsonSchema,
    _theirs.ColumnValuesMatchStrftimeFormat,
    ColumnValuesDateutilParseable,
)


def _condition(provider: Any, column: Any, engine: DuckdbExecutionEngine, kwargs: dict[str, Any]) -> Any:
    patterns = kwargs.get("regex_list") or ([kwargs["regex"]] if kwargs.get("regex") else [])
    if engine.columns[str(column.name)].is_text and patterns and not any(map(only_python, patterns)):
        matches = [sa.func.regexp_matches(column, each) for each in patterns]
        return _combined(provider, matches, kwargs.get("match_on"))

    by_pandas: Any = inspect.unwrap(provider._pandas)  # noqa: SLF001 # the rule itself, not a copy

    def told(values: Any) -> Any:
        return by_pandas(provider, values, **kwargs)

    return engine.in_python(column, told)


def _combined(provider: Any, matches: list[Any], match_on: str | None) -> Any:
    if provider in {_theirs.ColumnValuesNotMatchRegex, _theirs.ColumnValuesNotMatchRegexList}:
        return sa.not_(sa.or_(*matches))
    return sa.and_(*matches) if match_on == "all" else sa.or_(*matches)


def _provide(provider: Any) -> None:
    class _InPython(ColumnMapMetricProvider):
        condition_metric_name = provider.condition_metric_name
        condition_value_keys = provider.condition_value_keys
        default_kwarg_values = provider.default_kwarg_values

        @column_condition_partial(engine=DuckdbExecutionEngine)
        def _duckdb(cls, column: Any, _execution_engine: DuckdbExecutionEngine, **kwargs: Any) -> Any:
            said = {key: kwargs.get(key) for key in provider.condition_value_keys}
            return _condition(provider, column, _execution_engine, said)


for _each in _PROVIDERS:
    _provide(_each)
