"""One saving for every engine that counts: unexpected values are only asked for where some were counted."""

from __future__ import annotations

from typing import Any

from great_expectations.core.metric_function_types import MetricFunctionTypes
from great_expectations.expectations import registry
from great_expectations.expectations.metrics.metric_provider import MetricProvider
from great_expectations.validator.metric_configuration import MetricConfiguration

__all__ = ["ask_only_where_some_were_counted"]


def ask_only_where_some_were_counted(engine: type[Any]) -> None:
    """For every metric of unexpected values that ``engine`` or a class that it stands on provides."""
    for name in [each for each in registry._registered_metrics if each.endswith(".unexpected_values")]:  # noqa: SLF001
        providers = registry._registered_metrics[name]["providers"]  # noqa: SLF001 # there is no other way to see them
        for owner in engine.mro():
            if owner.__name__ in providers:
                _after_counting(name, engine, *providers[owner.__name__])
                break


def _after_counting(name: str, engine: type[Any], theirs: Any, provider: Any) -> None:
    definition = registry._registered_metrics[name]  # noqa: SLF001 # as above
    counted = f"{name.removesuffix('unexpected_values')}unexpected_count"

    class _AfterCounting(MetricProvider):
        default_kwarg_values = theirs.default_kwarg_values

        @classmethod
        def get_evaluation_dependencies(cls, metric: MetricConfiguration, *args: Any, **kwargs: Any) -> dict[str, Any]:
            needed: dict[str, Any] = theirs.get_evaluation_dependencies(metric, *args, **kwargs)
            values = {key: value for key, value in metric.metric_value_kwargs.items() if key != "result_format"}
            needed["counted"] = MetricConfiguration(counted, metric.metric_domain_kwargs, values)
            return needed

    def values(metrics: dict[str, Any], **kwargs: Any) -> list[Any]:
        if not metrics["counted"]:
            return []
        return list(provider(**{**kwargs, "cls": theirs, "metrics": metrics}))

    # Or the library would warn that one is replaced by the other.
    definition["providers"].pop(engine.__name__, None)
    registry.register_metric(
        metric_name=name,
        metric_domain_keys=definition["metric_domain_keys"],
        metric_value_keys=definition["metric_value_keys"],
        execution_engine=engine,
        metric_class=_AfterCounting,
        metric_provider=values,
        metric_fn_type=MetricFunctionTypes.VALUE,
    )
