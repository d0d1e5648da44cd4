"""Wait in a DAG, without holding a worker slot, until the run's own partition has landed."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from airflow.sdk import BaseSensorOperator, Context

from flightworthy_airflow.docs import documented
from flightworthy_airflow.refusals import refusals_fail
from flightworthy_airflow.runs import describe
from flightworthy_airflow.triggers.partition_landed import PartitionLandedTrigger

__all__ = ["NewPartitionSensor"]


class NewPartitionSensor(BaseSensorOperator):
    """Succeeds with the partition key once the run's partition is whole, be it of files or rows of a table.

    :param source: where it lands, as the section ``source`` of a model.yaml (templated)
    :param partition: the key (templated); by default that of the run's data interval
    """

    template_fields: Sequence[str] = ("source", "partition")

    def __init__(self, *, source: dict[str, Any], partition: str | None = None, **kwargs: Any) -> None:
        super().__init__(**documented(self, {"timeout": timedelta(days=1).total_seconds(), **kwargs}))
        self.source = source
        self.partition = partition

    def execute(self, context: Context) -> None:
        from flightworthy.partition import key_of
        from flightworthy.spec.reading import source_from

        run = describe(context)
        with refusals_fail():
            source = source_from(self.source)
        key = self.partition or run.partition
        if key is None and run.interval_start is not None:
            key = key_of(run.interval_start, source.partition)
        if key is None:
            raise ValueError("this run has no data interval; tell the sensor which partition to wait for")
        self.defer(
            trigger=PartitionLandedTrigger(source=self.source, partition=key),
            method_name="conclude",
            timeout=timedelta(seconds=self.timeout),
        )

    def conclude(self, context: Context, event: str) -> str:
        """The partition key, for the tasks behind."""
        self.log.info("partition %s has landed", event)
        return event
