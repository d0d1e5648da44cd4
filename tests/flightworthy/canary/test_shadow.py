"""What is said of a shadow: pairs of answers to the same request, and the verdict on them."""

from dataclasses import replace
from datetime import timedelta

from flightworthy.canary import Answered, ArmCounts, Pairs, ShadowJudge, Training, Verdict, binned
from flightworthy.canary import pairs as pairing
from flightworthy.release import Shadow
from tests.flightworthy.canary.arms import LIMITS, finding
from tests.flightworthy.release_makers import STRATEGY

SHADOW = Shadow(bake_time=timedelta(seconds=4), min_requests=100, max_flip_rate=0.05)
FINE = ArmCounts(attempts=1000, errors=0)


def answered(prediction, *, request="r", row=0, unit="entity 1"):
    return Answered(request=request, row=row, unit=unit, prediction=prediction)


def pairs(agreeing, flipped=0, *, champion=0.1):
    found = Pairs(threshold=0.5)
    for number in range(agreeing + flipped):
        of = {"request": f"r{number}", "unit": f"entity {number}"}
        found.add("champion", answered(champion, **of))
        found.add("challenger", answered(champion if number < agreeing else 1 - champion, **of))
    return found


def judged(found, *, challenger=FINE, champion=FINE, strategy=STRATEGY, training=None, is_over=True):
    told = {} if training is None else {"training": training}
    return ShadowJudge(strategy, SHADOW, **told).look(challenger, champion, found, is_over=is_over)


def test_answers_are_paired_by_request_and_row_whichever_comes_first():
    """And counted once both are there."""
    found = Pairs(threshold=0.5)
    found.add("challenger", answered(0.9, row=1, unit="entity 2"))
    found.add("champion", answered(0.2, row=0))
    assert (found.requests, found.units, found.flips) == (0, 0, 0)
    found.add("champion", answered(0.1, row=1, unit="entity 2"))
    found.add("challenger", answered(0.3, row=0))
    assert (found.requests, found.units, found.flips) == (1, 2, 1)
    assert (found.challenger.positives, found.champion.positives) == (1, 0)


def test_a_busy_entity_is_one_observation():
    """However often it asks, the releases differ on one entity."""
    found = Pairs(threshold=0.5)
    for number in range(50):
        found.add("champion", answered(0.1, request=f"r{number}"))
        found.add("challenger", answered(0.9, request=f"r{number}"))
    assert (found.requests, found.units, found.flips) == (50, 1, 1)


def test_a_second_answer_of_one_side_pairs_with_nobody():
    """A retry on the champion has the id of its first try."""
    found = Pairs(threshold=0.5)
    found.add("champion", answered(0.1))
    found.add("champion", answered(0.9))
    assert found.units == 0
    found.add("challenger", answered(0.1))
    assert (found.units, found.flips) == (1, 0)


def test_what_waits_for_ever_is_let_go(monkeypatch):
    """The oldest first: copies that the router had no room for never come."""
    monkeypatch.setattr(pairing, "MOST_WAITING", 2)
    found = Pairs(threshold=0.5)
    for request in ("r1", "r2", "r3"):
        found.add("champion", answered(0.1, request=request))
    found.add("challenger", answered(0.1, request="r1"))
    found.add("challenger", answered(0.1, request="r3"))
    assert found.units == 1


def test_a_challenger_that_answers_as_the_champion_is_healthy():
    """With the number of entities that say so."""
    judgement = judged(pairs(300))
    assert judgement.verdict is Verdict.HEALTHY
    assert judgement.reason.startswith("0 of 300 entities are answered otherwise than by the champion; 0 of 1000")
    assert judgement.challenger == FINE


def test_a_challenger_that_flips_more_than_allowed_is_unhealthy():
    """Also before the bake time is over, and before there are as many requests as a healthy verdict needs."""
    judgement = judged(pairs(0, 20), is_over=False)
    assert judgement.verdict is Verdict.UNHEALTHY
    assert "20 of 20 entities are answered otherwise" in judgement.reason
    numbers = finding(judgement, "flips").numbers
    assert (numbers["flips"], numbers["units"], numbers["limit"]) == (20, 20, 0.05)
    assert numbers["chance"] <= numbers["alpha"]


def test_flips_over_the_limit_that_may_be_chance_hold():
    """Eight of a hundred at an allowed 5 %."""
    judgement = judged(pairs(92, 8))
    assert judgement.verdict is Verdict.INCONCLUSIVE
    assert "it may be chance" in judgement.reason


def test_few_requests_hold_however_many_copies_were_counted():
    """The router's counts are not enough: both must have written their answers down."""
    judgement = judged(pairs(99))
    assert judgement.verdict is Verdict.INCONCLUSIVE
    assert judgement.reason == (
        "99 requests of 99 entities were answered by both; 100 requests of 30 entities are needed"
    )


def test_requests_of_few_entities_hold():
    """A thousand requests of one customer say nothing of the others."""
    found = Pairs(threshold=0.5)
    for number in range(1000):
        found.add("champion", answered(0.1, request=f"r{number}"))
        found.add("challenger", answered(0.1, request=f"r{number}"))
    assert judged(found).verdict is Verdict.INCONCLUSIVE


def test_failed_copies_are_judged_beside_the_champion():
    """As attempts of a canary are."""
    judgement = judged(pairs(300), challenger=ArmCounts(attempts=300, errors=60))
    assert judgement.verdict is Verdict.UNHEALTHY
    assert "60 of 300 attempts failed" in judgement.reason


def test_predictions_that_moved_without_a_flip_are_found_where_the_limits_ask_for_it():
    """All of them below the threshold, and far from the champion's and from training."""
    moved = Pairs(threshold=0.5)
    for number in range(300):
        of = {"request": f"r{number}", "unit": f"entity {number}"}
        moved.add("champion", answered(0.05 + number / 10_000, **of))
        moved.add("challenger", answered(0.4 + number / 10_000, **of))
    training = Training(challenger=binned([0.05] * 100), champion=binned([0.05] * 100))
    judgement = judged(moved, strategy=replace(STRATEGY, limits=LIMITS), training=training)
    assert judgement.verdict is Verdict.UNHEALTHY
    assert finding(judgement, "shift").verdict is Verdict.UNHEALTHY
    assert finding(judgement, "flips").verdict is Verdict.HEALTHY


def test_latency_is_not_judged():
    """A copy is made when there is room for it; how long it took says nothing of what a user would wait."""
    limits = replace(LIMITS, max_p99_latency=timedelta(milliseconds=5))
    judgement = judged(pairs(300), strategy=replace(STRATEGY, limits=limits))
    assert {found.criterion for found in judgement.findings} == {"flips", "errors", "error_rate", "shift"}


def test_a_shadow_shares_the_budget_of_its_release():
    """One more judged step leaves each of them less."""
    with_one = replace(STRATEGY, shadow=SHADOW)
    alone, shared = (finding(judged(pairs(300), strategy=each), "errors").numbers for each in (STRATEGY, with_one))
    assert shared["alpha"] * 3 == alone["alpha"] * 2
