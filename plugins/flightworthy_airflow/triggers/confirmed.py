"""Wait until the router serves what a rollback decided."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import closing
from dataclasses import asdict, dataclass
from typing import Any

from airflow.triggers.base import BaseTrigger, TriggerEvent

from flightworthy.errors import Refused

__all__ = ["ConfirmedTrigger", "TrafficMoved"]


@dataclass(frozen=True, slots=True, kw_only=True)
class TrafficMoved:
    """What serves now; ``refusal`` says why, where it is not what was decided."""

    release_id: str | None
    refusal: str | None

    @classmethod
    def unpack(cls, event: Any) -> TrafficMoved:
        """Raises ``Refused`` for what is no such event."""
        try:
            return cls(**event)
        except TypeError as error:
            raise Refused(f"a rollback ended with an event that cannot be read: {event!r}", event=event) from error


class ConfirmedTrigger(BaseTrigger):
    """Fires once the deployer saw the router carry the release, or once that cannot come to be."""

    def __init__(
        self,
        *,
        model: str,
        release_id: str | None,
        conn_id: str = "flightworthy_default",
        poke_interval: float = 0.25,
    ) -> None:
        super().__init__()
        self.model = model
        self.release_id = release_id
        self.conn_id = conn_id
        self.poke_interval = poke_interval

    def serialize(self) -> tuple[str, dict[str, Any]]:
        return (
            "flightworthy_airflow.triggers.confirmed.ConfirmedTrigger",
            {
                "model": self.model,
                "release_id": self.release_id,
                "conn_id": self.conn_id,
                "poke_interval": self.poke_interval,
            },
        )

    async def run(self) -> AsyncIterator[TriggerEvent]:
        from flightworthy.errors import ReleaseRefused
        from flightworthy.release import arrived
        from flightworthy_airflow.hooks.flightworthy import FlightworthyHook

        # Its connection goes with it: one triggerer waits for hundreds.
        with closing((await FlightworthyHook.connected(self.conn_id)).releases()) as store:
            while True:
                try:
                    row = await asyncio.to_thread(arrived, store, self.model, self.release_id)
                except ReleaseRefused as refusal:
                    yield TriggerEvent(asdict(TrafficMoved(release_id=None, refusal=refusal.message)))
                    return
                if row is not None:
                    yield TriggerEvent(asdict(TrafficMoved(release_id=row.champion, refusal=None)))
                    return
                await asyncio.sleep(self.poke_interval)
