"""The judge of a shadow: what a challenger answered to requests that the champion answered too, and nobody was told.

Errors, guard limits and the distribution of predictions are judged as in a canary, with the router's counts of the
copies as the challenger's. Flips are judged better than there: the same request was answered by both. Latency is not
judged, since a copy is made when there is room for it, and not when a user waits.
"""

from __future__ import annotations

from dataclasses import replace

from flightworthy.canary.answers import FEWEST_UNITS, Training
from flightworthy.canary.bounds import ShareLimit
from flightworthy.canary.criteria import too_few
from flightworthy.canary.judge import SHARES, UNKNOWN, combined, criteria, step_budget
from flightworthy.canary.pairs import Pairs
from flightworthy.canary.samples import Arm, ArmCounts
from flightworthy.canary.verdict import Finding, Judgement, Verdict
from flightworthy.release import Shadow, Strategy

__all__ = ["ShadowJudge"]


class ShadowJudge:
    """Judges one shadow, look by look. ``shadow`` is that of ``strategy``."""

    def __init__(self, strategy: Strategy, shadow: Shadow, *, training: Training = UNKNOWN) -> None:
        limits = replace(strategy.limits, max_p99_latency=None, max_slowdown=None, max_flip_rate=None)
        compared = replace(strategy, min_requests=shadow.min_requests, limits=limits)
        self._criteria = criteria(compared, training)
        self._flips = _Flips(step_budget(strategy) * SHARES["flips"], shadow)

    def look(self, challenger: ArmCounts, champion: ArmCounts, pairs: Pairs, *, is_over: bool) -> Judgement:
        """The verdict on what is known now. ``is_over`` says that the bake time is; healthy means nothing before."""
        mine, theirs = Arm(counts=challenger, sample=pairs.challenger), Arm(counts=champion, sample=pairs.champion)
        findings = (
            self._flips.look(pairs),
            *(criterion.look(mine, theirs, is_over=is_over) for criterion in self._criteria),
        )
        verdict, reason = combined(findings)
        return Judgement(verdict=verdict, reason=reason, challenger=challenger, champion=champion, findings=findings)


class _Flips:
    """Whether more entities than allowed are answered yes by one release and no by the other."""

    def __init__(self, alpha: float, shadow: Shadow) -> None:
        self._needed = shadow.min_requests
        self._limit = ShareLimit("flips", alpha, shadow.max_flip_rate)

    def look(self, pairs: Pairs) -> Finding:
        """Hold the flips against the limit. Few pairs are no evidence, whatever else is known."""
        share = pairs.flips / pairs.units if pairs.units else 0.0
        said = f"{pairs.flips} of {pairs.units} entities are answered otherwise than by the champion"
        numbers = {"flips": pairs.flips, "units": pairs.units, "requests": pairs.requests, "flip_rate": share}
        found = self._limit.weigh(pairs.flips, pairs.units, said, **numbers)
        is_enough = pairs.units >= FEWEST_UNITS and pairs.requests >= self._needed
        if is_enough or found.verdict is Verdict.UNHEALTHY:
            return found
        why = (
            f"{pairs.requests} requests of {pairs.units} entities were answered by both; "
            f"{self._needed} requests of {FEWEST_UNITS} entities are needed"
        )
        return too_few("flips", why)
