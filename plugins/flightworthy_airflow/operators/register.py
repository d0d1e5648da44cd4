"""Register the evaluated run under its content key, with its lineage."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from airflow.sdk import BaseOperator, Context
from airflow.sdk.bases.xcom import BaseXCom
from airflow.sdk.exceptions import DownstreamTasksSkipped

from flightworthy_airflow.docs import documented
from flightworthy_airflow.hooks.flightworthy import FlightworthyHook
from flightworthy_airflow.hooks.mlflow import MlflowHook
from flightworthy_airflow.links import MlflowLink, ReportLink
from flightworthy_airflow.references import EvaluationReference, VersionReference, pack, unpack
from flightworthy_airflow.refusals import refusals_fail

__all__ = ["RegisterOperator"]


class RegisterOperator(BaseOperator):
    """The same key is never registered twice: running again finds the version that stands.

    Where a signing key is set, the artifact is signed, once, with what the registry holds of it.
    A backfill's version gets no alias; what it was worth becomes a point of the model's backtest.

    :param model: the model's name
    :param evaluation: the output of ``evaluate``
    :param release_tasks: ids of tasks after it that a backfill has no business with; there they are skipped unstarted
    """

    template_fields: Sequence[str] = ("evaluation",)
    operator_extra_links = (MlflowLink(), ReportLink(name="Backtest"))

    def __init__(
        self,
        *,
        model: str,
        evaluation: Any,
        release_tasks: Sequence[str] = (),
        conn_id: str = FlightworthyHook.default_conn_name,
        mlflow_conn_id: str = MlflowHook.default_conn_name,
        **kwargs: Any,
    ) -> None:
        super().__init__(**documented(self, kwargs))
        self.model = model
        self.evaluation = evaluation
        self.release_tasks = tuple(release_tasks)
        self.conn_id = conn_id
        self.mlflow_conn_id = mlflow_conn_id
        self.mlflow_url: str | None = None
        self.report_path: str | None = None

    def execute(self, context: Context) -> dict[str, Any]:
        from flightworthy.baseline import Worth
        from flightworthy.gates import Decision
        from flightworthy.registry import register
        from flightworthy.training import TrainingRun
        from flightworthy_airflow.hooks.backfills import keep_point

        hook, mlflow = FlightworthyHook(self.conn_id), MlflowHook(self.mlflow_conn_id)
        with refusals_fail():
            evaluation = unpack(EvaluationReference, self.evaluation)
            run = TrainingRun.unpack(evaluation.run)
            registration = register(
                mlflow.registry(),
                run,
                Decision.unpack(evaluation.decision),
                intent=evaluation.intent,
                worth=Worth.unpack(evaluation.worth),
                signer=hook.signer(),
            )
            if evaluation.backtest is not None:
                # The version first: a point says that the interval is done, so that no other backfill does it again.
                self.report_path = keep_point(hook, self.model, registration.version.version, evaluation.backtest)
        version = registration.version
        self.mlflow_url = mlflow.version_url(self.model, version.version)
        done = "registered" if registration.is_new else "found, nothing was registered"
        self.log.info("%s model=%s version=%s key=%s", done, self.model, version.version, version.key[:12])
        registered = pack(
            VersionReference(
                model=self.model,
                version=version.version,
                is_new=registration.is_new,
                is_challenger=registration.is_challenger,
                intent=evaluation.intent,
            )
        )
        if evaluation.backtest is not None and self.release_tasks:
            # A task that only says that it does nothing costs a process all the same.
            context["ti"].xcom_push(key=BaseXCom.XCOM_RETURN_KEY, value=registered)
            raise DownstreamTasksSkipped(tasks=list(self.release_tasks))  # type: ignore[no-untyped-call]
        return registered
