"""Choose the best trial, measure it and the champion on the same holdout, and ask the gates."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperator, Context

from flightworthy_airflow.docs import documented
from flightworthy_airflow.hooks.flightworthy import FlightworthyHook
from flightworthy_airflow.hooks.mlflow import MlflowHook
from flightworthy_airflow.links import ReportLink
from flightworthy_airflow.references import DatasetReference, EvaluationReference, pack, unpack
from flightworthy_airflow.refusals import refusals_fail
from flightworthy_airflow.runs import Intent, describe

if TYPE_CHECKING:
    from pathlib import Path

    from flightworthy.evaluation import Evaluation
    from flightworthy.review import Opponent, Review
    from flightworthy.spec import Spec
    from flightworthy.training import TrainingRun
    from flightworthy_airflow.runs import Run

__all__ = ["EvaluateOperator"]


class EvaluateOperator(BaseOperator):
    """Fails with every objection if the gates refuse the challenger; nothing that serves is touched.

    In a backfill the opponent is who served at the end of the interval, by the ledger; where nobody did, the version
    of the interval before is shown beside it, and no gate goes by that. The decision is recorded and does not stop the
    run: it registers what it found and releases nothing.

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
        from flightworthy_airflow.hooks.workshop import reviewed

        hook, mlflow = FlightworthyHook(self.conn_id), MlflowHook(self.mlflow_conn_id)
        with refusals_fail():
            dataset = unpack(DatasetReference, self.dataset)
            spec = hook.spec(self.model)
            chosen = self._chosen(spec)
            asked = describe(context)
            opponent = self._opponent(hook, mlflow, dataset, asked)
            found = reviewed(hook, mlflow, spec, dataset, chosen, opponent)
            self.report_path = hook.report_path(found.report)
            self._tell(found.review)
            objections = [str(objection) for objection in found.review.decision.objections]
            if objections and asked.intent.may_release:
                raise ChallengerRefused(
                    f"The challenger of {self.model} was refused and nothing was changed: " + "; ".join(objections),
                    objections=objections,
                )
            return pack(
                EvaluationReference(
                    model=self.model,
                    run=chosen.pack(),
                    decision=found.review.decision.pack(),
                    metrics=_values(found.review.challenger),
                    champion_metrics=_champion_values(found.review),
                    worth=found.review.worth.pack(),
                    report=self.report_path,
                    backtest=self._backtest(hook, spec, dataset, asked, found.review),
                    intent=dataset.intent,
                )
            )

    def _chosen(self, spec: Spec) -> TrainingRun:
        from flightworthy.training import TrainingRun, choose

        trials = [self.runs] if isinstance(self.runs, dict) else [run for run in self.runs if run is not None]
        run = choose([TrainingRun.unpack(trial) for trial in trials], spec.training.select)
        self.log.info("chosen run=%s of %s by %s params=%s", run.run_id, len(trials), spec.training.select, run.params)
        return run

    def _opponent(
        self, hook: FlightworthyHook, mlflow: MlflowHook, dataset: DatasetReference, asked: Run
    ) -> Callable[[Path], Opponent | None]:
        from flightworthy_airflow.hooks.opponents import champion_now, opponent_then

        then = asked.interval_end
        if asked.intent is not Intent.BACKFILL or then is None:
            return lambda scratch: champion_now(hook, mlflow, self.model, scratch)
        return lambda scratch: opponent_then(hook, mlflow, self.model, dataset.partition, at=then, scratch=scratch)

    def _tell(self, review: Review) -> None:
        for name, estimate in review.challenger.metrics.items():
            self.log.info("%s %.4f (%.4f to %.4f)", name, estimate.value, estimate.low, estimate.high)
        for beside in filter(None, (review.opponent, review.baseline)):
            self.log.info("beside: the %s, %s: %s", beside.kind, beside.name, _values(beside.evaluation))
        for note in review.decision.notes:
            self.log.info("note: %s", note)
        for objection in review.decision.objections:
            self.log.warning("objection: %s", objection)

    def _backtest(
        self, hook: FlightworthyHook, spec: Spec, dataset: DatasetReference, asked: Run, review: Review
    ) -> dict[str, Any] | None:
        from flightworthy.backtest import measured
        from flightworthy_airflow.hooks.backfills import work_key

        if asked.intent is not Intent.BACKFILL:
            return None
        return measured(
            review,
            partition_key=dataset.partition,
            work=work_key(hook, spec, dataset, asked),
            dataset_digest=dataset.dataset_digest,
            report=self.report_path or "",
        ).pack()


def _champion_values(review: Review) -> dict[str, float] | None:
    opponent = review.opponent
    return None if opponent is None or opponent.kind != "champion" else _values(opponent.evaluation)


def _values(evaluation: Evaluation) -> dict[str, float]:
    return {name: estimate.value for name, estimate in evaluation.metrics.items()}
