"""Limits that hold whatever the champion does: on errors, on slow requests, on the share of positive answers."""

from __future__ import annotations

import math

from flightworthy.canary.answers import FEWEST_UNITS
from flightworthy.canary.criteria import too_few
from flightworthy.canary.limits import log_evidence
from flightworthy.canary.samples import Arm, latency_at, latency_bin, quantile, share_above
from flightworthy.canary.verdict import Finding, Verdict

__all__ = ["ErrorLimit", "ShareLimit", "SlowLimit", "YesLimit"]


class ErrorLimit:
    """Whether the challenger fails more than ``max_error_rate`` allows, whatever the champion does."""

    def __init__(self, alpha: float, max_error_rate: float) -> None:
        self._limit = ShareLimit("error_rate", alpha, max_error_rate)

    def look(self, challenger: Arm, champion: Arm, *, is_over: bool) -> Finding:
        """Hold the counts against the limit."""
        counts = challenger.counts
        said = f"{counts.errors} of {counts.attempts} attempts failed"
        return self._limit.weigh(counts.errors, counts.attempts, said)


class SlowLimit:
    """Whether more than one in a hundred requests takes longer than ``max_p99_latency``."""

    def __init__(self, alpha: float, milliseconds: float, needed: int) -> None:
        self._milliseconds, self._needed = milliseconds, needed
        self._limit = ShareLimit("p99_latency", alpha, 0.01)

    def look(self, challenger: Arm, champion: Arm, *, is_over: bool) -> Finding:
        """Hold the latencies against the limit. None known is no evidence, and this limit was asked for."""
        latencies, requests = challenger.sample.latencies, challenger.sample.requests
        if requests < self._needed:
            return too_few("p99_latency", f"{requests} latencies, {self._needed} are needed for a verdict")
        slow = share_above(latencies, latency_bin(self._milliseconds))
        p99 = latency_at(quantile(latencies, 0.99))
        said = f"{slow} of {requests} requests took longer than {self._milliseconds:g} ms; p99 is {p99:.3g} ms"
        return self._limit.weigh(slow, requests, said, p99_ms=p99)


class YesLimit:
    """Whether the challenger says yes to a smaller share than it must, or to a larger one than it may."""

    def __init__(self, alpha: float, share: float, *, is_floor: bool) -> None:
        self._share, self._is_floor = share, is_floor
        self._name = "min_positive_share" if is_floor else "max_positive_share"
        self._limit = ShareLimit(self._name, alpha, 1 - share if is_floor else share)

    def look(self, challenger: Arm, champion: Arm, *, is_over: bool) -> Finding:
        """Hold the answers against the limit. None known is no evidence, and this limit was asked for."""
        units, positives = challenger.sample.units, challenger.sample.positives
        if units < FEWEST_UNITS:
            return too_few(self._name, f"answers for {units} entities, {FEWEST_UNITS} are needed for a verdict")
        events = units - positives if self._is_floor else positives
        bound = "at least" if self._is_floor else "at most"
        said = f"{positives} of {units} answers are positive, {bound} {self._share:.1%} must be"
        return self._limit.weigh(events, units, said)


class ShareLimit:
    """A share that must not exceed its limit, on evidence that is valid at every look."""

    def __init__(self, criterion: str, alpha: float, limit: float) -> None:
        self._criterion, self._alpha, self._limit = criterion, alpha, limit
        self._peak = 0.0

    def weigh(self, events: int, observations: int, said: str, **more: float) -> Finding:
        """The finding on so many events; ``said`` is how they are told, ``more`` goes among the numbers."""
        self._peak = max(self._peak, log_evidence(events, observations, self._limit))
        chance = math.exp(-self._peak)
        share = events / observations if observations else None
        if chance <= self._alpha:
            verdict = Verdict.UNHEALTHY
            said += f"; at the allowed {self._limit:.2%} the chance of that is {chance:.1e}"
        elif share is None or not share <= self._limit:
            verdict, said = Verdict.INCONCLUSIVE, f"{said}, more than allowed, but it may be chance"
        else:
            verdict = Verdict.HEALTHY
        numbers = {"share": share, "limit": self._limit, "chance": chance, "alpha": self._alpha, **more}
        return Finding(criterion=self._criterion, verdict=verdict, reason=said, numbers=numbers)
