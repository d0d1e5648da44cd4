"""Wait until one partition has landed and is whole."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

from airflow.triggers.base import BaseTrigger, TriggerEvent

from flightworthy.errors import Unavailable

__all__ = ["PartitionLandedTrigger"]


class PartitionLandedTrigger(BaseTrigger):
    """Fires once, with the key, when the partition is whole, as the watcher of all models would see it.

    :param source: where it lands, as the section ``source`` of a model.yaml
    """

    def __init__(self, *, source: dict[str, Any], partition: str, poke_interval: float = 1.0) -> None:
        super().__init__()
        self.source = source
        self.partition = partition
        self.poke_interval = poke_interval

    def serialize(self) -> tuple[str, dict[str, Any]]:
        return (
            "flightworthy_airflow.triggers.partition_landed.PartitionLandedTrigger",
            {"source": self.source, "partition": self.partition, "poke_interval": self.poke_interval},
        )

    async def run(self) -> AsyncIterator[TriggerEvent]:
        from flightworthy.spec.reading import source_from
        from flightworthy_airflow.hooks.looking import Looks

        looks = Looks(source=source_from(self.source), called=f"sensor of {self.partition}")
        while True:
            try:
                seen = await asyncio.to_thread(looks.look, {}, now=datetime.now(UTC), only=self.partition)
                if self.partition in seen.fresh:
                    yield TriggerEvent(self.partition)
                    return
            except Unavailable as error:
                self.log.warning("the source was not listed: %s", error)
            await asyncio.sleep(self.poke_interval)
