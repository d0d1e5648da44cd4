import math
import random
from dataclasses import replace

import pytest
from scipy import stats

from flightworthy.canary import ArmCounts, Verdict, binomial_tail, fisher_exact, glance, judge
from tests.flightworthy.release_makers import STRATEGY


def arm(errors, attempts):
    return ArmCounts(attempts=attempts, errors=errors)


def drawn(chance, rate, attempts):
    return arm(sum(chance.random() < rate for _ in range(attempts)), attempts)


def test_a_challenger_that_fails_no_more_than_the_champion_is_healthy():
    """With enough attempts, and the numbers in the reason."""
    judged = judge(arm(0, 200), arm(1, 1800), STRATEGY)
    assert judged.verdict is Verdict.HEALTHY
    assert judged.reason == "0 of 200 attempts failed; the champion: 1 of 1800 attempts failed"


def test_a_challenger_that_fails_more_is_unhealthy_and_the_numbers_say_so():
    """The reason names both arms and the chance."""
    judged = judge(arm(12, 200), arm(2, 1800), STRATEGY)
    assert judged.verdict is Verdict.UNHEALTHY
    assert "12 of 200 attempts failed, of the champion's 2 of 1800" in judged.reason
    assert judged.worse_than_champion < 1e-6


def test_too_little_traffic_is_inconclusive():
    """29 of 30 attempts are no verdict, however well they went."""
    judged = judge(arm(0, 29), arm(0, 1000), STRATEGY)
    assert judged.verdict is Verdict.INCONCLUSIVE
    assert judged.reason == "29 attempts, 30 are needed for a verdict"


@pytest.mark.parametrize("challenger, champion", [(None, arm(0, 100)), (arm(0, 100), None), (None, None)])
def test_missing_metrics_are_inconclusive_and_not_no_errors(challenger, champion):
    """A router that says nothing has not said that all is well."""
    judged = judge(challenger, champion, STRATEGY)
    assert judged.verdict is Verdict.INCONCLUSIVE
    assert "no metrics is not the same as no errors" in judged.reason


def test_an_arm_that_nobody_asked_has_no_error_rate():
    """NaN passes no limit."""
    assert math.isnan(arm(0, 0).error_rate)


def test_a_rate_over_the_limit_that_may_be_chance_holds():
    """One error of forty is more than 1 %, and proves nothing: wait for more attempts."""
    judged = judge(arm(1, 40), arm(0, 400), STRATEGY)
    assert judged.verdict is Verdict.INCONCLUSIVE
    assert "it may be chance" in judged.reason


def test_a_challenger_over_the_limit_is_unhealthy_even_beside_a_bad_champion():
    """The floor holds whatever the champion does."""
    judged = judge(arm(30, 300), arm(300, 3000), STRATEGY)
    assert judged.verdict is Verdict.UNHEALTHY
    assert "at the allowed 1.00%" in judged.reason


def test_a_glance_aborts_early_what_fails_outright():
    """Three failures of three are enough at a limit of 1 %; one of three is not."""
    assert glance(arm(3, 3), STRATEGY).verdict is Verdict.UNHEALTHY
    assert glance(arm(1, 3), STRATEGY).verdict is Verdict.INCONCLUSIVE


def test_a_glance_never_finds_health():
    """Automation may only abort early: promotion waits for the end of the step."""
    assert glance(arm(0, 100_000), STRATEGY).verdict is Verdict.INCONCLUSIVE
    assert glance(None, STRATEGY).verdict is Verdict.INCONCLUSIVE


@pytest.mark.parametrize("counts", [(5, 100, 3, 900), (0, 10, 5, 90), (10, 10, 0, 1000), (3, 50, 0, 0), (7, 60, 9, 55)])
def test_fishers_test_is_the_textbooks(counts):
    """Held against SciPy's."""
    errors, attempts, others, of = counts
    table = [[errors, attempts - errors], [others, of - others]]
    expected = stats.fisher_exact(table, alternative="greater").pvalue
    assert fisher_exact(arm(errors, attempts), arm(others, of)) == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("errors, attempts, rate", [(5, 100, 0.01), (30, 1000, 0.01), (3, 3, 0.01), (60, 100, 0.5)])
def test_the_binomial_tail_is_the_textbooks(errors, attempts, rate):
    """Held against SciPy's."""
    assert binomial_tail(errors, attempts, rate) == pytest.approx(stats.binom.sf(errors - 1, attempts, rate), rel=1e-6)


def test_no_errors_are_allowed_where_the_limit_is_zero():
    """A limit of 0 % means what it says."""
    assert binomial_tail(1, 1000, 0.0) == 0.0
    assert binomial_tail(0, 1000, 0.0) == 1.0


def withdrawn_share(rate, *, champion_rate, releases, looks, attempts):
    """The share of simulated releases of two steps that are withdrawn; each step has its glances and one judgement."""
    chance = random.Random(20260105)
    withdrawn = 0
    for _ in range(releases):
        for _step in range(2):
            counts, others = arm(0, 0), drawn(chance, champion_rate, 9 * attempts)
            verdict = Verdict.INCONCLUSIVE
            for _look in range(looks):
                more = drawn(chance, rate, attempts // looks)
                counts = arm(counts.errors + more.errors, counts.attempts + more.attempts)
                verdict = glance(counts, STRATEGY).verdict
                if verdict is Verdict.UNHEALTHY:
                    break
            else:
                verdict = judge(counts, others, STRATEGY).verdict
            if verdict is Verdict.UNHEALTHY:
                withdrawn += 1
                break
    return withdrawn / releases


def test_a_healthy_canary_is_hardly_ever_withdrawn():
    """At most 1 % of releases whose arms are alike, over all looks and steps."""
    assert withdrawn_share(0.005, champion_rate=0.005, releases=600, looks=10, attempts=300) <= 0.01


def test_a_canary_that_fails_five_times_as_often_is_withdrawn():
    """1 % against 5 % errors, 300 attempts a step."""
    assert withdrawn_share(0.05, champion_rate=0.01, releases=150, looks=10, attempts=300) >= 0.98


def test_every_step_takes_its_part_of_the_budget():
    """More steps ask for more evidence at each."""
    counts = arm(4, 100), arm(9, 900)
    lenient = replace(STRATEGY, steps=(10, 100), max_error_rate=0.5)
    strict = replace(STRATEGY, steps=tuple(range(1, 101)), max_error_rate=0.5)
    assert judge(arm(5, 100), arm(6, 900), lenient).verdict is Verdict.UNHEALTHY
    assert judge(arm(5, 100), arm(6, 900), strict).verdict is Verdict.HEALTHY
    assert judge(*counts, lenient).verdict is Verdict.HEALTHY
