"""The judge's calibration, in short: the same simulation as ``benchmarks.judge``, fixed seeds, fewer canaries."""

from __future__ import annotations

from collections import Counter

import numpy as np

from benchmarks.judge import (
    DOUBLED,
    FIVEFOLD,
    HEALTHY,
    INVERTED,
    SHUFFLED,
    SLIGHTLY_SLOW,
    SLOW,
    STUCK,
    best_possible,
    found,
    held,
    played,
)
from benchmarks.judge_canaries import ERRORS_ALONE, course, latency_bins, prediction_bins
from benchmarks.judge_peers import common_rule, fisher, kayenta
from flightworthy.canary.samples import latency_bin, prediction_bin


def test_healthy_canaries_are_hardly_ever_withdrawn() -> None:
    """All criteria on, all looks: one in a hundred at most, and none of the others is kept waiting at the end."""
    by_errors = played(HEALTHY, 1500, seed=21, strategy=ERRORS_ALONE)
    in_all = played(HEALTHY, 150, seed=21)
    by_the_rest = sum(bool(end.why - {"errors"}) for end in in_all) / len(in_all)
    assert found(by_errors) + 100 * by_the_rest <= 1.0
    assert held(in_all) <= 1.0


def test_doubled_errors_are_found_within_twenty_looks() -> None:
    """A canary of two thousand requests, 1 % against 2 %; the exact share is in docs/benchmarks.md."""
    assert found(played(DOUBLED, 1500, seed=22, strategy=ERRORS_ALONE)) >= 85


def test_fivefold_errors_are_always_found_and_within_two_looks_as_often_as_can_be() -> None:
    """Within two looks nobody finds more than nine in ten, at this rate of false alarms."""
    outcomes = played(FIVEFOLD, 500, seed=23, strategy=ERRORS_ALONE)
    assert found(outcomes) == 100
    assert 30 <= found(outcomes, within=2) <= best_possible() < 91


def test_a_canary_that_is_a_fifth_slower_is_found_within_six_looks() -> None:
    """Beyond chance, and by more than the tenth that is allowed."""
    assert found(played(SLOW, 200, seed=24), within=6) >= 99


def test_a_canary_that_is_slightly_slower_is_left_alone() -> None:
    """Five percent are less than what matters."""
    assert found(played(SLIGHTLY_SLOW, 60, seed=25)) <= 10


def test_wrong_answers_are_found_where_they_are_distributed_otherwise() -> None:
    """Inverted, and stuck; shuffled ones look right, and no claim is made about them."""
    assert found(played(INVERTED, 60, seed=26)) == 100
    assert found(played(STUCK, 60, seed=27)) == 100
    assert found(played(SHUFFLED, 20, seed=28)) <= 5


def test_the_rules_in_use_withdraw_what_is_healthy_or_miss_what_is_not() -> None:
    """Why there is a judge of our own."""
    rng = np.random.default_rng(29)
    healthy = [course(HEALTHY, rng) for _ in range(40)]
    assert np.mean([common_rule(looks) is not None for looks in healthy]) > 0.9
    assert np.mean([fisher(looks) is not None for looks in healthy]) > 0.02
    doubled = [course(DOUBLED, rng) for _ in range(10)]
    assert np.mean([kayenta(looks) is not None for looks in doubled]) < 0.85


def test_the_simulation_bins_as_the_judge_does() -> None:
    """Many at once, and one by one."""
    rng = np.random.default_rng(30)
    latencies, predictions = rng.lognormal(3, 1, 2000), rng.random(2000)
    assert latency_bins(latencies) == Counter(map(latency_bin, latencies.tolist()))
    assert prediction_bins(predictions) == Counter(map(prediction_bin, predictions.tolist()))
