"""A sequential test of one arm against a limit: is a share above what is allowed? Valid however often one looks.

A mixture sequential probability ratio test of a binomial's share p against all p <= limit. With a Beta(a, b) prior cut
off below the limit, of ``n`` observations with ``k`` events the evidence is

    E = integral over q > limit of q^k (1-q)^(n-k) dBeta(q) / (P(q > limit) limit^k (1-limit)^(n-k))
      = B(k+a, n-k+b) I(1-limit; n-k+b, k+a) / (B(a, b) I(1-limit; b, a) limit^k (1-limit)^(n-k))

with I the regularized incomplete beta function. At p = limit it is a martingale that began at 1; below it each factor
p q/limit + (1-p)(1-q)/(1-limit) is at most 1 for every q > limit, so it is a supermartingale. By Ville's inequality
P(E ever reaches 1/alpha) <= alpha. Two priors, half each: a uniform one, for what fails outright, and
Beta(1, 1/(4 limit)), for what is a few times over the limit.
"""

from __future__ import annotations

import math

__all__ = ["log_evidence", "log_incomplete_beta"]

_MOST_TERMS = 20_000
"""About the square root of the observations are needed."""
_TINY = 1e-300


def log_evidence(events: int, observations: int, limit: float) -> float:
    """The logarithm of the evidence that the share of events is above ``limit``; infinite where none are allowed."""
    if limit <= 0.0:
        return math.inf if events else 0.0
    if limit >= 1.0 or not observations:
        return 0.0
    priors = ((1.0, 1.0), (1.0, max(1.0, 0.25 / limit)))
    logs = [_log_mixture(events, observations, limit, a, b) for a, b in priors]
    top = max(logs)
    return top + math.log(math.fsum(math.exp(log - top) for log in logs) / len(logs))


def _log_mixture(events: int, observations: int, limit: float, a: float, b: float) -> float:
    misses = observations - events
    above = _log_beta(events + a, misses + b) + log_incomplete_beta(1 - limit, misses + b, events + a)
    prior = _log_beta(a, b) + log_incomplete_beta(1 - limit, b, a)
    return above - prior - events * math.log(limit) - misses * math.log1p(-limit)


def log_incomplete_beta(x: float, a: float, b: float) -> float:
    """The logarithm of I(x; a, b), by its continued fraction (DLMF 8.17.22), which converges below (a+1)/(a+b+2)."""
    if x > (a + 1) / (a + b + 2):
        # The symmetry I(x; a, b) = 1 - I(1-x; b, a), DLMF 8.17.4.
        return math.log1p(-min(math.exp(_log_fraction(1 - x, b, a)), 1 - 1e-16))
    return _log_fraction(x, a, b)


def _log_fraction(x: float, a: float, b: float) -> float:
    """x^a (1-x)^b / (a B(a, b)) over the fraction 1 + d1/(1 + d2/(1 + ...)), by Lentz's method (Press et al., 5.2)."""
    denominator, c, d = 1.0, 1.0, 0.0
    for step in range(1, _MOST_TERMS):
        m = step // 2
        if step % 2:
            term = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
        else:
            term = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
        d = 1.0 / (1.0 + term * d or _TINY)
        c = 1.0 + term / c or _TINY
        denominator *= c * d
        if abs(c * d - 1.0) < 1e-13:
            break
    return a * math.log(x) + b * math.log1p(-x) - math.log(a) - _log_beta(a, b) - math.log(denominator)


def _log_beta(a: float, b: float) -> float:
    return math.lgamma(a) + math.lgamma(b) - math.lgamma(a + b)
