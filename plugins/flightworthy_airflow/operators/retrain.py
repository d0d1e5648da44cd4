"""Raise the event that starts a deployment, where the drift monitor asked for one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from airflow.sdk import Asset, BaseOperator, Context
from airflow.sdk.exceptions import AirflowSkipException

from flightworthy_airflow.docs import documented

__all__ = ["RetrainOperator"]


class RetrainOperator(BaseOperator):
    """Succeeds, and so updates its outlet asset, only if the monitor decided to retrain; is skipped otherwise.

    :param model: the model's name
    :param drift: the output of ``monitor_drift``
    """

    template_fields: Sequence[str] = ("drift",)

    def __init__(self, *, model: str, drift: Any, **kwargs: Any) -> None:
        super().__init__(**documented(self, kwargs))
        self.model = model
        self.drift = drift

    def execute(self, context: Context) -> None:
        drift: Mapping[str, Any] = self.drift
        if drift["retrain"] is not True:
            raise AirflowSkipException(f"no retrain of {self.model}: {'; '.join(drift['reasons'])}")
        for outlet in self.outlets:
            if isinstance(outlet, Asset):
                context["outlet_events"][outlet].extra = {"model": self.model, "reasons": list(drift["reasons"])}
        self.log.info("retrain of %s asked for: %s", self.model, "; ".join(drift["reasons"]))
