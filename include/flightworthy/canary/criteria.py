"""What a canary is judged by beside its champion: errors and latency here, predictions in ``answers``.

Each criterion remembers what it needs between looks of one step, gets the arms as they are now, and gives a finding.
Each may raise a false alarm with a chance of ``alpha`` over all looks of its step, and no more.
"""

from __future__ import annotations

import math
from typing import Protocol

from flightworthy.canary.odds import Block, OddsEvidence, fisher_exact, higher
from flightworthy.canary.ranks import Looks, mann_whitney
from flightworthy.canary.samples import Arm, Bins, latency_at, quantile
from flightworthy.canary.verdict import Finding, Verdict
from flightworthy.release import Strategy

__all__ = ["Criterion", "Errors", "Latency", "Seen", "alike", "extended", "too_few", "unmeasured", "weighed"]

EXAM = 8 / 9
"""The exam's part of what errors may spend; the rest is for the looks before it."""

LEAST_MILLISECONDS = 1.0
"""A smaller difference of the medians is no slowdown, whatever its share: nobody waits for it, and a server that is
asked nine times less often than another has colder caches, which costs as much."""

DOUBTFUL = 0.05
"""An effect over its limit is held back, though not withdrawn, as soon as chance explains it less often than this."""


class Criterion(Protocol):
    """One thing to judge an arm by."""

    def look(self, challenger: Arm, champion: Arm, *, is_over: bool) -> Finding: ...


class Errors:
    """Whether the challenger fails more of its attempts than the champion.

    Looks on the way abort early, on evidence that is valid at each of them. Once the bake time is over there is one
    exam of all that was counted, which has most of the budget: before traffic grows a small difference counts too.
    """

    def __init__(self, alpha: float, strategy: Strategy) -> None:
        self._alpha, self._exam_alpha = alpha * (1 - EXAM), alpha * EXAM
        self._needed = strategy.min_requests
        self._evidence, self._seen = higher(), (0, 0, 0, 0)
        self._exam: float | None = None

    def look(self, challenger: Arm, champion: Arm, *, is_over: bool) -> Finding:
        """Take in what came since the last look; the exam is sat once."""
        mine, theirs = challenger.counts, champion.counts
        now = (mine.attempts, mine.errors, theirs.attempts, theirs.errors)
        self._evidence, self._seen = extended(self._evidence, self._seen, now)
        if is_over and self._exam is None and mine.attempts >= self._needed:
            self._exam = fisher_exact(_block(now))
        chance = self._evidence.chance
        failed_exam = self._exam is not None and self._exam <= self._exam_alpha
        said = f"{mine.errors} of {mine.attempts} attempts failed"
        if chance <= self._alpha or failed_exam:
            verdict = Verdict.UNHEALTHY
            least = chance if self._exam is None else min(chance, self._exam)
            said += f", of the champion's {theirs.errors} of {theirs.attempts}; {alike(least)}"
        else:
            verdict = Verdict.HEALTHY
            said += f"; the champion: {theirs.errors} of {theirs.attempts} attempts failed"
        numbers = {
            "evidence": _safe_exp(self._evidence.log_value), "chance": chance, "alpha": self._alpha,
            "exam_chance": self._exam, "exam_alpha": self._exam_alpha,
        }  # fmt: skip
        return Finding(criterion="errors", verdict=verdict, reason=said, numbers=numbers)


class Latency:
    """Whether the challenger is slower than the champion, beyond chance and by enough to matter."""

    def __init__(self, alpha: float, strategy: Strategy, max_slowdown: float) -> None:
        self._alpha, self._limit, self._needed = alpha, max_slowdown, strategy.min_requests
        self._is_required = "latency" in strategy.limits.required
        self._looks = Looks(first=strategy.min_requests)
        self._found: Finding | None = None

    def look(self, challenger: Arm, champion: Arm, *, is_over: bool) -> Finding:
        """Look, if enough came since the last time."""
        mine, theirs = challenger.sample, champion.sample
        if not mine.requests or not theirs.requests:
            arm = "the challenger's" if not mine.requests else "the champion's"
            return unmeasured("latency", self._is_required, f"latency: {arm} server writes none into its log")
        if mine.requests < self._needed:
            return too_few("latency", f"{mine.requests} latencies, {self._needed} are needed for a verdict")
        if self._looks.is_due(mine.requests) or self._found is None:
            self._found = self._compare(mine.latencies, theirs.latencies)
        return self._found

    def _compare(self, mine: Bins, theirs: Bins) -> Finding:
        ranks = mann_whitney(mine, theirs)
        median, other = latency_at(quantile(mine, 0.5)), latency_at(quantile(theirs, 0.5))
        slowdown, alpha = median / other - 1, self._alpha * self._looks.share()
        said = f"{median:.3g} ms at the median, {slowdown:+.0%} of the champion's {other:.3g} ms"
        numbers = {
            "median_ms": median, "champion_median_ms": other, "slowdown": slowdown, "limit": self._limit,
            "requests": sum(mine.values()), "champion_requests": sum(theirs.values()),
            "superiority": ranks.superiority, "chance": ranks.chance, "alpha": alpha, "look": self._looks.taken,
        }  # fmt: skip
        is_over = slowdown >= self._limit and median - other >= LEAST_MILLISECONDS
        verdict, doubt = weighed(is_over, ranks.chance, alpha)
        return Finding(criterion="latency", verdict=verdict, reason=f"{said}{doubt}", numbers=numbers)


Seen = tuple[int, int, int, int]


def extended(evidence: OddsEvidence, seen: Seen, now: Seen) -> tuple[OddsEvidence, Seen]:
    """The evidence with what came since ``seen``, once both arms have something to compare."""
    attempts, events, other_attempts, other_events = (new - old for new, old in zip(now, seen, strict=True))
    if attempts < 1 or other_attempts < 1:
        return evidence, seen
    return evidence.after(_block((attempts, events, other_attempts, other_events))), now


def _block(counts: Seen) -> Block:
    attempts, events, other_attempts, other_events = counts
    return Block(attempts=attempts, events=events, other_attempts=other_attempts, other_events=other_events)


def weighed(is_over: bool, chance: float, alpha: float) -> tuple[Verdict, str]:
    """Unhealthy where an effect is over its limit and beyond chance; held where it is over it and doubtful."""
    if is_over and chance <= alpha:
        return Verdict.UNHEALTHY, f"; {alike(chance)}"
    if is_over and chance <= DOUBTFUL:
        return Verdict.INCONCLUSIVE, ", more than allowed, but it may be chance"
    return Verdict.HEALTHY, ""


def unmeasured(criterion: str, is_required: bool, why: str) -> Finding:
    """Missing evidence: holds where the spec asks for it, and is said where it does not."""
    verdict = Verdict.INCONCLUSIVE if is_required else None
    return Finding(criterion=criterion, verdict=verdict, reason=f"not measured: {why}", numbers={})


def too_few(criterion: str, why: str) -> Finding:
    """Evidence that is coming and is not enough yet: holds."""
    return Finding(criterion=criterion, verdict=Verdict.INCONCLUSIVE, reason=why, numbers={})


def alike(chance: float) -> str:
    """How a chance is told."""
    return f"arms that are alike differ so with a chance of {chance:.1e}"


def _safe_exp(log: float) -> float:
    return math.exp(min(log, 700.0))
