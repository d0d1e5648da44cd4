"""Wait until a release's course has ended, without holding a worker slot."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import closing
from dataclasses import asdict, dataclass
from typing import Any

from airflow.triggers.base import BaseTrigger, TriggerEvent

from flightworthy.errors import Refused

__all__ = ["ReleaseEnded", "ReleaseTrigger"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ReleaseEnded:
    """How the course of a release ended: ``promoted``, ``withdrawn`` or ``rolled_back``, and why."""

    release_id: str
    kind: str
    reason: str
    generation: int

    def pack(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def unpack(cls, event: Any) -> ReleaseEnded:
        """Raises ``Refused`` for anything but a known ending: an unknown one is never taken for success."""
        try:
            ended = cls(**event)
        except TypeError as error:
            raise Refused(f"a release ended with an event that cannot be read: {event!r}", event=event) from error
        if ended.kind not in ("promoted", "withdrawn", "rolled_back"):
            raise Refused(f"{ended.release_id} ended as {ended.kind!r}, which is no known ending", event=event)
        return ended


class ReleaseTrigger(BaseTrigger):
    """Looks at the release's row every ``poke_interval`` seconds.

    Only the connection's name travels through Airflow's database, never the address of ours.
    """

    def __init__(self, *, release_id: str, conn_id: str = "flightworthy_default", poke_interval: float = 0.5) -> None:
        super().__init__()
        self.release_id = release_id
        self.conn_id = conn_id
        self.poke_interval = poke_interval

    def serialize(self) -> tuple[str, dict[str, Any]]:
        return (
            "flightworthy_airflow.triggers.release.ReleaseTrigger",
            {"release_id": self.release_id, "conn_id": self.conn_id, "poke_interval": self.poke_interval},
        )

    async def run(self) -> AsyncIterator[TriggerEvent]:
        from flightworthy.release import outcome
        from flightworthy_airflow.hooks.flightworthy import FlightworthyHook

        # Its connection goes with it: one triggerer waits for hundreds.
        with closing((await FlightworthyHook.connected(self.conn_id)).releases()) as store:
            while True:
                ended = await asyncio.to_thread(outcome, store, self.release_id)
                if ended is not None:
                    yield TriggerEvent(
                        ReleaseEnded(
                            release_id=ended.release_id,
                            kind=ended.kind,
                            reason=ended.reason,
                            generation=ended.generation,
                        ).pack()
                    )
                    return
                await asyncio.sleep(self.poke_interval)
