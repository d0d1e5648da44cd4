"""Wait in a DAG, without holding a worker slot, until the run's own partition has landed."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from airflow.sdk import BaseSensorOperator, Context

from flightworthy_airflow.docs import documented
from flightworthy_airflow.runs import describe
from flightworthy_airflow.triggers.partition_landed import PartitionLandedTrigger

__all__ = ["NewPartitionSensor"]


class NewPartitionSensor(BaseSensorOperator):
    """Succeeds with the partition key once its files have settled.

    :param uri: the source, with ``{partition}`` where the key stands
    :param partition_format: how a key is written, as ``strftime`` writes it
    :param partition: the key (templated); by default that of the run's data interval
    :param source_conn_id: the Airflow connection of the store it lies in, as ``source.conn_id``
    :param complete: how it is known that it is whole, as ``source.complete`` of a model.yaml
    """

    template_fields: Sequence[str] = ("uri", "partition")

    def __init__(
        self,
        *,
        uri: str,
        partition_format: str = "%Y-%m-%d",
        partition: str | None = None,
        complete: str | dict[str, str] = "settled",
        source_conn_id: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**documented(self, {"timeout": timedelta(days=1).total_seconds(), **kwargs}))
        self.uri = uri
        self.partition_format = partition_format
        self.partition = partition
        self.complete = complete
        self.source_conn_id = source_conn_id

    def execute(self, context: Context) -> None:
        from flightworthy.partition import key_of

        run = describe(context)
        key = self.partition or run.partition
        if key is None and run.interval_start is not None:
            key = key_of(run.interval_start, self.partition_format)
        if key is None:
            raise ValueError("this run has no data interval; tell the sensor which partition to wait for")
        self.defer(
            trigger=PartitionLandedTrigger(
                uri=self.uri,
                partition_format=self.partition_format,
                partition=key,
                complete=self.complete,
                source_conn_id=self.source_conn_id,
            ),
            method_name="conclude",
            timeout=timedelta(seconds=self.timeout),
        )

    def conclude(self, context: Context, event: str) -> str:
        """The partition key, for the tasks behind."""
        self.log.info("partition %s has landed", event)
        return event
