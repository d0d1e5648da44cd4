"""Arms as a router and a log would show them, and what a judge says of them in one look."""

from dataclasses import replace

from flightworthy.canary import Arm, ArmCounts, ArmSample, Judge, Training
from flightworthy.release import Limits
from tests.flightworthy.release_makers import STRATEGY

LIMITS = Limits(
    max_slowdown=0.1, max_p99_latency=None, max_flip_rate=0.2, max_prediction_shift=0.15,
    min_positive_share=None, max_positive_share=None, threshold=0.5, required=("errors",),
)  # fmt: skip


def arm(errors, attempts, *, latencies=(), predictions=()):
    sample = ArmSample()
    for latency in latencies:
        sample.add_latency(latency)
    for number, prediction in enumerate(predictions):
        sample.add_prediction(f"entity {number}", prediction, threshold=0.5)
    return Arm(counts=ArmCounts(attempts=attempts, errors=errors), sample=sample)


def judge(challenger, champion, strategy=STRATEGY, *, is_over=True, expected=None, champion_expected=None):
    training = Training(challenger=expected, champion=champion_expected)
    return Judge(strategy, training=training).look(challenger, champion, is_over=is_over)


def limited(strategy=STRATEGY, **changes):
    return replace(strategy, limits=replace(LIMITS, **changes))


def finding(judgement, criterion):
    return next(found for found in judgement.findings if found.criterion == criterion)
