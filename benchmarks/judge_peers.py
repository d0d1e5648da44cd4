"""What others judge canaries by, on the same simulated canaries as ours.

The common rule: more than one and a half times the champion's error rate in any window. Fisher: the exact test of all
counts so far, at 5 %, at every look. Kayenta: a Mann-Whitney test at 98 % per metric with an effect of a quarter of the
Hodges-Lehmann estimate, on points of twenty requests from each arm, its baseline as large as the canary; the score is
the share of metrics that pass, below 75 at any look ends the canary, and the last look asks for 95.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from benchmarks.judge_canaries import Look

__all__ = ["PEERS", "common_rule", "fisher", "kayenta"]

_POINT = 20
"""Requests behind each point of a series."""
_Z_98 = float(stats.norm.ppf(0.99))

Floats = NDArray[np.float64]
Points = list[Floats]


def common_rule(looks: Sequence[Look]) -> int | None:
    """The look at which the canary is withdrawn, None if it is not."""
    for number, look in enumerate(looks, start=1):
        if look.errors / look.attempts > 1.5 * look.champion_errors / look.champion_attempts:
            return number
    return None


def fisher(looks: Sequence[Look]) -> int | None:
    """At each look as if it were the only one."""
    mine = theirs = errors = others = 0
    for number, look in enumerate(looks, start=1):
        mine, errors = mine + look.attempts, errors + look.errors
        theirs, others = theirs + look.champion_attempts, others + look.champion_errors
        if stats.hypergeom.sf(errors - 1, mine + theirs, errors + others, mine) < 0.05:
            return number
    return None


def kayenta(looks: Sequence[Look], *, seed: int = 7) -> int | None:
    """Four metrics of equal weight: error rate, latency, share of positives, mean prediction."""
    rng = np.random.default_rng(seed)
    mine: list[Points] = [[], [], [], []]
    theirs: list[Points] = [[], [], [], []]
    for number, look in enumerate(looks, start=1):
        size = look.attempts
        baseline = (look.champion_latencies[:size], look.champion_predictions[:size])
        passed = look.champion_attempts - look.champion_errors
        sampled_errors = int(rng.hypergeometric(look.champion_errors, passed, size))
        _extend(mine, look.errors, look.latencies, look.predictions, rng)
        _extend(theirs, sampled_errors, *baseline, rng)
        score = 100 * np.mean([
            not _differs(np.concatenate(own), np.concatenate(other), both_ways=metric >= 2)
            for metric, (own, other) in enumerate(zip(mine, theirs, strict=True))
        ])  # fmt: skip
        if score < (95 if number == len(looks) else 75):
            return number
    return None


PEERS: dict[str, Callable[[Sequence[Look]], int | None]] = {
    "1.5 times stable": common_rule,
    "Fisher at every look": fisher,
    "Kayenta's rule": kayenta,
}


def _extend(
    series: list[Points], errors: int, latencies: Floats, predictions: Floats, rng: np.random.Generator
) -> None:
    failed = np.zeros(latencies.size)
    failed[rng.choice(latencies.size, errors, replace=False)] = 1
    for points, values in zip(series, (failed, latencies, predictions >= 0.5, predictions), strict=True):
        points.append(np.asarray(values, dtype=float).reshape(-1, _POINT).mean(axis=1))


def _differs(mine: Floats, theirs: Floats, *, both_ways: bool) -> bool:
    """Whether the confidence interval of the shift lies beyond a quarter of its estimate.

    The interval is that of Hodges and Lehmann: order statistics of all differences, by the normal approximation.
    """
    differences = np.sort(np.subtract.outer(mine, theirs), axis=None)
    n, m = mine.size, theirs.size
    margin = _Z_98 * np.sqrt(n * m * (n + m + 1) / 12)
    low = int(max(0, np.floor(n * m / 2 - margin)))
    lower, upper = differences[low], differences[n * m - 1 - low]
    tolerance = 0.25 * abs(float(np.median(differences)))
    return bool(lower > tolerance or (both_ways and upper < -tolerance))
