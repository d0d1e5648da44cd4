"""Take the run's partition in, as an immutable dataset version named by its digest."""

from __future__ import annotations

from typing import Any

from airflow.sdk import BaseOperator, Context
from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException

from flightworthy_airflow.docs import documented
from flightworthy_airflow.hooks.flightworthy import FlightworthyHook
from flightworthy_airflow.references import DatasetReference, pack
from flightworthy_airflow.refusals import refusals_fail
from flightworthy_airflow.runs import Intent, Run, describe

__all__ = ["IngestOperator"]


class IngestOperator(BaseOperator):
    """Reads the partition of the run's data interval, of the event that started it, or the newest one.

    The same input gives the same digest and is not written twice. A run whose interval has no partition is skipped, and
    so is a second run for a partition that another run, started by the same arrival, has taken.

    :param model: the model's name
    """

    def __init__(self, *, model: str, conn_id: str = FlightworthyHook.default_conn_name, **kwargs: Any) -> None:
        super().__init__(**documented(self, kwargs))
        self.model = model
        self.conn_id = conn_id

    def execute(self, context: Context) -> dict[str, Any]:
        from flightworthy.dataset import ingest
        from flightworthy.partition import key_of
        from flightworthy_airflow.hooks.sources import source_of

        run = describe(context)
        hook = FlightworthyHook(self.conn_id)
        with refusals_fail():
            spec = hook.spec(self.model)
            key = run.partition
            if run.interval_start is not None:
                key = key_of(run.interval_start, spec.source.partition)
            self.log.info("ingest model=%s intent=%s partition=%s", self.model, run.intent, key or "newest")
            ingested = ingest(
                source_of(spec, hook.protection(spec)),
                hook.datasets(),
                model=self.model,
                key=key,
                window=spec.dataset.window,
                now=hook.now(),
            )
        for row in ingested.unplaced:
            self.log.warning("in no partition: %s", row)
        version = ingested.version
        own = version.partition
        if own is None:
            raise AirflowFailException(f"partition {version.as_of} of {self.model} waits in quarantine")
        if run.intent is Intent.NEW_DATA:
            self._claim(hook, own.key, own.digest, run)
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

    def _claim(self, hook: FlightworthyHook, key: str, digest: str, run: Run) -> None:
        """One arrival starts one deployment, however often its event was raised."""
        owner = hook.releases().claim(self.model, key, digest, run.run_id)
        if owner != run.run_id:
            raise AirflowSkipException(f"partition {key} of {self.model} was taken by run {owner} already")
