"""Wait until one partition has landed and settled."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

from airflow.triggers.base import BaseTrigger, TriggerEvent

from flightworthy.errors import Unavailable

__all__ = ["PartitionLandedTrigger"]


class PartitionLandedTrigger(BaseTrigger):
    """Fires once, with the key, when two looks in a row saw the partition's files unchanged."""

    def __init__(self, *, uri: str, partition_format: str, partition: str, poke_interval: float = 1.0) -> None:
        super().__init__()
        self.uri = uri
        self.partition_format = partition_format
        self.partition = partition
        self.poke_interval = poke_interval

    def serialize(self) -> tuple[str, dict[str, Any]]:
        return (
            "flightworthy_airflow.triggers.partition_landed.PartitionLandedTrigger",
            {
                "uri": self.uri,
                "partition_format": self.partition_format,
                "partition": self.partition,
                "poke_interval": self.poke_interval,
            },
        )

    async def run(self) -> AsyncIterator[TriggerEvent]:
        from flightworthy.partition import arrivals
        from flightworthy.spec import Source
        from flightworthy_airflow.hooks.sources import listing

        source = Source(uri=self.uri, partition=self.partition_format)
        before: tuple[Any, ...] = ()
        while True:
            try:
                files = await asyncio.to_thread(listing, source)
            except Unavailable as error:
                self.log.warning("the source was not listed: %s", error)
                files = before
            if self.partition in arrivals(files, before=before, known={}).fresh:
                yield TriggerEvent(self.partition)
                return
            before = files
            await asyncio.sleep(self.poke_interval)
