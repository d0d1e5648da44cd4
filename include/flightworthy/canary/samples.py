"""What is known of one arm: attempts as the router counted them, latencies and predictions as its server wrote them.

A sample is bounded whatever the traffic: latencies go into bins of 1 %, predictions into bins of 0.001, and an entity
is remembered by a hash, up to ``MOST_UNITS`` of them.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

__all__ = [
    "MOST_UNITS",
    "PREDICTION_BIN",
    "Arm",
    "ArmCounts",
    "ArmSample",
    "Bins",
    "latency_bin",
    "prediction_bin",
    "quantile",
]

MOST_UNITS = 100_000
"""Entities that one arm's sample remembers; later ones are left out, which favours neither arm."""

PREDICTION_BIN = 0.001
"""The width of a bin of predictions."""

Bins = Mapping[int, int]
"""How many observations fell into each bin."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ArmCounts:
    """Attempts that one arm answered or failed since its step began, as the router counted them."""

    attempts: int
    errors: int

    @property
    def error_rate(self) -> float:
        """Errors per attempt; NaN, which passes no limit, where nothing was attempted."""
        return self.errors / self.attempts if self.attempts else math.nan


@dataclass(slots=True, kw_only=True)
class ArmSample:
    """What one arm's server wrote since its step began.

    Predictions are counted once per *unit*: the entity, or the request where no entity was named. The router deals out
    entities, not requests, so a busy entity's thousand requests are one observation of an arm and not a thousand.
    """

    latencies: Counter[int] = field(default_factory=Counter)
    predictions: Counter[int] = field(default_factory=Counter)
    positives: int = 0
    _units: set[int] = field(default_factory=set)

    @property
    def requests(self) -> int:
        """Requests whose latency is known."""
        return self.latencies.total()

    @property
    def units(self) -> int:
        """Units whose prediction is known."""
        return self.predictions.total()

    def add_latency(self, milliseconds: float) -> None:
        """Count one answered request."""
        self.latencies[latency_bin(milliseconds)] += 1

    def add_prediction(self, unit: str, prediction: float, *, threshold: float) -> None:
        """Count a unit's first prediction; its later ones say nothing new of the arm."""
        key = hash(unit)
        if key in self._units or len(self._units) >= MOST_UNITS:
            return
        self._units.add(key)
        self.predictions[prediction_bin(prediction)] += 1
        self.positives += prediction >= threshold


@dataclass(frozen=True, slots=True, kw_only=True)
class Arm:
    """One arm at one moment of a step."""

    counts: ArmCounts
    sample: ArmSample


def latency_bin(milliseconds: float) -> int:
    """The bin of a latency; each is 1 % wide (e^0.01), from a microsecond up."""
    return math.floor(100 * math.log(max(milliseconds, 0.001) / 0.001))


def latency_at(place: float) -> float:
    """Milliseconds in the middle of a bin."""
    return 0.001 * math.exp((place + 0.5) / 100)


def prediction_bin(prediction: float) -> int:
    """The bin of a probability; each is 0.001 wide."""
    return min(int(prediction * 1000), 999)


def binned(predictions: Iterable[float]) -> Counter[int]:
    """The bins of many probabilities."""
    return Counter(map(prediction_bin, predictions))


def quantile(bins: Bins, share: float) -> float:
    """The place, in bins, below which ``share`` of the observations lie, spread evenly within a bin; NaN of none."""
    total = sum(bins.values())
    wanted, seen = share * total, 0
    for place in sorted(bins):
        if seen + bins[place] >= wanted and bins[place]:
            return place - 0.5 + (wanted - seen) / bins[place]
        seen += bins[place]
    return math.nan


def share_above(bins: Bins, place: int) -> int:
    """How many observations lie in bins after ``place``."""
    return sum(count for found, count in bins.items() if found > place)
