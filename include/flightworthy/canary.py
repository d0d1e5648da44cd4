"""Judging a canary: is the challenger's arm worse than the champion's, on attempts rather than on what users saw.

The router retries a failed attempt on the champion, so users see no error from a challenger that fails every request;
its attempts show it. Three verdicts, and automation may only abort early, never promote early:

* *unhealthy*: it fails more than the champion (Fisher's exact test, one-sided), or more than ``max_error_rate`` allows;
* *inconclusive*: too little traffic, no metrics, or an error rate over the limit that may still be chance: hold;
* *healthy*: enough attempts, and neither of the above.

All tests of one release share one budget for false alarms, ``FALSE_ALARMS``, divided by its steps (Bonferroni).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum

from flightworthy.release import Strategy

FALSE_ALARMS = 0.01
"""How often a challenger as good as its champion may be withdrawn, over all steps of its release."""

GLANCE = 1e-5
"""How unlikely under ``max_error_rate`` a count must be to abort in the middle of a step, where looks are many."""


class Verdict(StrEnum):
    """How a bake ended."""

    HEALTHY = "healthy"
    UNHEALTHY = "unhealthy"
    INCONCLUSIVE = "inconclusive"


@dataclass(frozen=True, slots=True, kw_only=True)
class ArmCounts:
    """Attempts that one arm answered or failed since its step began, as the router counted them."""

    attempts: int
    errors: int

    @property
    def error_rate(self) -> float:
        """Errors per attempt; NaN, which passes no limit, where nothing was attempted."""
        return self.errors / self.attempts if self.attempts else math.nan


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """A verdict with its numbers. A probability that was not computed is None."""

    verdict: Verdict
    reason: str
    challenger: ArmCounts | None
    champion: ArmCounts | None
    worse_than_champion: float | None = None
    over_limit: float | None = None


def glance(challenger: ArmCounts | None, strategy: Strategy) -> Judgement:
    """Look in the middle of a step: unhealthy if the evidence is overwhelming, else inconclusive."""
    if challenger is None:
        return _no_metrics(challenger, None)
    over = binomial_tail(challenger.errors, challenger.attempts, strategy.max_error_rate)
    verdict = Verdict.UNHEALTHY if over < GLANCE else Verdict.INCONCLUSIVE
    reason = _over_limit(challenger, strategy, over) if over < GLANCE else "the step has not served its bake time"
    return Judgement(verdict=verdict, reason=reason, challenger=challenger, champion=None, over_limit=over)


def judge(challenger: ArmCounts | None, champion: ArmCounts | None, strategy: Strategy) -> Judgement:
    """Judge a step at its end, and again while it holds.

    The test against the champion is made only once there are ``min_requests`` attempts, so that a step that waits for
    traffic does not spend its budget on looking.
    """
    if challenger is None or champion is None:
        return _no_metrics(challenger, champion)
    if challenger.attempts < strategy.min_requests:
        reason = f"{challenger.attempts} attempts, {strategy.min_requests} are needed for a verdict"
        return Judgement(
            verdict=Verdict.INCONCLUSIVE, reason=reason, challenger=challenger, champion=champion
        )  # fmt: skip
    budget = FALSE_ALARMS / len(strategy.steps)
    worse = fisher_exact(challenger, champion)
    over = binomial_tail(challenger.errors, challenger.attempts, strategy.max_error_rate)
    if worse < budget:
        verdict, reason = Verdict.UNHEALTHY, _worse(challenger, champion, worse)
    elif over < budget:
        verdict, reason = Verdict.UNHEALTHY, _over_limit(challenger, strategy, over)
    elif not challenger.error_rate <= strategy.max_error_rate:
        verdict, reason = Verdict.INCONCLUSIVE, f"{_failed(challenger)}, more than allowed, but it may be chance"
    else:
        verdict, reason = Verdict.HEALTHY, f"{_failed(challenger)}; the champion: {_failed(champion)}"
    return Judgement(
        verdict=verdict, reason=reason, challenger=challenger, champion=champion,
        worse_than_champion=worse, over_limit=over,
    )  # fmt: skip


def fisher_exact(challenger: ArmCounts, champion: ArmCounts) -> float:
    """The chance of at least this many challenger errors if both arms failed alike (hypergeometric upper tail)."""
    attempts = challenger.attempts + champion.attempts
    errors = challenger.errors + champion.errors
    ways = _log_choose(attempts, errors)
    return min(1.0, math.fsum(
        math.exp(
            _log_choose(challenger.attempts, mine) + _log_choose(champion.attempts, errors - mine) - ways
        )
        for mine in range(challenger.errors, min(errors, challenger.attempts) + 1)
        if errors - mine <= champion.attempts
    ))  # fmt: skip


def binomial_tail(errors: int, attempts: int, rate: float) -> float:
    """The chance of at least ``errors`` in ``attempts`` at the given rate; 1.0 where they are no more than expected."""
    if errors <= attempts * rate:
        return 1.0
    if rate <= 0.0:
        return 0.0
    log_hit, log_miss = math.log(rate), math.log1p(-rate)
    total = 0.0
    for count in range(errors, attempts + 1):
        term = math.exp(_log_choose(attempts, count) + count * log_hit + (attempts - count) * log_miss)
        total += term
        if term < total * 1e-12:
            break
    return min(1.0, total)


def _log_choose(total: int, chosen: int) -> float:
    return math.lgamma(total + 1) - math.lgamma(chosen + 1) - math.lgamma(total - chosen + 1)


def _no_metrics(challenger: ArmCounts | None, champion: ArmCounts | None) -> Judgement:
    reason = "the router gave no counts; no metrics is not the same as no errors"
    return Judgement(verdict=Verdict.INCONCLUSIVE, reason=reason, challenger=challenger, champion=champion)


def _failed(arm: ArmCounts) -> str:
    return f"{arm.errors} of {arm.attempts} attempts failed"


def _worse(challenger: ArmCounts, champion: ArmCounts, chance: float) -> str:
    return (
        f"{_failed(challenger)}, of the champion's {champion.errors} of {champion.attempts}; "
        f"arms that are alike differ so with a chance of {chance:.1e}"
    )


def _over_limit(challenger: ArmCounts, strategy: Strategy, chance: float) -> str:
    limit = f"{strategy.max_error_rate:.2%}"
    return f"{_failed(challenger)}; at the allowed {limit} the chance of that is {chance:.1e}"
