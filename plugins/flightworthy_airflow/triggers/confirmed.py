"""Wait until the router serves what a row says."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

from airflow.triggers.base import BaseTrigger, TriggerEvent

__all__ = ["ConfirmedTrigger"]


class ConfirmedTrigger(BaseTrigger):
    """Fires with the champion's release id once the deployer saw the router carry ``generation`` or a later one."""

    def __init__(
        self, *, model: str, generation: int, conn_id: str = "flightworthy_default", poke_interval: float = 0.25
    ) -> None:
        super().__init__()
        self.model = model
        self.generation = generation
        self.conn_id = conn_id
        self.poke_interval = poke_interval

    def serialize(self) -> tuple[str, dict[str, Any]]:
        return (
            "flightworthy_airflow.triggers.confirmed.ConfirmedTrigger",
            {
                "model": self.model,
                "generation": self.generation,
                "conn_id": self.conn_id,
                "poke_interval": self.poke_interval,
            },
        )

    async def run(self) -> AsyncIterator[TriggerEvent]:
        from flightworthy_airflow.hooks.flightworthy import FlightworthyHook

        store = (await FlightworthyHook.connected(self.conn_id)).releases()
        while True:
            seen = await asyncio.to_thread(store.observation, self.model)
            if seen is not None and seen.generation >= self.generation:
                row = await asyncio.to_thread(store.deployment, self.model)
                yield TriggerEvent(row.champion)
                return
            await asyncio.sleep(self.poke_interval)
