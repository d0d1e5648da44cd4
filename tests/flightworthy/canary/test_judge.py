"""What the judge says of two arms: three verdicts, each with its numbers."""

import math
from dataclasses import replace
from datetime import timedelta

import pytest

from flightworthy.canary import ArmCounts, Judge, Verdict, binned
from flightworthy.canary.judge import FALSE_ALARMS, SHARES
from tests.flightworthy.canary.arms import arm, finding, judge, limited
from tests.flightworthy.release_makers import STRATEGY

NO = [0.01 * (number % 40) for number in range(200)]
YES = [1 - prediction for prediction in NO]


def test_a_challenger_that_fails_no_more_than_the_champion_is_healthy():
    """With enough attempts, and the numbers in the reason."""
    judged = judge(arm(0, 200), arm(1, 1800))
    assert judged.verdict is Verdict.HEALTHY
    assert judged.reason == "0 of 200 attempts failed; the champion: 1 of 1800 attempts failed"


def test_a_challenger_that_fails_more_is_unhealthy_and_the_numbers_say_so():
    """The reason names both arms and the chance; the finding has them as numbers."""
    judged = judge(arm(12, 200), arm(2, 1800))
    assert judged.verdict is Verdict.UNHEALTHY
    assert "12 of 200 attempts failed, of the champion's 2 of 1800" in judged.reason
    assert finding(judged, "errors").numbers["chance"] < 1e-4
    assert finding(judged, "errors").numbers["exam_chance"] < 1e-6


def test_too_little_traffic_is_inconclusive():
    """29 of 30 attempts are no verdict, however well they went."""
    judged = judge(arm(0, 29), arm(0, 1000))
    assert judged.verdict is Verdict.INCONCLUSIVE
    assert judged.reason == "29 attempts, 30 are needed for a verdict"


@pytest.mark.parametrize("challenger, champion", [(None, arm(0, 100)), (arm(0, 100), None), (None, None)])
def test_missing_metrics_are_inconclusive_and_not_no_errors(challenger, champion):
    """A router that says nothing has not said that all is well."""
    judged = judge(challenger, champion)
    assert judged.verdict is Verdict.INCONCLUSIVE
    assert "no metrics is not the same as no errors" in judged.reason


def test_an_arm_that_nobody_asked_has_no_error_rate():
    """NaN passes no limit."""
    assert math.isnan(ArmCounts(attempts=0, errors=0).error_rate)


def test_a_rate_over_the_limit_that_may_be_chance_holds():
    """One error of forty is more than 1 %, and proves nothing: wait for more attempts."""
    judged = judge(arm(1, 40), arm(0, 400))
    assert judged.verdict is Verdict.INCONCLUSIVE
    assert "it may be chance" in judged.reason


def test_a_challenger_over_the_limit_is_unhealthy_even_beside_a_bad_champion():
    """The ceiling holds whatever the champion does."""
    judged = judge(arm(30, 300), arm(300, 3000))
    assert judged.verdict is Verdict.UNHEALTHY
    assert "at the allowed 1.00%" in judged.reason


def test_what_fails_outright_is_found_in_the_middle_of_a_step():
    """Three failures of three are enough at a limit of 1 %; one of three is not."""
    assert judge(arm(3, 3), arm(0, 30), is_over=False).verdict is Verdict.UNHEALTHY
    assert judge(arm(1, 3), arm(0, 30), is_over=False).verdict is Verdict.INCONCLUSIVE


def test_a_challenger_beside_a_champion_without_traffic_is_held_to_its_limit():
    """Nothing to compare with, and still something to fail by."""
    assert judge(arm(0, 100), arm(0, 0)).verdict is Verdict.HEALTHY
    assert judge(arm(50, 100), arm(0, 0)).verdict is Verdict.UNHEALTHY


def test_the_exam_is_sat_once_and_only_when_the_bake_time_is_over():
    """A second look at the same numbers is no second chance to raise a false alarm."""
    looking = Judge(STRATEGY)
    assert finding(looking.look(arm(0, 100), arm(0, 900), is_over=False), "errors").numbers["exam_chance"] is None
    sat = finding(looking.look(arm(1, 200), arm(9, 1800), is_over=True), "errors").numbers["exam_chance"]
    later = finding(looking.look(arm(3, 300), arm(9, 2700), is_over=True), "errors").numbers["exam_chance"]
    assert sat == later


