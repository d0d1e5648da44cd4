"""What two releases answered to the same request: a shadow's answers beside those that the champion gave.

Pairs are told by the request's id and the row's place in it. Bounded: what waits for its other half longer than
``MOST_WAITING`` others is let go, as is a copy that the router did not make.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from flightworthy.canary.samples import MOST_UNITS, ArmSample

__all__ = ["MOST_WAITING", "Answered", "Pairs"]

MOST_WAITING = 50_000
"""Rows that wait for their other half; the servers write their logs within a second of one another."""

Side = Literal["challenger", "champion"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """One row of a request that was answered. ``unit`` is its entity, or the request where none was named."""

    request: str
    row: int
    unit: str
    prediction: float


@dataclass(slots=True, kw_only=True)
class Pairs:
    """Answers to the same rows, counted once per unit: a busy entity's thousand requests are one observation."""

    threshold: float
    requests: int = 0
    """Requests that both answered."""
    flips: int = 0
    """Units to which one said yes and the other no."""
    challenger: ArmSample = field(default_factory=ArmSample)
    champion: ArmSample = field(default_factory=ArmSample)
    _units: set[int] = field(default_factory=set)
    _waiting: dict[tuple[str, int], tuple[Side, float]] = field(default_factory=dict)

    @property
    def units(self) -> int:
        """Units with a pair of answers."""
        return len(self._units)

    def add(self, side: Side, answer: Answered) -> None:
        """Take in one answer; it is counted once the other side's is there."""
        key = (answer.request, answer.row)
        other = self._waiting.get(key)
        if other is None:
            self._waiting[key] = (side, answer.prediction)
            if len(self._waiting) > MOST_WAITING:
                del self._waiting[next(iter(self._waiting))]
        elif other[0] != side:
            del self._waiting[key]
            mine, theirs = answer.prediction, other[1]
            self._count(answer, *((mine, theirs) if side == "challenger" else (theirs, mine)))
        # Else the same side answered twice under one id, as after a retry: its first answer stands.

    def _count(self, answer: Answered, challenger: float, champion: float) -> None:
        self.requests += answer.row == 0
        key = hash(answer.unit)
        if key in self._units or len(self._units) >= MOST_UNITS:
            return
        self._units.add(key)
        self.flips += (challenger >= self.threshold) != (champion >= self.threshold)
        self.challenger.add_prediction(answer.unit, challenger, threshold=self.threshold)
        self.champion.add_prediction(answer.unit, champion, threshold=self.threshold)
