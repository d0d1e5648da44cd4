"""The judge of one step: every criterion that the strategy names, one verdict.

All tests of one release share one budget for false alarms, ``FALSE_ALARMS``: divided by its steps, then among criteria
by ``SHARES`` (Bonferroni twice), whose own part holds over all looks of a step. The sum of chances bounds the chance of
any, however the criteria depend on one another.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from flightworthy.canary.answers import Flips, Shift, Training
from flightworthy.canary.bounds import ErrorLimit, SlowLimit, YesLimit
from flightworthy.canary.criteria import Criterion, Errors, Latency
from flightworthy.canary.samples import Arm
from flightworthy.canary.verdict import Finding, Judgement, Verdict
from flightworthy.release import Limits, Strategy

__all__ = ["FALSE_ALARMS", "SHARES", "UNKNOWN", "Judge", "combined", "criteria", "no_metrics", "step_budget"]

FALSE_ALARMS = 0.01
"""How often a challenger as good as its champion may be withdrawn, over all of its release."""

UNKNOWN = Training(challenger=None, champion=None)
"""Nothing is known of training; the champion alone is the measure."""

SHARES: Mapping[str, float] = {"errors": 0.9, "latency": 0.025, "flips": 0.025, "shift": 0.025, "limits": 0.025}
"""How the budget is divided. Errors are rare and need most of it; where the others differ by enough to matter, they
do so beyond any doubt within few requests."""


class Judge:
    """Judges one step of one release, look by look. It remembers evidence, never a verdict.

    ``training``: bins of what the arms predicted in training, where they are known.
    """

    def __init__(self, strategy: Strategy, *, training: Training = UNKNOWN) -> None:
        self._needed = strategy.min_requests
        self._criteria = criteria(strategy, training)

    def look(self, challenger: Arm | None, champion: Arm | None, *, is_over: bool) -> Judgement:
        """The verdict on what is known now. ``is_over`` says that the bake time is; healthy means nothing before."""
        if challenger is None or champion is None:
            return no_metrics()
        findings = tuple(criterion.look(challenger, champion, is_over=is_over) for criterion in self._criteria)
        verdict, reason = combined(findings)
        if verdict is not Verdict.UNHEALTHY and (attempts := challenger.counts.attempts) < self._needed:
            verdict, reason = Verdict.INCONCLUSIVE, f"{attempts} attempts, {self._needed} are needed for a verdict"
        return Judgement(
            verdict=verdict, reason=reason, challenger=challenger.counts, champion=champion.counts, findings=findings
        )  # fmt: skip


def combined(findings: Sequence[Finding]) -> tuple[Verdict, str]:
    """Any unhealthy is unhealthy, any inconclusive holds; the reasons of those that decided it."""
    if bad := [found.reason for found in findings if found.verdict is Verdict.UNHEALTHY]:
        return Verdict.UNHEALTHY, "; ".join(bad)
    if held := [found.reason for found in findings if found.verdict is Verdict.INCONCLUSIVE]:
        return Verdict.INCONCLUSIVE, "; ".join(held)
    return Verdict.HEALTHY, "; ".join(found.reason for found in findings if found.criterion in SHARES)


def step_budget(strategy: Strategy) -> float:
    """What one judged step of a release may spend on false alarms."""
    return FALSE_ALARMS / max(1, strategy.judged_steps)


def criteria(strategy: Strategy, training: Training) -> Sequence[Criterion]:
    """All that a strategy asks for, each with its part of a step's budget."""
    budget = step_budget(strategy)
    return (
        Errors(budget * SHARES["errors"], strategy),
        *_limits(strategy, budget * SHARES["limits"]),
        *_comparisons(strategy, budget, training),
    )


def no_metrics() -> Judgement:
    """Hold, because the router does not say what the arms did."""
    reason = "the router gave no counts; no metrics is not the same as no errors"
    return Judgement(verdict=Verdict.INCONCLUSIVE, reason=reason, challenger=None, champion=None)


def _limits(strategy: Strategy, budget: float) -> list[Criterion]:
    limits = strategy.limits
    asked = (limits.max_p99_latency, limits.min_positive_share, limits.max_positive_share)
    alpha = budget / (1 + sum(limit is not None for limit in asked))
    found: list[Criterion] = [ErrorLimit(alpha, strategy.max_error_rate)]
    if limits.max_p99_latency is not None:
        milliseconds = limits.max_p99_latency.total_seconds() * 1000
        found.append(SlowLimit(alpha, milliseconds, strategy.min_requests))
    if limits.min_positive_share is not None:
        found.append(YesLimit(alpha, limits.min_positive_share, is_floor=True))
    if limits.max_positive_share is not None:
        found.append(YesLimit(alpha, limits.max_positive_share, is_floor=False))
    return found


def _comparisons(strategy: Strategy, budget: float, training: Training) -> list[Criterion]:
    limits: Limits = strategy.limits
    found: list[Criterion] = []
    if limits.max_slowdown is not None:
        found.append(Latency(budget * SHARES["latency"], strategy, limits.max_slowdown))
    if limits.max_flip_rate is not None:
        found.append(Flips(budget * SHARES["flips"], strategy, limits.max_flip_rate, training))
    if limits.max_prediction_shift is not None:
        found.append(Shift(budget * SHARES["shift"], strategy, limits.max_prediction_shift, training))
    return found
