"""The judge's own statistics against SciPy's."""

import math
import random
from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import integrate, stats

from flightworthy.canary.limits import log_evidence, log_incomplete_beta
from flightworthy.canary.odds import Block, either_way, fisher_exact, higher
from flightworthy.canary.ranks import Looks, kolmogorov_smirnov, mann_whitney
from flightworthy.canary.samples import (
    MOST_UNITS,
    ArmSample,
    latency_at,
    latency_bin,
    prediction_bin,
    quantile,
    share_above,
)


def block(events, attempts, other_events, other_attempts):
    return Block(attempts=attempts, events=events, other_attempts=other_attempts, other_events=other_events)


COUNTS = [(5, 100, 3, 900), (0, 10, 5, 90), (10, 10, 0, 1000), (3, 50, 0, 0), (7, 60, 9, 55), (40, 2000, 180, 18000)]


@pytest.mark.parametrize("counts", COUNTS)
def test_fishers_test_is_the_textbooks(counts):
    """One-sided: at least this many of the challenger's."""
    events, attempts, others, of = counts
    table = [[events, attempts - events], [others, of - others]]
    expected = stats.fisher_exact(table, alternative="greater").pvalue
    assert fisher_exact(block(*counts)) == pytest.approx(expected, rel=1e-8)


@pytest.mark.parametrize("counts", COUNTS)
@pytest.mark.parametrize("start", [higher, either_way])
def test_the_evidence_of_a_block_is_the_ratio_of_two_hypergeometrics(start, counts):
    """Fisher's noncentral one, over the central one, averaged over the prior."""
    events, attempts, others, of = counts
    shape = (attempts + of, attempts, events + others)
    ratios = start().ratios
    expected = np.mean([
        stats.nchypergeom_fisher.pmf(events, shape[0], shape[2], shape[1], ratio)
        / stats.hypergeom.pmf(events, *shape)
        for ratio in ratios
    ])  # fmt: skip
    assert math.exp(start().after(block(*counts)).log_value) == pytest.approx(expected, rel=1e-6)


@given(st.integers(1, 30), st.integers(1, 30), st.data())
def test_evidence_is_a_fair_bet_while_the_arms_are_alike(attempts, other_attempts, data):
    """Its expectation over all outcomes of a block is what it was before: nobody wins by looking often."""
    total = data.draw(st.integers(0, attempts + other_attempts))
    before = either_way().after(block(1, 3, 1, 4))
    law = stats.hypergeom(attempts + other_attempts, attempts, total)
    outcomes = range(max(0, total - other_attempts), min(attempts, total) + 1)
    expected = sum(
        law.pmf(x) * math.exp(before.after(block(x, attempts, total - x, other_attempts)).log_value) for x in outcomes
    )
    assert expected == pytest.approx(math.exp(before.log_value), rel=1e-9)


def test_a_block_in_which_nothing_happened_changes_nothing():
    """Nor one in which everything did, nor one arm's alone."""
    for counts in ((0, 100, 0, 900), (5, 5, 7, 7), (3, 50, 0, 0)):
        assert higher().after(block(*counts)).log_value == pytest.approx(0.0, abs=1e-12)


def test_a_chance_once_shown_is_not_taken_back():
    """The always-valid p-value is of the largest evidence there ever was."""
    bad = higher().after(block(20, 100, 9, 900))
    good = bad.after(block(0, 1000, 90, 9000))
    assert good.log_value < bad.log_value
    assert good.chance == bad.chance < 1e-3


@pytest.mark.parametrize("x, a, b", [(0.99, 300, 2), (0.01, 1, 1), (0.5, 3, 4), (0.97, 9900, 101), (0.2, 1e-1, 5)])
def test_the_incomplete_beta_function_is_the_textbooks(x, a, b):
    """On both sides of where its fraction converges."""
    assert math.exp(log_incomplete_beta(x, a, b)) == pytest.approx(stats.beta.cdf(x, a, b), rel=1e-9)


def test_a_tiny_incomplete_beta_function_keeps_its_logarithm():
    """Where the value itself would underflow."""
    assert log_incomplete_beta(0.9, 4000, 10) == pytest.approx(math.log(stats.beta.cdf(0.9, 4000, 10)), rel=1e-9)
    assert log_incomplete_beta(0.5, 5000, 10) < -3000


@pytest.mark.parametrize("events, observations, limit", [(3, 3, 0.01), (30, 1000, 0.01), (0, 50, 0.1), (60, 100, 0.5)])
def test_the_evidence_against_a_limit_is_the_integral_over_what_lies_above_it(events, observations, limit):
    """Both priors, cut off at the limit, half each."""

    def mixed(b):
        prior = stats.beta(1.0, b)
        found, _ = integrate.quad(
            lambda q: stats.binom.pmf(events, observations, q) * prior.pdf(q), limit, 1.0, epsabs=0, limit=200,
            points=[events / observations] if limit < events / observations < 1 else None,
        )  # fmt: skip
        return found / prior.sf(limit) / stats.binom.pmf(events, observations, limit)

    expected = (mixed(1.0) + mixed(max(1.0, 0.25 / limit))) / 2
    assert math.exp(log_evidence(events, observations, limit)) == pytest.approx(expected, rel=1e-6)