def test_the_budget_of_a_release_is_shared_and_no_more_than_it():
    """By its steps, and within a step by criteria."""
    assert math.fsum(SHARES.values()) == pytest.approx(1.0)
    strict = replace(STRATEGY, steps=tuple(range(1, 101)), max_error_rate=0.5)
    lenient = replace(STRATEGY, steps=(10, 100), max_error_rate=0.5)
    assert judge(arm(6, 100), arm(6, 900), lenient).verdict is Verdict.UNHEALTHY
    assert judge(arm(6, 100), arm(6, 900), strict).verdict is Verdict.HEALTHY
    numbers = finding(judge(arm(6, 100), arm(6, 900), lenient), "errors").numbers
    assert numbers["alpha"] + numbers["exam_alpha"] == pytest.approx(FALSE_ALARMS * SHARES["errors"])


# Latency


def test_a_challenger_that_is_slower_by_enough_is_unhealthy():
    """By 30 % at the median, where 10 % are allowed; the reason has both medians."""
    slow, usual = [13.0 + 0.01 * n for n in range(200)], [10.0 + 0.01 * n for n in range(200)]
    judged = judge(arm(0, 200, latencies=slow), arm(0, 200, latencies=usual), limited())
    assert judged.verdict is Verdict.UNHEALTHY
    assert "ms at the median, +27% of the champion's" in judged.reason


def test_a_challenger_that_is_slower_by_too_little_is_healthy_however_sure_it_is():
    """Five percent beyond any doubt are five percent."""
    slow, usual = [10.5 + 0.001 * n for n in range(500)], [10.0 + 0.001 * n for n in range(500)]
    judged = judge(arm(0, 500, latencies=slow), arm(0, 500, latencies=usual), limited())
    assert judged.verdict is Verdict.HEALTHY
    assert finding(judged, "latency").numbers["chance"] < 1e-6


def test_less_than_a_millisecond_is_no_slowdown_whatever_its_share():
    """Twice as slow, from 0.4 to 0.8 ms: a server that is asked less often has colder caches."""
    judged = judge(arm(0, 200, latencies=[0.8] * 200), arm(0, 1800, latencies=[0.4] * 1800), limited())
    assert judged.verdict is Verdict.HEALTHY
    assert finding(judged, "latency").numbers["slowdown"] == pytest.approx(1.0, abs=0.05)


def test_a_challenger_that_may_be_slower_by_chance_holds():
    """Over the limit, unlikely and not beyond doubt: wait for more requests."""
    slow, usual = [9.0 + 0.5 * (n % 20) for n in range(40)], [6.0 + 0.5 * (n % 24) for n in range(400)]
    judged = judge(arm(0, 40, latencies=slow), arm(0, 400, latencies=usual), limited())
    assert judged.verdict is Verdict.INCONCLUSIVE
    assert "more than allowed, but it may be chance" in judged.reason


@pytest.mark.parametrize("mine, theirs, whose", [((), (5.0,) * 99, "challenger"), ((5.0,) * 99, (), "champion")])
def test_a_latency_that_nobody_writes_is_said_and_holds_only_where_it_is_required(mine, theirs, whose):
    """A champion that runs since before there were any must not keep its successor out."""
    arms = arm(0, 99, latencies=mine), arm(0, 99, latencies=theirs)
    judged = judge(*arms, limited())
    assert judged.verdict is Verdict.HEALTHY
    assert finding(judged, "latency").verdict is None
    assert f"not measured: latency: the {whose}'s server writes none" in judged.reason
    assert judge(*arms, limited(required=("errors", "latency"))).verdict is Verdict.INCONCLUSIVE


def test_too_few_latencies_hold_once_there_are_any():
    """A log that began and broke off is missing evidence."""
    judged = judge(arm(0, 99, latencies=[5.0] * 29), arm(0, 99, latencies=[5.0] * 99), limited())
    assert (judged.verdict, judged.reason) == (
        Verdict.INCONCLUSIVE, "29 latencies, 30 are needed for a verdict",
    )  # fmt: skip


# Predictions


def test_a_challenger_that_answers_otherwise_than_champion_and_training_is_unhealthy():
    """It answers 200 to everything, and wrongly."""
    judged = judge(
        arm(0, 200, predictions=YES), arm(0, 200, predictions=NO), limited(), expected=binned(NO)
    )  # fmt: skip
    assert judged.verdict is Verdict.UNHEALTHY
    assert "100.0% of the answers are positive, of the champion's 0.0%, in its training 0.0%" in judged.reason
    assert {found.criterion for found in judged.findings if found.verdict is Verdict.UNHEALTHY} == {"flips", "shift"}


def test_a_challenger_that_answers_as_it_did_in_training_is_healthy_whatever_the_champion_says():
    """A model that was trained anew because the world changed corrects the old one."""
    judged = judge(arm(0, 200, predictions=YES), arm(0, 200, predictions=NO), limited(), expected=binned(YES))
    assert judged.verdict is Verdict.HEALTHY


