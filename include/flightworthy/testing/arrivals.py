"""What has landed, in memory."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from flightworthy.arrival import Announcement, Arrival, NewData, Outcome, RunName

__all__ = ["MemoryArrivals"]


@dataclass(slots=True, kw_only=True)
class MemoryArrivals:
    """Implements ``arrival.ArrivalStore``. May be shared between threads."""

    kept: dict[tuple[str, str, str], Arrival] = field(default_factory=dict)
    _one_at_a_time: threading.RLock = field(default_factory=threading.RLock)

    def close(self) -> None:
        """As one in SQL is closed; what is kept here stays."""

    def known(self, model: str) -> Mapping[str, str]:
        found = sorted(self.of(model), key=lambda each: each.seen_at)
        return {each.key: each.digest for each in found}

    def note(self, arrivals: Sequence[Arrival]) -> None:
        for each in arrivals:
            self.kept.setdefault((each.model, each.key, each.digest), each)

    def waiting(self) -> list[Arrival]:
        return [each for each in self._ordered() if each.kind.wakes and each.run is None and each.considered_at is None]

    def taken(self) -> list[Arrival]:
        return [each for each in self._ordered() if each.run is not None and each.considered_at is None]

    def failed(self, *, since: datetime) -> list[Arrival]:
        ended = [each for each in self._ordered() if each.considered_at is not None and each.considered_at >= since]
        return [each for each in ended if each.outcome is not None and each.outcome.failed]

    def of(self, model: str) -> list[Arrival]:
        return [each for each in self._ordered() if each.model == model]

    def announced(self, announcement: Announcement, *, at: datetime) -> None:
        with self._one_at_a_time:
            for each in self.waiting():
                if each.model == announcement.model and each.key in announcement.keys:
                    self._put(replace(each, announced_at=at, announcements=each.announcements + 1))

    def take(self, model: str, run: RunName, *, new_data: NewData, at: datetime) -> list[Arrival]:
        with self._one_at_a_time:
            had = [each for each in self.of(model) if each.run == run]
            if had:
                return [self._put(replace(each, outcome=None, considered_at=None)) for each in had]
            found = [each for each in self.waiting() if each.model == model]
            chosen = found if new_data == "latest" else found[:1]
            return [self._put(replace(each, run=run, taken_at=at)) for each in chosen]

    def conclude(self, run: RunName, outcome: Outcome, *, at: datetime) -> None:
        with self._one_at_a_time:
            for each in self._ordered():
                if each.run == run:
                    self._put(replace(each, outcome=outcome, considered_at=at))

    def give_up(self, arrivals: Sequence[Arrival]) -> None:
        free = {"announced_at": None, "run": None, "taken_at": None, "outcome": None, "considered_at": None}
        with self._one_at_a_time:
            for each in arrivals:
                self._put(replace(each, **free))  # type: ignore[arg-type]

    def _ordered(self) -> list[Arrival]:
        return sorted(self.kept.values(), key=lambda each: (each.key, each.seen_at))

    def _put(self, arrival: Arrival) -> Arrival:
        self.kept[arrival.model, arrival.key, arrival.digest] = arrival
        return arrival
