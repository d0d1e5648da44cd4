"""Train one trial with the model's own code, and record it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from airflow.sdk import BaseOperator, Context

from flightworthy_airflow.docs import documented
from flightworthy_airflow.hooks.flightworthy import FlightworthyHook
from flightworthy_airflow.hooks.mlflow import MlflowHook
from flightworthy_airflow.links import MlflowLink
from flightworthy_airflow.references import DatasetReference, unpack
from flightworthy_airflow.refusals import refusals_fail
from flightworthy_airflow.runs import describe

__all__ = ["TrainOperator"]


class TrainOperator(BaseOperator):
    """One point of the search; map it over ``trial`` for all of it. Work that was done before is found, not done.

    :param model: the model's name
    :param dataset: the output of ``ingest`` or ``check_expectations``
    :param trial: the parameters of this trial
    """

    template_fields: Sequence[str] = ("dataset", "trial")
    operator_extra_links = (MlflowLink(),)

    def __init__(
        self,
        *,
        model: str,
        dataset: Any,
        trial: Any,
        conn_id: str = FlightworthyHook.default_conn_name,
        mlflow_conn_id: str = MlflowHook.default_conn_name,
        **kwargs: Any,
    ) -> None:
        super().__init__(**documented(self, kwargs))
        self.model = model
        self.dataset = dataset
        self.trial = trial
        self.conn_id = conn_id
        self.mlflow_conn_id = mlflow_conn_id
        self.mlflow_url: str | None = None

    @property
    def title(self) -> str:
        """What the UI calls this trial among the mapped ones."""
        return ", ".join(f"{name}={value}" for name, value in dict(self.trial).items())

    def execute(self, context: Context) -> dict[str, Any]:
        from flightworthy.training import TrainingOrder, train
        from flightworthy_airflow.hooks.workshop import frames_of, lineage_of, workshop_of

        run = describe(context)
        hook, mlflow = FlightworthyHook(self.conn_id), MlflowHook(self.mlflow_conn_id)
        with refusals_fail():
            dataset = unpack(DatasetReference, self.dataset)
            spec = hook.spec(self.model)
            params = {**self.trial, **run.parameters}
            workshop = workshop_of(hook, mlflow)
            order = TrainingOrder(
                spec=spec,
                params=params,
                lineage=lineage_of(hook, spec, dataset, run, code_digest=workshop.code.digest(self.model)),
            )
            self.log.info("train model=%s rows=%s params=%s key=%s", self.model, dataset.rows, params, order.key[:12])
            found = train(order, frames_of(hook, spec, dataset), workshop)
        self.mlflow_url = mlflow.run_url(found.run_id)
        done = "found, nothing was trained" if found.reused else "trained"
        self.log.info("%s run=%s metrics=%s", done, found.run_id, dict(found.metrics))
        return found.pack()
