"""Hold the run's partitions against their expectations, before anybody learns from them."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperator, Context

from flightworthy_airflow.docs import documented
from flightworthy_airflow.hooks.flightworthy import FlightworthyHook
from flightworthy_airflow.links import ReportLink
from flightworthy_airflow.references import DatasetReference, pack, unpack
from flightworthy_airflow.refusals import refusals_fail

if TYPE_CHECKING:
    from flightworthy.expectations import SuiteResult

__all__ = ["CheckExpectationsOperator"]


class CheckExpectationsOperator(BaseOperator):
    """Runs the model's Great Expectations suite on every partition that no suite has passed yet.

    What is refused goes to quarantine: single rows where the suite says so, else the partition, and then the task fails
    with every objection. So it does while an older partition of the window waits there: until that is mended, taken
    back in or given up, nobody learns from a window that holds it.

    The actions of the model's checkpoint.json are taken of each result, before its verdict is written: a task that was
    killed in between takes them again. One that fails is a warning in the log, and changes nothing else.

    :param model: the model's name
    :param dataset: the output of ``ingest``
    """

    template_fields: Sequence[str] = ("dataset",)
    operator_extra_links = (ReportLink(name="Data Docs"),)

    def __init__(
        self, *, model: str, dataset: Any, conn_id: str = FlightworthyHook.default_conn_name, **kwargs: Any
    ) -> None:
        super().__init__(**documented(self, kwargs))
        self.model = model
        self.dataset = dataset
        self.conn_id = conn_id
        self.report_path: str | None = None

    def execute(self, context: Context) -> dict[str, Any]:
        from flightworthy.errors import PartitionRefused
        from flightworthy.expectations import check_expectations
        from flightworthy.quarantine import frozen

        hook = FlightworthyHook(self.conn_id)
        with refusals_fail():
            dataset = unpack(DatasetReference, self.dataset)
            store = hook.datasets()
            checked = check_expectations(
                store,
                hook.instruments(),
                version=store.version(self.model, dataset.dataset_digest),
                spec=hook.spec(self.model),
                suite=hook.suite(self.model),
                now=hook.now(),
            )
            for result in checked.results:
                self._tell(result)
            docs = checked.result or (checked.results[-1] if checked.results else None)
            self.report_path = docs.docs if docs else None
            for parted in checked.parted:
                self.log.warning("quarantined rows partition=%s: %s", parted.key, parted.reason)
            for refused in checked.quarantined:
                self.log.error("quarantined partition=%s digest=%s", refused.key, refused.digest)
                for objection in refused.objections:
                    self.log.error("objection: %s", objection)
            if checked.frozen and not any(each.key == dataset.partition for each in checked.quarantined):
                raise frozen(checked.version, checked.frozen)
            if checked.objections:
                raise PartitionRefused(
                    f"Partition {dataset.partition} of {self.model} was refused: {'; '.join(checked.objections)}. "
                    "Nobody learns from it, and the champion was not touched. Mend it at its source and land it again; "
                    f"`flightworthy quarantine list {self.model}` shows what waits.",
                    partition=dataset.partition,
                    objections=list(checked.objections),
                )
        version = checked.version
        own = dataset.partition_digest if version.partition is None else version.partition.digest
        return pack(replace(dataset, partition_digest=own, dataset_digest=version.digest, rows=version.rows))

    def _tell(self, result: SuiteResult) -> None:
        self.log.info("checked partition=%s expectations=%s", result.key, result.checked)
        for warning in result.warnings:
            self.log.warning("partition %s: %s", result.key, warning)
        for action in result.actions:
            level = logging.WARNING if action.outcome == "failed" else logging.INFO
            why = f": {action.why}" if action.why else ""
            self.log.log(level, "action partition=%s name=%s %s%s", result.key, action.name, action.outcome, why)
