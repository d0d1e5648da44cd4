"""A sequential test of two arms: does one fail (or say yes) more often than the other? Valid however often one looks.

A mixture sequential probability ratio test (Robbins 1970; Johari, Pekelis and Walsh, "Always valid inference", 2015),
on the odds ratio of two binomials, and exact where the usual one for the difference is a normal approximation: of a
canary's hundred attempts one fails, and nothing is normal there.

What came between two looks is a block: ``n`` attempts with ``x`` events on the challenger, ``m`` with ``y`` on the
champion. Given the block's total ``t = x + y`` the count ``x`` is hypergeometric if the arms are alike, whatever their
common rate, and at an odds ratio r it is Fisher's noncentral hypergeometric (McCullagh and Nelder, "Generalized Linear
Models", 2nd ed., 7.3.2):

    P_r(x | t) = C(n, x) C(m, t - x) r^x / sum over j of C(n, j) C(m, t - j) r^j

The evidence is E = sum over k of w_k prod over blocks of P_{r_k}(x | t) / P_1(x | t), for a prior w on odds ratios r_k.
With alike arms each factor has expectation 1 given the past, so E is a martingale that began at 1, and by Ville's
inequality P(E ever reaches 1/alpha) <= alpha. With every r_k > 1 the same holds where the challenger is better: the
ratio grows in x, and x is then stochastically smaller.

That bound pays for looks without end. Whoever looks once, at a time that the counts themselves do not choose, gets more
out of the same chance of a false alarm by Fisher's exact test, the upper tail of the same distribution.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

__all__ = ["Block", "OddsEvidence", "either_way", "fisher_exact", "higher"]

_LADDER = tuple(math.exp(step) for step in (0.4, 0.6, 0.8, 1.0, 1.25, 1.6, 2.0, 2.6, 3.4, 4.6))
"""Odds ratios from 1.5, the least that a canary of a few thousand requests can show, to 100, which fails everything."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """What came of the attempts between two looks: events are failures, or positive answers."""

    attempts: int
    events: int
    other_attempts: int
    other_events: int


@dataclass(frozen=True, slots=True, kw_only=True)
class OddsEvidence:
    """The evidence so far. ``logs`` are the logarithms of the products, one per odds ratio of the prior."""

    ratios: tuple[float, ...]
    logs: tuple[float, ...]
    peak: float = 0.0
    """Logarithm of the largest evidence that there ever was; what Ville's inequality is about."""

    @property
    def log_value(self) -> float:
        """The logarithm of E, for equal prior weights."""
        return _log_sum(self.logs) - math.log(len(self.logs))

    @property
    def chance(self) -> float:
        """How often alike arms would ever look as different as these did at some look: an always-valid p-value."""
        return math.exp(-max(self.peak, 0.0))

    def after(self, block: Block) -> OddsEvidence:
        """The evidence once a block is seen. A block in which nothing, or everything, happened says nothing."""
        terms, lowest = _ways(block)
        if len(terms) < 2:
            return self
        alike = _log_sum(terms)
        logs = []
        for ratio, log in zip(self.ratios, self.logs, strict=True):
            slope = math.log(ratio)
            tilted = _log_sum([term + place * slope for place, term in enumerate(terms)])
            logs.append(log + (block.events - lowest) * slope + alike - tilted)
        found = replace(self, logs=tuple(logs))
        return replace(found, peak=max(self.peak, found.log_value))


def higher() -> OddsEvidence:
    """No evidence yet that the challenger's events are more frequent."""
    return OddsEvidence(ratios=_LADDER, logs=(0.0,) * len(_LADDER))


def either_way() -> OddsEvidence:
    """No evidence yet that they are more frequent, or less."""
    ratios = (*_LADDER, *(1 / ratio for ratio in _LADDER))
    return OddsEvidence(ratios=ratios, logs=(0.0,) * len(ratios))


def fisher_exact(block: Block) -> float:
    """The chance of at least this many events of the challenger's, were the arms alike, in one look at all there is."""
    terms, lowest = _ways(block)
    return math.exp(min(0.0, _log_sum(terms[block.events - lowest :]) - _log_sum(terms)))


def _ways(block: Block) -> tuple[list[float], int]:
    """Logarithms of C(n, j) C(m, t - j) for each possible j, and the least j; up to a common constant.

    By the ratio of neighbours, (n - j)(t - j) / ((j + 1)(m - t + j + 1)), rather than by a logarithm of each factorial.
    """
    total = block.events + block.other_events
    lowest, highest = max(0, total - block.other_attempts), min(total, block.attempts)
    terms = [0.0]
    for j in range(lowest, highest):
        up, down = (block.attempts - j) * (total - j), (j + 1) * (block.other_attempts - total + j + 1)
        terms.append(terms[-1] + math.log(up / down))
    return terms, lowest


def _log_sum(logs: Sequence[float]) -> float:
    top = max(logs)
    return top + math.log(sum([math.exp(log - top) for log in logs]))
