"""Choose the best trial, measure it and the champion on the same holdout, and ask the gates."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperator, Context

from flightworthy_airflow.docs import documented
from flightworthy_airflow.hooks.flightworthy import FlightworthyHook
from flightworthy_airflow.hooks.mlflow import MlflowHook
from flightworthy_airflow.links import ReportLink
from flightworthy_airflow.references import DatasetReference, EvaluationReference, pack, unpack
from flightworthy_airflow.refusals import refusals_fail

if TYPE_CHECKING:
    from flightworthy.evaluation import Evaluation

__all__ = ["EvaluateOperator"]


class EvaluateOperator(BaseOperator):
    """Fails with every objection if the gates refuse the challenger; nothing that serves is touched.

    In a backfill the decision is recorded and does not stop the run: it registers what it found and releases nothing.

    :param model: the model's name
    :param dataset: the output of ``ingest`` or ``check_expectations``
    :param runs: the outputs of ``train``, one or many
    """

    template_fields: Sequence[str] = ("dataset", "runs")
    operator_extra_links = (ReportLink(),)

    def __init__(
        self,
        *,
        model: str,
        dataset: Any,
        runs: Any,
        conn_id: str = FlightworthyHook.default_conn_name,
        mlflow_conn_id: str = MlflowHook.default_conn_name,
        **kwargs: Any,
    ) -> None:
        super().__init__(**documented(self, kwargs))
        self.model = model
        self.dataset = dataset
        self.runs = runs
        self.conn_id = conn_id
        self.mlflow_conn_id = mlflow_conn_id
        self.report_path: str | None = None

    def execute(self, context: Context) -> dict[str, Any]:
        from flightworthy.errors import ChallengerRefused
        from flightworthy.training import TrainingRun, choose
        from flightworthy_airflow.hooks.workshop import reviewed

        hook, mlflow = FlightworthyHook(self.conn_id), MlflowHook(self.mlflow_conn_id)
        with refusals_fail():
            dataset = unpack(DatasetReference, self.dataset)
            spec = hook.spec(self.model)
            trials = [self.runs] if isinstance(self.runs, dict) else list(self._each(self.runs))
            run = choose([TrainingRun.unpack(trial) for trial in trials], spec.training.select)
            self.log.info(
                "chosen run=%s of %s by %s params=%s", run.run_id, len(trials), spec.training.select, run.params
            )
            review, report = reviewed(hook, mlflow, spec, dataset, run)
            self.report_path = hook.report_path(report)
            for name, estimate in review.challenger.metrics.items():
                self.log.info("%s %.4f (%.4f to %.4f)", name, estimate.value, estimate.low, estimate.high)
            for note in review.decision.notes:
                self.log.info("note: %s", note)
            for objection in review.decision.objections:
                self.log.warning("objection: %s", objection)
            if not review.decision.approved and dataset.intent != "backfill":
                raise ChallengerRefused(
                    f"The challenger of {self.model} was refused and nothing was changed: "
                    + "; ".join(str(objection) for objection in review.decision.objections),
                    objections=[str(objection) for objection in review.decision.objections],
                )
        return pack(
            EvaluationReference(
                model=self.model,
                run=run.pack(),
                decision=review.decision.pack(),
                metrics=_values(review.challenger),
                champion_metrics=None if review.champion is None else _values(review.champion),
                report=self.report_path,
                intent=dataset.intent,
            )
        )

    @staticmethod
    def _each(runs: Iterable[Any]) -> Iterable[Any]:
        return (run for run in runs if run is not None)


def _values(evaluation: Evaluation) -> dict[str, float]:
    return {name: estimate.value for name, estimate in evaluation.metrics.items()}
