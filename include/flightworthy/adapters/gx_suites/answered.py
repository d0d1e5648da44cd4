"""What an engine answered stays answered: the library asks everything anew once for each thing that cannot be told."""

from __future__ import annotations

from typing import Any

from great_expectations.exceptions.exceptions import MetricResolutionError

__all__ = ["AnsweredOnce"]


class AnsweredOnce:
    """Mixed into an execution engine. Of what cannot be told one thing is reported at a time, with its own reason."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._answers: dict[Any, Any] = {}
        self._failures: dict[Any, MetricResolutionError] = {}

    def _process_direct_and_bundled_metric_computation_configurations(
        self, metric_fn_direct_configurations: list[Any], metric_fn_bundle_configurations: list[Any]
    ) -> dict[Any, Any]:
        bundled = [each for each in metric_fn_bundle_configurations if self._is_open(each)]
        if bundled and not self._ask([], bundled):
            # One of them takes the others with it; who it is shows when each is asked alone.
            for each in bundled:
                self._failures.pop(each.metric_configuration.id, None)
                self._ask([], [each])
        for each in metric_fn_direct_configurations:
            if self._is_open(each):
                self._ask([each], [])
        asked = [
            each.metric_configuration.id
            for each in (*metric_fn_bundle_configurations, *metric_fn_direct_configurations)
        ]
        if failed := next((self._failures[each] for each in asked if each in self._failures), None):
            raise failed
        return {each: self._answers[each] for each in asked}

    def _is_open(self, asked: Any) -> bool:
        known = asked.metric_configuration.id
        return known not in self._answers and known not in self._failures

    def _ask(self, direct: list[Any], bundled: list[Any]) -> bool:
        try:
            self._answers |= (
                self.resolve_metric_bundle(bundled)  # type: ignore[attr-defined] # an engine's
                if bundled
                else {each.metric_configuration.id: each.metric_fn(**each.metric_provider_kwargs) for each in direct}
            )
        except Exception as error:  # noqa: BLE001 # whatever a metric raises is its answer
            for each in (*direct, *bundled):
                known = each.metric_configuration
                failure = MetricResolutionError(message=str(error), failed_metrics=(known,))
                failure.__cause__ = error
                self._failures[known.id] = failure
            return False
        return True
