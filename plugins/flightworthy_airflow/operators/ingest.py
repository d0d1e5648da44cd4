"""Take the run's partition in, as an immutable dataset version named by its digest."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperator, Context
from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException

from flightworthy_airflow.docs import documented
from flightworthy_airflow.hooks.flightworthy import FlightworthyHook
from flightworthy_airflow.hooks.mlflow import MlflowHook
from flightworthy_airflow.links import ReportLink
from flightworthy_airflow.references import DatasetReference, pack
from flightworthy_airflow.refusals import refusals_fail
from flightworthy_airflow.runs import Intent, Run, describe

if TYPE_CHECKING:
    from flightworthy.adapters.partition_files.progress import Progress
    from flightworthy.known import Ask
    from flightworthy.spec import Spec

__all__ = ["IngestOperator"]


class IngestOperator(BaseOperator):
    """Reads the partition of the run's data interval, of the arrival that it takes, or the newest one.

    A run of a data interval asks as of its end and gets what was known then, however often it asks; any other run asks
    as of now. The same input gives the same digest and is not written twice. A run whose interval has no partition is
    skipped, and so is one that was woken by an arrival which another run has taken. A run that is tried again has what
    it had. A backfill skips what a backfill did before: the same interval, code, parameters, seed and lock, in a
    version that still stands.

    :param model: the model's name
    """

    operator_extra_links = (ReportLink(name="Backtest"),)

    def __init__(
        self,
        *,
        model: str,
        conn_id: str = FlightworthyHook.default_conn_name,
        mlflow_conn_id: str = MlflowHook.default_conn_name,
        **kwargs: Any,
    ) -> None:
        super().__init__(**documented(self, kwargs))
        self.model = model
        self.conn_id = conn_id
        self.mlflow_conn_id = mlflow_conn_id
        self.report_path: str | None = None

    def execute(self, context: Context) -> dict[str, Any]:
        from flightworthy.dataset import ingest
        from flightworthy_airflow.hooks.sources import source_of

        run = describe(context)
        hook = FlightworthyHook(self.conn_id)
        with refusals_fail():
            spec = hook.spec(self.model)
            key = self._key(hook, spec, run)
            ask = _ask(spec, key, run)
            if run.intent is Intent.BACKFILL:
                self._skip_if_done(hook, spec, ask, run)
            self.log.info(
                "ingest model=%s intent=%s partition=%s as_of=%s",
                self.model, run.intent, key or "newest", ask.as_of or "now",
            )  # fmt: skip
            source = source_of(spec, hook.protection(spec), progress=self._tell)
            ingested = ingest(source, hook.datasets(), ask, now=hook.now())
        for row in ingested.unplaced:
            self.log.warning("in no partition: %s", row)
        version = ingested.version
        own = version.partition
        if own is None:
            raise AirflowFailException(f"partition {version.as_of} of {self.model} waits in quarantine")
        for written in ingested.written:
            self.log.info("written partition=%s rows=%s digest=%s", written.key, written.rows, written.digest)
        self.log.info(
            "dataset %s: %s rows in %s partitions; partition %s %s",
            version.digest[:12], version.rows, len(version.partitions), own.key,
            "stood already" if ingested.stood else "is new",
        )  # fmt: skip
        return pack(
            DatasetReference(
                model=self.model,
                partition=own.key,
                partition_digest=own.digest,
                dataset_digest=version.digest,
                rows=version.rows,
                intent=run.intent,
            )
        )

    def _tell(self, progress: Progress) -> None:
        self.log.info(
            "reading %s rows=%d share=%.0f%% rows_per_second=%.0f",
            progress.uri, progress.rows, 100 * progress.share, progress.rate,
        )  # fmt: skip

    @staticmethod
    def _key(hook: FlightworthyHook, spec: Spec, run: Run) -> str | None:
        """Whose partition the run is for; None for the newest there is."""
        from flightworthy.arrival import Kind, RunName
        from flightworthy.partition import key_of
        from flightworthy_airflow.hooks.arrivals import own_arrival

        if run.intent is Intent.NEW_DATA:
            # Taken before it is read: whoever comes later sees it taken, and a retry finds it again.
            name = RunName(dag_id=run.dag_id, run_id=run.run_id)
            own = own_arrival(hook, spec, run=name, named=run.named)
            # A correction is learnt from with all that came after it.
            return None if own.kind is Kind.CORRECTED else own.key
        if run.interval_start is not None:
            return key_of(run.interval_start, spec.source.partition)
        return run.partition

    def _skip_if_done(self, hook: FlightworthyHook, spec: Spec, ask: Ask, run: Run) -> None:
        from flightworthy_airflow.hooks.backfills import backtest_page, done_before

        done = done_before(hook, MlflowHook(self.mlflow_conn_id), spec, ask, run)
        if done is not None:
            self.report_path = backtest_page(hook, self.model)
            raise AirflowSkipException(
                f"{ask.key} of {self.model} was done: version {done.version} is what its data, this code, these "
                "parameters and this lock give; nothing is trained, measured or registered again"
            )


def _ask(spec: Spec, key: str | None, run: Run) -> Ask:
    """What a run asks for: its interval as of the interval's end, or else what is there now."""
    from flightworthy.known import Ask

    return Ask(
        model=spec.model,
        key=key,
        window=spec.dataset.window,
        as_of=run.interval_end,
        known_since=spec.rows_known_since,
    )
