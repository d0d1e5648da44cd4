"""What each arm attempted and failed since a step began, from counters that began with the server."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from flightworthy.adapters.envoy_router import ModelView, SlotView
from flightworthy.canary import ArmCounts
from flightworthy.deployer.projection import other
from flightworthy.release import Deployment


@dataclass(frozen=True, slots=True, kw_only=True)
class _Start:
    generation: int
    at: datetime
    challenger: SlotView
    champion: SlotView


@dataclass(frozen=True, slots=True, kw_only=True)
class Bake:
    """How long a step has served, and its counts. Without a router's word all three are None."""

    time: timedelta | None = None
    challenger: ArmCounts | None = None
    champion: ArmCounts | None = None


class Baking:
    """Remembers where each model's step began. A restarted deployer begins its bake again: later, never sooner."""

    def __init__(self) -> None:
        self._starts: dict[str, _Start] = {}

    def look(self, row: Deployment, view: ModelView, now: datetime) -> Bake:
        """The bake of the row's step as of ``now``; it begins when the router confirms the row's split."""
        slot = row.slot_of(row.challenger)
        if slot is None or view.route is None or view.route.generation != row.generation:
            return Bake()
        challenger, champion = view.slots[slot], view.slots[other(slot)]
        if challenger is None or champion is None:
            return Bake()
        start = self._starts.get(row.model)
        if start is None or start.generation != row.generation or _began_anew(start, challenger, champion):
            start = _Start(generation=row.generation, at=now, challenger=challenger, champion=champion)
            self._starts[row.model] = start
        return Bake(
            time=now - start.at,
            challenger=_since(start.challenger, challenger),
            champion=_since(start.champion, champion),
        )


def _began_anew(start: _Start, challenger: SlotView, champion: SlotView) -> bool:
    """Whether counters restarted: another server in a slot, or another router."""
    pairs = ((start.challenger, challenger), (start.champion, champion))
    return any((was.host, was.port) != (seen.host, seen.port) or seen.attempts < was.attempts for was, seen in pairs)


def _since(was: SlotView, seen: SlotView) -> ArmCounts:
    return ArmCounts(attempts=seen.attempts - was.attempts, errors=seen.errors - was.errors)