def test_nothing_is_allowed_where_the_limit_is_zero_and_everything_where_it_is_one():
    """A limit of 0 % means what it says."""
    assert log_evidence(1, 1000, 0.0) == math.inf
    assert log_evidence(0, 1000, 0.0) == 0.0
    assert log_evidence(1000, 1000, 1.0) == 0.0


def test_the_evidence_against_a_limit_survives_a_million_attempts():
    """And a rate below the limit gives none."""
    assert log_evidence(9_000, 1_000_000, 0.01) < 0
    assert log_evidence(12_000, 1_000_000, 0.01) > 100


@pytest.mark.parametrize("seed", range(4))
def test_mann_whitney_is_the_textbooks_ties_and_all(seed):
    """On bins, which tie what lies in one."""
    rng = np.random.default_rng(seed)
    mine, theirs = rng.integers(0, 12, 80) + seed // 2, rng.integers(0, 12, 300)
    expected = stats.mannwhitneyu(mine, theirs, alternative="greater", method="asymptotic")
    found = mann_whitney(Counter(mine.tolist()), Counter(theirs.tolist()))
    assert found.chance == pytest.approx(expected.pvalue, rel=1e-9)
    assert found.superiority == pytest.approx(expected.statistic / (80 * 300), rel=1e-12)


def test_ranks_of_nothing_and_of_one_value_are_no_evidence():
    """No division by zero, no alarm."""
    assert mann_whitney({}, {1: 5}).chance == 1.0
    assert mann_whitney({1: 5}, {1: 9}).chance == 1.0
    assert kolmogorov_smirnov({}, {1: 5}).chance == 1.0


@pytest.mark.parametrize("shift", [0.0, 0.1, 0.5])
def test_the_distance_is_the_textbooks(shift):
    """The statistic exactly; its chance to the accuracy of Stephens' correction."""
    rng = np.random.default_rng(7)
    mine, theirs = rng.normal(shift, 1, 200), rng.normal(0, 1, 1500)
    expected = stats.ks_2samp(mine, theirs, method="asymp")
    places = {value: place for place, value in enumerate(sorted([*mine, *theirs]))}
    found = kolmogorov_smirnov(Counter(places[v] for v in mine), Counter(places[v] for v in theirs))
    assert found.value == pytest.approx(expected.statistic, rel=1e-12)
    assert found.chance == pytest.approx(expected.pvalue, rel=0.25)


def test_how_far_predictions_moved_is_the_wasserstein_distance():
    """In bins, of which each is 0.001."""
    rng = np.random.default_rng(8)
    mine, theirs = rng.integers(0, 900, 300), rng.integers(100, 1000, 2000)
    found = kolmogorov_smirnov(Counter(mine.tolist()), Counter(theirs.tolist()))
    assert found.moved == pytest.approx(stats.wasserstein_distance(mine, theirs), rel=1e-9)


def test_looks_grow_apart_and_spend_no_more_than_their_whole():
    """Each further look may spend less, and a hold of a month has no more than a few dozen."""
    looks = Looks(first=100)
    spent = [looks.share() for observations in range(0, 1_000_000, 50) if looks.is_due(observations)]
    assert 30 < len(spent) < 50
    assert math.fsum(spent) < 1
    assert spent == sorted(spent, reverse=True)


@given(st.floats(0.001, 1e6))
def test_a_latency_is_known_to_one_percent(milliseconds):
    """Bins of equal ratio."""
    assert latency_at(latency_bin(milliseconds)) == pytest.approx(milliseconds, rel=0.0101)


def test_a_quantile_of_bins_is_that_of_the_values():
    """To the width of a bin."""
    values = [random.Random(5).lognormvariate(2, 0.7) for _ in range(1)] + list(
        np.random.default_rng(5).lognormal(2, 0.7, 2000)
    )
    bins = Counter(map(latency_bin, values))
    for share in (0.5, 0.99):
        assert latency_at(quantile(bins, share)) == pytest.approx(np.quantile(values, share), rel=0.03)
    assert share_above(bins, latency_bin(20.0)) == pytest.approx(sum(value > 20 for value in values), abs=12)
    assert math.isnan(quantile({}, 0.5))


def test_a_sample_is_bounded_whatever_the_traffic():
    """Later entities are left out; bins are finitely many."""
    sample = ArmSample()
    for number in range(MOST_UNITS + 500):
        sample.add_prediction(str(number), (number % 1000) / 999, threshold=0.5)
    assert sample.units == MOST_UNITS
    assert len(sample.predictions) == 1000
    assert prediction_bin(1.0) == 999
