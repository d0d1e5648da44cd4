"""Simulated canaries for ``benchmarks.judge``: twenty looks of a thousand requests, nine in ten the champion's.

Latencies are lognormal about 20 ms with sigma 0.5, predictions Beta(0.6, 2.4), each request another entity's. What is
known of training is five thousand answers of the champion's kind.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from flightworthy.canary import Arm, ArmCounts, ArmSample, Judge, Training, Verdict
from flightworthy.release import NO_LIMITS, Limits, Strategy

__all__ = [
    "CANARY", "CHAMPION", "ERRORS_ALONE", "HEALTHY", "LOOKS", "ONE_STEP", "Kind", "Look", "Outcome", "course",
    "judge_course", "latency_bins", "prediction_bins",
]  # fmt: skip

LOOKS = 20
CANARY, CHAMPION = 100, 900
"""Requests of each arm in a look."""

ALL_ON = Limits(
    max_slowdown=0.1, max_p99_latency=timedelta(seconds=1), max_flip_rate=0.2, max_prediction_shift=0.15,
    min_positive_share=0.01, max_positive_share=0.8, threshold=0.5, required=("errors", "latency", "predictions"),
)  # fmt: skip
ONE_STEP = Strategy(
    steps=(10, 100), bake_time=timedelta(minutes=20), min_requests=100, deadline=timedelta(hours=1),
    max_error_rate=0.1, limits=ALL_ON,
)  # fmt: skip
"""Every criterion on and required; ``max_error_rate`` out of the way, so that errors are found beside the champion."""
ERRORS_ALONE = replace(ONE_STEP, limits=NO_LIMITS)
"""Errors have the same part of the budget whatever else is judged; alone they are simulated much faster."""

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """What a challenger is like; the champion fails 1 %. ``answers`` may be wrong in three ways."""

    error_rate: float = 0.01
    slowdown: float = 0.0
    answers: Literal["right", "inverted", "stuck", "shuffled"] = "right"
    size: int = CANARY


HEALTHY = Kind()


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """What came since the last look."""

    attempts: int
    errors: int
    latencies: Floats
    predictions: Floats
    champion_attempts: int
    champion_errors: int
    champion_latencies: Floats
    champion_predictions: Floats


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """``look`` is the one at which the canary was withdrawn, None if it was not; ``why`` are the criteria that did."""

    look: int | None
    verdict: Verdict
    why: frozenset[str]


def course(kind: Kind, rng: np.random.Generator, *, looks: int = LOOKS) -> list[Look]:
    """All the looks of one canary."""
    champion = kind.size * CHAMPION // CANARY
    return [
        Look(
            attempts=kind.size,
            errors=int(rng.binomial(kind.size, kind.error_rate)),
            latencies=rng.lognormal(np.log(20 * (1 + kind.slowdown)), 0.5, kind.size),
            predictions=_answers(kind, rng),
            champion_attempts=champion,
            champion_errors=int(rng.binomial(champion, HEALTHY.error_rate)),
            champion_latencies=rng.lognormal(np.log(20), 0.5, champion),
            champion_predictions=rng.beta(0.6, 2.4, champion),
        )
        for _ in range(looks)
    ]


def judge_course(looks: list[Look], strategy: Strategy = ONE_STEP) -> Outcome:
    """What the judge that ships makes of one step; its bake time is over at the last look."""
    judging = Judge(strategy, training=Training(challenger=_TRAINING, champion=_TRAINING))
    mine, theirs = ArmSample(), ArmSample()
    counts = [0, 0, 0, 0]
    verdict, is_bare = Verdict.INCONCLUSIVE, strategy.limits == NO_LIMITS
    for number, look in enumerate(looks, start=1):
        new = (look.attempts, look.errors, look.champion_attempts, look.champion_errors)
        counts = [old + more for old, more in zip(counts, new, strict=True)]
        if not is_bare:
            _add(mine, look.latencies, look.predictions)
            _add(theirs, look.champion_latencies, look.champion_predictions)
        challenger = Arm(counts=ArmCounts(attempts=counts[0], errors=counts[1]), sample=mine)
        champion = Arm(counts=ArmCounts(attempts=counts[2], errors=counts[3]), sample=theirs)
        judgement = judging.look(challenger, champion, is_over=number == len(looks))
        verdict = judgement.verdict
        if verdict is Verdict.UNHEALTHY:
            why = frozenset(each.criterion for each in judgement.findings if each.verdict is Verdict.UNHEALTHY)
            return Outcome(look=number, verdict=verdict, why=why)
    return Outcome(look=None, verdict=verdict, why=frozenset())


def latency_bins(latencies: Floats) -> Counter[int]:
    """As ``flightworthy.canary.samples.latency_bin``, of many at once; a test holds the two together."""
    return Counter(np.floor(100 * np.log(np.maximum(latencies, 0.001) / 0.001)).astype(int).tolist())


def prediction_bins(predictions: Floats) -> Counter[int]:
    """As ``prediction_bin``, of many at once."""
    return Counter(np.minimum((predictions * 1000).astype(int), 999).tolist())


def _add(sample: ArmSample, latencies: Floats, predictions: Floats) -> None:
    """Everybody is somebody new, so that entities need not be told apart one by one."""
    sample.latencies.update(latency_bins(latencies))
    sample.predictions.update(prediction_bins(predictions))
    sample.positives += int((predictions >= 0.5).sum())


def _answers(kind: Kind, rng: np.random.Generator) -> Floats:
    right = rng.beta(0.6, 2.4, kind.size)
    if kind.answers == "inverted":
        return 1 - right
    if kind.answers == "stuck":
        return np.full(kind.size, 0.4)
    return rng.permutation(right) if kind.answers == "shuffled" else right


_TRAINING = prediction_bins(np.random.default_rng(20260105).beta(0.6, 2.4, 5000))
