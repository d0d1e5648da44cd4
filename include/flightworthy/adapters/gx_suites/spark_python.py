"""Conditions that only Python, or RE2, can tell as pandas tells them: Arrow functions that run on the executors."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import jsonschema
import pyarrow as pa
from great_expectations.core.metric_domain_types import MetricDomainTypes
from great_expectations.core.metric_function_types import MetricPartialFunctionTypes
from great_expectations.expectations.metrics.map_metric_provider.column_map_metric_provider import (
    ColumnMapMetricProvider,
)
from great_expectations.expectations.metrics.metric_provider import metric_partial
from pyspark import cloudpickle
from pyspark.sql import Column as SparkColumn
from pyspark.sql import functions as F  # noqa: N812 # as everybody calls it
from pyspark.sql.pandas.functions import arrow_udf

from flightworthy.adapters.gx_suites import executed_rules as rules
from flightworthy.adapters.gx_suites.regular_expressions import only_python
from flightworthy.adapters.gx_suites.spark_engine import SparkFilesExecutionEngine
from flightworthy.adapters.gx_suites.spark_metrics import Values, condition

__all__: list[str] = []

# Executors have no Flightworthy: the rules travel with the question.
cloudpickle.register_pickle_by_value(rules)  # type: ignore[no-untyped-call] # it has no types


def _told(rule: rules.Rule, column: SparkColumn, said: str = "boolean") -> SparkColumn:
    by_arrow: Any = arrow_udf  # its stub does not know that it reads a rule's annotations
    told: SparkColumn = by_arrow(rule, said)(column)
    return told


def _matches(column: SparkColumn, patterns: Sequence[str], *, every: bool = False) -> SparkColumn:
    rule = rules.matches([(each, only_python(each)) for each in patterns], every=every)
    # Here, or a pattern that nobody can read would fail on the executors, and with it the question it is asked in.
    rule(pa.array(["any"]))
    return _told(rule, column)


def _text(values: Values) -> SparkColumn:
    if not values.known.is_text:
        raise TypeError(f"{values.known.name} holds no text")
    return values.column


@condition("column_values.match_regex", ("regex",))
def _match(values: Values, regex: str) -> SparkColumn:
    return _matches(values.column, [regex])


@condition("column_values.not_match_regex", ("regex",))
def _match_not(values: Values, regex: str) -> SparkColumn:
    return ~_matches(values.column, [regex])


@condition("column_values.match_regex_list", ("regex_list", "match_on"), {"match_on": "any"})
def _match_list(values: Values, regex_list: Sequence[str], match_on: str) -> SparkColumn:
    if match_on not in {"any", "all"}:
        raise ValueError("match_on must be either 'any' or 'all'")
    return _matches(values.column, regex_list, every=match_on == "all")


@condition("column_values.not_match_regex_list", ("regex_list",))
def _match_none(values: Values, regex_list: Sequence[str]) -> SparkColumn:
    return ~_matches(values.column, regex_list)


@condition("column_values.json_parseable", ())
def _json(values: Values) -> SparkColumn:
    return _told(rules.is_json, values.column)


@condition("column_values.match_json_schema", ("json_schema",))
def _schema(values: Values, json_schema: dict[str, Any]) -> SparkColumn:
    text, schema = _text(values), dict(json_schema)
    jsonschema.validators.validator_for(schema).check_schema(schema)
    # Asked before, and not raised where the rows are: one answer that fails there takes all others with it.
    if not values.rows.where(text.isNotNull() & ~_told(rules.is_json, text)).isEmpty():
        raise ValueError(f"{values.known.name} holds text that is no JSON")
    return _told(rules.is_of_schema(schema), text)


@condition("column_values.match_strftime_format", ("strftime_format",))
def _format(values: Values, strftime_format: str) -> SparkColumn:
    return _told(rules.is_of_format(strftime_format), _text(values))


@condition("column_values.dateutil_parseable", ())
def _date(values: Values) -> SparkColumn:
    return _told(rules.is_date, _text(values))


class _ValueLength(ColumnMapMetricProvider):
    function_metric_name = "column_values.value_length"

    @metric_partial(
        engine=SparkFilesExecutionEngine,
        partial_fn_type=MetricPartialFunctionTypes.MAP_FN,
        domain_type=MetricDomainTypes.COLUMN,
    )
    def _spark(cls, execution_engine: SparkFilesExecutionEngine, metric_domain_kwargs: Any, **_: Any) -> Any:
        known, column = execution_engine.known(metric_domain_kwargs)
        domain = execution_engine.get_compute_domain(metric_domain_kwargs, MetricDomainTypes.COLUMN)
        length = F.length(column) if known.is_text else _told(rules.lengths, column, "long")
        return length, *domain[1:]
