"""Watch a model's source and raise an asset event for each new partition, however often the triggerer restarts."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

from airflow.triggers.base import BaseEventTrigger, TriggerEvent

from flightworthy.errors import Unavailable

__all__ = ["NewPartitionTrigger"]


class NewPartitionTrigger(BaseEventTrigger):
    """Looks into the source every ``poke_interval`` seconds; a file counts once two looks saw it unchanged.

    What was seen is kept in the asset's state store, after the event was handed over: a triggerer that dies in between
    raises the event again, and ``ingest`` lets only one run take a partition. An event is missed by neither.
    """

    def __init__(self, *, model: str, uri: str, partition_format: str, poke_interval: float = 1.0) -> None:
        super().__init__()
        self.model = model
        self.uri = uri
        self.partition_format = partition_format
        self.poke_interval = poke_interval

    def serialize(self) -> tuple[str, dict[str, Any]]:
        return (
            "flightworthy_airflow.triggers.new_partition.NewPartitionTrigger",
            {
                "model": self.model,
                "uri": self.uri,
                "partition_format": self.partition_format,
                "poke_interval": self.poke_interval,
            },
        )

    async def pause(self, seconds: float) -> None:
        """Between two looks."""
        await asyncio.sleep(seconds)

    async def run(self) -> AsyncIterator[TriggerEvent]:
        from flightworthy.partition import arrivals
        from flightworthy.spec import Source
        from flightworthy_airflow.hooks.sources import listing

        source = Source(uri=self.uri, partition=self.partition_format)
        if self.asset_state_store is None:
            raise RuntimeError("NewPartitionTrigger watches an asset; attach it with AssetWatcher, or use the sensor")
        stored = await self.asset_state_store.aget("known")
        known = {key: str(mark) for key, mark in stored.items()} if isinstance(stored, dict) else {}
        before: tuple[Any, ...] = ()
        while True:
            try:
                files = await asyncio.to_thread(listing, source)
            except Unavailable as error:
                # A store that is away for a moment is no reason to stop watching it.
                self.log.warning("source of %s was not listed: %s", self.model, error)
                files = before
            seen = arrivals(files, before=before, known=known)
            before = files
            if seen.fresh:
                yield TriggerEvent({"model": self.model, "partition": seen.fresh[-1], "with": list(seen.fresh[:-1])})
            for kind in ("late", "revised"):
                if keys := getattr(seen, kind):
                    self.log.info("%s partitions of %s wait for a run to take them in: %s", kind, self.model, keys)
            if dict(seen.known) != known:
                known = dict(seen.known)
                await self.asset_state_store.aset("known", {**known})
            await self.pause(self.poke_interval)
