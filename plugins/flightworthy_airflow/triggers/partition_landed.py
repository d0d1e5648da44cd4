"""Wait until one partition has landed and settled."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any

from airflow.triggers.base import BaseTrigger, TriggerEvent

from flightworthy.errors import Unavailable

if TYPE_CHECKING:
    from flightworthy.partition import SourceFile
    from flightworthy.spec import Source

__all__ = ["PartitionLandedTrigger"]


class PartitionLandedTrigger(BaseTrigger):
    """Fires once, with the key, when the partition is whole.

    That is when two looks in a row saw its files unchanged; or, where ``complete`` (as ``source.complete`` of a
    model.yaml) names a marker or a manifest, when that says so.
    """

    def __init__(
        self,
        *,
        uri: str,
        partition_format: str,
        partition: str,
        complete: str | dict[str, str] = "settled",
        source_conn_id: str | None = None,
        poke_interval: float = 1.0,
    ) -> None:
        super().__init__()
        self.uri = uri
        self.partition_format = partition_format
        self.partition = partition
        self.complete = complete
        self.source_conn_id = source_conn_id
        self.poke_interval = poke_interval

    def serialize(self) -> tuple[str, dict[str, Any]]:
        return (
            "flightworthy_airflow.triggers.partition_landed.PartitionLandedTrigger",
            {
                "uri": self.uri,
                "partition_format": self.partition_format,
                "partition": self.partition,
                "complete": self.complete,
                "source_conn_id": self.source_conn_id,
                "poke_interval": self.poke_interval,
            },
        )

    async def run(self) -> AsyncIterator[TriggerEvent]:
        from flightworthy.spec import Source

        source = Source.model_validate(
            {
                "uri": self.uri,
                "partition": self.partition_format,
                "complete": self.complete,
                "conn_id": self.source_conn_id,
            }
        )
        before: tuple[SourceFile, ...] = ()
        while True:
            try:
                files, is_whole = await asyncio.to_thread(self._look, source, before)
            except Unavailable as error:
                self.log.warning("the source was not listed: %s", error)
                files, is_whole = before, False
            if is_whole:
                yield TriggerEvent(self.partition)
                return
            before = files
            await asyncio.sleep(self.poke_interval)

    def _look(self, source: Source, before: tuple[SourceFile, ...]) -> tuple[tuple[SourceFile, ...], bool]:
        """The partition's files, and whether they are all there."""
        from flightworthy_airflow.hooks.sources import listing, missing_of

        files = tuple(file for file in listing(source) if file.key == self.partition)
        if source.complete.named is None or not files:
            return files, bool(files) and files == before
        return files, missing_of(source, self.partition, files, counted={}) is None
