"""What a row's verdict owes to other rows, uniqueness and order: registered alike for every engine that can find it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

from great_expectations.core.metric_function_types import MetricFunctionTypes
from great_expectations.expectations import registry
from great_expectations.expectations.metrics.metric_provider import MetricProvider

from flightworthy.adapters.gx_suites.parquet_columns import Column

__all__ = ["Finder", "register"]

_DOMAIN: Final = ("batch_id", "table", "column", "row_condition", "condition_parser")


class _Alone(MetricProvider):
    """A metric that needs no other."""


def _always(*_: Any) -> bool:
    return True


@dataclass(frozen=True, slots=True, kw_only=True)
class Finder:
    """How one engine does it, in queries of its own over one column."""

    engine: type[Any]
    column: Callable[[Any, dict[str, Any]], tuple[Column, Any, Any]]
    """Of an engine and a domain: what is known of the column, its rows, and the column itself."""
    repeated: Callable[[Any, Any], Any]
    """Of rows and a column: the values that are there more than once."""
    out_of_order: Callable[..., Any]
    """Of rows and a column, ``falls``, ``strictly``: the values that do not go on as they should."""
    count: Callable[[Any, Any], int]
    """Of an engine and what was found: of how many rows."""
    values: Callable[[Any, Any, int], list[Any]]
    """Of an engine and what was found: so many of the values."""
    repeats: Callable[[Any, Any, Any], bool] = _always
    """Of an engine, rows and a column: whether any value may be there more than once, where that is cheaper to tell."""


def register(finder: Finder) -> None:
    """Let the library ask ``finder`` where its engine is to say what is repeated or out of order."""

    def repeated(_: Column, rows: Any, column: Any) -> Any:
        return finder.repeated(rows, column)

    def ordered(known: Column, rows: Any, column: Any, *, falls: bool, strictly: bool | None) -> Any:
        if known.is_text and not known.is_empty:
            raise TypeError(f"{known.name} holds text, which has no order to rise in")
        return finder.out_of_order(rows, column, falls=falls, strictly=bool(strictly))

    _register(finder, "column_values.unique", (), repeated, may_be=finder.repeats)
    _register(finder, "column_values.increasing", ("strictly",), partial(ordered, falls=False))
    _register(finder, "column_values.decreasing", ("strictly",), partial(ordered, falls=True))


def _register(
    finder: Finder,
    name: str,
    value_keys: tuple[str, ...],
    unexpected: Callable[..., Any],
    *,
    may_be: Callable[[Any, Any, Any], bool] = _always,
) -> None:
    def found(engine: Any, domain: dict[str, Any], kwargs: dict[str, Any]) -> Any:
        return unexpected(*finder.column(engine, domain), **{key: kwargs.get(key) for key in value_keys})

    def count(execution_engine: Any, metric_domain_kwargs: Any, metric_value_kwargs: Any, **_: Any) -> int:
        if not may_be(execution_engine, *finder.column(execution_engine, metric_domain_kwargs)[1:]):
            return 0
        return finder.count(execution_engine, found(execution_engine, metric_domain_kwargs, metric_value_kwargs))

    def values(execution_engine: Any, metric_domain_kwargs: Any, metric_value_kwargs: Any, **_: Any) -> list[Any]:
        shown = metric_value_kwargs["result_format"]["partial_unexpected_count"]
        bad = found(execution_engine, metric_domain_kwargs, metric_value_kwargs)
        return finder.values(execution_engine, bad, shown)

    for ending, keys, provider in (
        ("unexpected_count", value_keys, count),
        ("unexpected_values", (*value_keys, "result_format"), values),
    ):
        registry.register_metric(
            metric_name=f"{name}.{ending}",
            metric_domain_keys=_DOMAIN,
            metric_value_keys=keys,
            execution_engine=finder.engine,
            metric_class=_Alone,
            metric_provider=provider,
            metric_fn_type=MetricFunctionTypes.VALUE,
        )
