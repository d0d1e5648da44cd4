"""Wait until the deployer has done a drill, without holding a worker slot."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import closing
from dataclasses import asdict, dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from airflow.triggers.base import BaseTrigger, TriggerEvent

from flightworthy.errors import Refused

if TYPE_CHECKING:
    from flightworthy.release import Drill

__all__ = ["DrillEnded", "DrillTrigger"]


@dataclass(frozen=True, slots=True, kw_only=True)
class DrillEnded:
    """What a drill found, after how many seconds."""

    release_id: str
    passed: bool
    reason: str
    seconds: float

    @classmethod
    def unpack(cls, event: Any) -> DrillEnded:
        """Raises ``Refused`` for what is no such event."""
        try:
            return cls(**event)
        except TypeError as error:
            raise Refused(f"a drill ended with an event that cannot be read: {event!r}", event=event) from error


class DrillTrigger(BaseTrigger):
    """Looks every ``poke_interval`` seconds, until ``patience`` seconds after the drill was asked for."""

    def __init__(
        self,
        *,
        number: int,
        conn_id: str = "flightworthy_default",
        poke_interval: float = 0.5,
        patience: float = 3600.0,
    ) -> None:
        super().__init__()
        self.number = number
        self.conn_id = conn_id
        self.poke_interval = poke_interval
        self.patience = patience

    def serialize(self) -> tuple[str, dict[str, Any]]:
        return (
            "flightworthy_airflow.triggers.drill.DrillTrigger",
            {
                "number": self.number,
                "conn_id": self.conn_id,
                "poke_interval": self.poke_interval,
                "patience": self.patience,
            },
        )

    async def run(self) -> AsyncIterator[TriggerEvent]:
        from flightworthy_airflow.hooks.flightworthy import FlightworthyHook

        hook = await FlightworthyHook.connected(self.conn_id)
        # Its connection goes with it: one triggerer waits for hundreds.
        with closing(hook.releases()) as store:
            while True:
                drill = await asyncio.to_thread(store.drill, self.number)
                is_late = hook.now() - drill.asked_at > timedelta(seconds=self.patience)
                if drill.ended_at is not None or is_late:
                    yield TriggerEvent(asdict(_ended(drill, self.patience)))
                    return
                await asyncio.sleep(self.poke_interval)


def _ended(drill: Drill, patience: float) -> DrillEnded:
    if drill.passed is None or drill.took_time is None:
        reason = f"nobody did it within {patience:g} s of being asked; see that `flightworthy deployer` runs"
        return DrillEnded(release_id=drill.release, passed=False, reason=reason, seconds=patience)
    return DrillEnded(
        release_id=drill.release, passed=drill.passed, reason=drill.reason, seconds=drill.took_time.total_seconds()
    )
