"""Compare the prediction log with the champion's reference, and decide whether that is a reason to retrain."""

from __future__ import annotations

from typing import Any

from airflow.sdk import BaseOperator, Context
from airflow.sdk.exceptions import AirflowSkipException

from flightworthy_airflow.docs import documented
from flightworthy_airflow.hooks.flightworthy import FlightworthyHook
from flightworthy_airflow.links import ReportLink
from flightworthy_airflow.refusals import refusals_fail

__all__ = ["MonitorDriftOperator"]


class MonitorDriftOperator(BaseOperator):
    """Looks at the requests since the last look that had evidence enough, up to this run's own time.

    Skipped where nothing serves yet. Run again, it finds the look it took.

    :param model: the model's name
    """

    operator_extra_links = (ReportLink(),)

    def __init__(self, *, model: str, conn_id: str = FlightworthyHook.default_conn_name, **kwargs: Any) -> None:
        super().__init__(**documented(self, kwargs))
        self.model = model
        self.conn_id = conn_id
        self.report_path: str | None = None

    def execute(self, context: Context) -> dict[str, Any]:
        from flightworthy_airflow.hooks.drift import look_at

        hook = FlightworthyHook(self.conn_id)
        with refusals_fail():
            spec = hook.spec(self.model)
            champion = hook.champion(self.model)
            if champion is None:
                raise AirflowSkipException(f"{self.model} has no champion yet, so there is nothing to watch")
            looked = look_at(hook, spec, champion, until=context["dag_run"].run_after)
        look = looked.look
        self.report_path = hook.report_path(looked.page)
        self.log.info(
            "look release=%s requests=%s drifted=%.0f%% retrain=%s",
            look.release, look.requests, 100 * look.drifted_share, look.retrain,
        )  # fmt: skip
        for reason in look.reasons:
            self.log.info("%s", reason)
        return {
            "model": self.model,
            "release": look.release,
            "requests": look.requests,
            "drifted": list(look.drifted),
            "retrain": look.retrain,
            "reasons": list(look.reasons),
        }