def test_requests_unlike_both_trainings_blame_no_challenger():
    """A world that changed moves every model from its training; what it moved the champion is taken off."""
    arms = arm(0, 200, predictions=[0.9] * 200), arm(0, 200, predictions=[0.6] * 200)
    at_home = judge(*arms, limited(), expected=binned([0.3] * 200), champion_expected=binned([0.6] * 200))
    assert finding(at_home, "shift").verdict is Verdict.UNHEALTHY
    both_moved = judge(*arms, limited(), expected=binned([0.3] * 200), champion_expected=binned([0.05] * 200))
    assert finding(both_moved, "shift").verdict is Verdict.HEALTHY
    assert "0.60 from those of its training (the champion's 0.55 from those of its own)" in both_moved.reason


def test_where_nothing_is_known_of_training_the_champion_alone_is_the_measure():
    """An artifact from before is no excuse."""
    assert judge(arm(0, 200, predictions=YES), arm(0, 200, predictions=NO), limited()).verdict is Verdict.UNHEALTHY


def test_predictions_shift_where_every_answer_stays_the_same():
    """All below the threshold, and all in one place."""
    stuck = [0.39] * 200
    judged = judge(arm(0, 200, predictions=stuck), arm(0, 200, predictions=NO), limited(), expected=binned(NO))
    assert finding(judged, "flips").verdict is Verdict.HEALTHY
    assert finding(judged, "shift").verdict is Verdict.UNHEALTHY
    assert "its predictions lie 0.20 from the champion's on average, and 0.20 from those of its" in judged.reason


def test_predictions_that_hardly_moved_are_healthy_however_surely_they_did():
    """Everybody is asked the same, and answered 0.61 by one arm and 0.63 by the other."""
    judged = judge(arm(0, 200, predictions=[0.63] * 200), arm(0, 200, predictions=[0.61] * 200), limited())
    assert judged.verdict is Verdict.HEALTHY
    assert finding(judged, "shift").numbers["distance"] == 1.0


def test_few_entities_say_nothing_and_hold_only_where_it_is_required():
    """A model that few customers ask is not kept from being released, unless its author wants that."""
    arms = arm(0, 200, predictions=YES[:29]), arm(0, 200, predictions=NO)
    judged = judge(*arms, limited())
    assert judged.verdict is Verdict.HEALTHY
    assert "not measured: answers for 29 entities" in judged.reason
    assert judge(*arms, limited(required=("predictions",))).verdict is Verdict.INCONCLUSIVE


def test_an_entity_that_asks_a_thousand_times_is_one_observation():
    """The router deals out entities: whoever asks most must not decide."""
    busy = arm(0, 1000)
    for _ in range(1000):
        busy.sample.add_prediction("entity 1", 0.9, threshold=0.5)
    assert (busy.sample.units, busy.sample.positives) == (1, 1)


# Limits


def test_a_limit_on_slow_requests_holds_whatever_the_champion_takes():
    """Five of a hundred over what one of a hundred may be."""
    slow = [40.0] * 285 + [400.0] * 15
    strategy = limited(max_p99_latency=timedelta(milliseconds=100), max_slowdown=None)
    judged = judge(arm(0, 300, latencies=slow), arm(0, 300, latencies=slow), strategy)
    assert judged.verdict is Verdict.UNHEALTHY
    assert "15 of 300 requests took longer than 100 ms; p99 is 4" in judged.reason


def test_a_limit_without_its_evidence_holds():
    """It was asked for; nothing known is not nothing wrong."""
    strategy = limited(max_p99_latency=timedelta(milliseconds=100))
    assert judge(arm(0, 300), arm(0, 300), strategy).verdict is Verdict.INCONCLUSIVE


@pytest.mark.parametrize("changes", [{"min_positive_share": 0.05}, {"max_positive_share": 0.5}])
def test_a_share_of_positives_outside_its_limits_is_unhealthy(changes):
    """All no is below a floor of 5 %, all yes above a ceiling of 50 %."""
    answers = (NO if "min_positive_share" in changes else YES) * 2
    strategy = limited(**changes, max_flip_rate=None, max_prediction_shift=None)
    judged = judge(arm(0, 200, predictions=answers), arm(0, 200, predictions=answers), strategy)
    assert judged.verdict is Verdict.UNHEALTHY
    inside = judge(arm(0, 200, predictions=(NO + YES[:20])[20:]), arm(0, 200), strategy)
    assert inside.verdict is Verdict.HEALTHY


def test_a_strategy_from_before_is_judged_by_errors_alone():
    """What it was proposed with holds until it ends."""
    judged = judge(arm(0, 200, predictions=YES), arm(0, 200, predictions=NO), STRATEGY)
    assert judged.verdict is Verdict.HEALTHY
    assert [found.criterion for found in judged.findings] == ["errors", "error_rate"]
