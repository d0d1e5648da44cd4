import json
from dataclasses import replace
from datetime import timedelta

from flightworthy.canary import Arm, ArmCounts, ArmSample, Judge
from flightworthy.deployer.course import Rehearsal, Sight, next_move
from flightworthy.deployer.golden import compare
from flightworthy.release import Phase, Shadow, entered, promoted, requested, shadowed
from flightworthy.testing import MemoryReleases
from tests.flightworthy.release_makers import NOW, STRATEGY, proposed, release, serving

SHADOW = Shadow(bake_time=timedelta(seconds=9), min_requests=30, max_flip_rate=0.05)
PASSED = Rehearsal(passed=True, reason="all 20 golden requests answered as in training")
READY = Sight(
    has_server=True, refusal=None, is_healthy=True, rehearsal=PASSED, waited_time=timedelta(seconds=1), baked_time=None,
    judgement=None, failures=0,
)  # fmt: skip


def judged(attempts, errors):
    mine, theirs = ArmCounts(attempts=attempts, errors=errors), ArmCounts(attempts=900, errors=0)
    arms = [Arm(counts=counts, sample=ArmSample()) for counts in (mine, theirs)]
    return Judge(STRATEGY).look(*arms, is_over=True)


BAKED = replace(READY, baked_time=timedelta(seconds=4), judgement=judged(100, 0))


def starting():
    store = MemoryReleases()
    serving(store, 1)
    return proposed(store, 2)


def canary(step=0, share=10):
    return entered(starting(), step, share, NOW)


def test_a_challenger_that_is_vetted_and_healthy_gets_its_first_share():
    """And not before both."""
    move = next_move(starting(), release(2), READY)
    assert (move.kind, move.step, move.share) == ("advanced", 0, 10)
    assert next_move(starting(), release(2), replace(READY, is_healthy=False)) is None
    assert next_move(starting(), release(2), replace(READY, rehearsal=None)) is None


def test_a_challenger_is_a_shadow_first_where_its_strategy_says_so():
    """Without a share of traffic; then its first share, once that went well."""
    with_shadow = replace(release(2), strategy=replace(STRATEGY, shadow=SHADOW))
    move = next_move(starting(), with_shadow, READY)
    assert (move.kind, move.share) == ("shadowed", 0)
    row = shadowed(starting(), NOW)
    assert (row.phase, row.challenger_share, row.share_b) == ("shadow", 0, starting().share_b)
    move = next_move(row, with_shadow, replace(BAKED, baked_time=SHADOW.bake_time))
    assert (move.kind, move.step, move.share) == ("advanced", 0, 10)
    early = replace(BAKED, baked_time=SHADOW.bake_time - timedelta(microseconds=1))
    assert next_move(row, with_shadow, early) is None


def test_a_shadow_of_a_release_without_steps_leads_to_all_traffic():
    """Compared first, and then promoted at once."""
    at_once = replace(release(2), strategy=replace(STRATEGY, steps=(100,), shadow=SHADOW))
    move = next_move(shadowed(starting(), NOW), at_once, replace(BAKED, baked_time=SHADOW.bake_time))
    assert move.kind == "promoted"


def test_an_unhealthy_or_undecided_shadow_is_withdrawn_with_its_numbers():
    """At once, and at the deadline."""
    with_shadow = replace(release(2), strategy=replace(STRATEGY, shadow=SHADOW))
    row = shadowed(starting(), NOW)
    bad = next_move(row, with_shadow, replace(READY, judgement=judged(100, 40)))
    assert (bad.kind, json.loads(bad.evidence)["verdict"]) == ("withdrawn", "unhealthy")
    held = replace(READY, judgement=judged(3, 0), waited_time=timedelta(seconds=61))
    move = next_move(row, with_shadow, held)
    assert (move.kind, move.reason) == (
        "withdrawn", "inconclusive after 60 s as a shadow: 3 attempts, 30 are needed for a verdict",
    )  # fmt: skip
    assert next_move(row, with_shadow, replace(held, waited_time=timedelta(seconds=59))) is None


def test_a_first_release_has_nobody_to_be_the_shadow_of():
    """It is promoted once it is vetted, whatever its strategy says."""
    row = proposed(MemoryReleases(), 1)
    with_shadow = replace(release(1), strategy=replace(STRATEGY, shadow=SHADOW))
    assert next_move(row, with_shadow, READY).kind == "promoted"


def test_a_first_release_is_promoted_once_it_is_vetted():
    """There is nothing to compare it with, and nobody it could be taken from."""
    row = proposed(MemoryReleases(), 1)
    assert next_move(row, release(1), READY).kind == "promoted"


def test_a_failed_rehearsal_withdraws_at_once():
    """With what differed."""
    move = next_move(starting(), release(2), replace(READY, rehearsal=Rehearsal(passed=False, reason="differs")))
    assert (move.kind, move.reason) == ("withdrawn", "differs")


def test_a_challenger_that_may_not_be_started_is_withdrawn_at_once_with_the_reason():
    """Asking again would give the same answer, so nobody waits for the deadline."""
    sight = replace(READY, has_server=False, is_healthy=False, rehearsal=None, refusal="model.skops was changed")
    move = next_move(starting(), release(2), sight)
    assert (move.kind, move.reason) == ("withdrawn", "model.skops was changed")


def test_a_challenger_that_never_gets_healthy_is_withdrawn_at_its_deadline():
    """The number of ended servers is told, and the log is quoted."""
    late = replace(READY, is_healthy=False, rehearsal=None, waited_time=timedelta(seconds=61), failures=4)
    move = next_move(starting(), release(2), late)
    assert (move.kind, move.reason, move.quotes_log) == (
        "withdrawn", "not healthy within 60 s; its server ended 4 times", True,
    )  # fmt: skip


def test_a_step_that_baked_well_leads_to_the_next_and_the_last_to_promotion():
    """Reaching 100 % is the promotion; the numbers go with it."""
    move = next_move(canary(), release(2), BAKED)
    assert (move.kind, move.step, move.share) == ("advanced", 1, 50)
    move = next_move(canary(step=1, share=50), release(2), BAKED)
    assert move.kind == "promoted"
    assert json.loads(move.evidence)["champion"] == {"attempts": 900, "errors": 0}


def test_a_step_is_not_left_before_its_bake_time():
    """However well it goes."""
    early = replace(BAKED, baked_time=timedelta(seconds=3.9))
    assert next_move(canary(), release(2), early) is None


def test_an_outright_failure_is_withdrawn_before_the_bake_time_is_over():
    """Automation may abort early."""
    failing = replace(BAKED, baked_time=timedelta(seconds=0.2), judgement=judged(5, 5))
    assert next_move(canary(), release(2), failing).kind == "withdrawn"


def test_no_verdict_holds_and_is_withdrawn_at_the_deadline():
    """Never promoted."""
    unused = replace(BAKED, judgement=judged(3, 0))
    assert next_move(canary(), release(2), unused) is None
    move = next_move(canary(), release(2), replace(unused, waited_time=timedelta(seconds=61)))
    assert move.kind == "withdrawn"
    assert move.reason.startswith("inconclusive after 60 s at 10 %: 3 attempts")


def test_a_step_that_never_served_its_bake_time_is_withdrawn_at_the_deadline():
    """The router never confirmed it for long enough: what was seen of it is no reason to go on."""
    late = replace(BAKED, baked_time=timedelta(seconds=1), waited_time=timedelta(seconds=61))
    move = next_move(canary(), release(2), late)
    assert (move.kind, move.reason) == ("withdrawn", "inconclusive after 60 s at 10 %: it did not serve its bake time")


def test_a_challenger_whose_server_died_with_traffic_is_withdrawn():
    """A server that ends under load is not fit to have all of it."""
    assert next_move(canary(share=50), release(2), replace(BAKED, has_server=False)).kind == "withdrawn"


def test_a_former_champion_takes_over_once_it_is_vetted_again():
    """Without steps: it served before."""
    row = requested(promoted(starting(), NOW), release(1).id, NOW, phase=Phase.RETURNING)
    assert next_move(row, release(1), READY).kind == "rolled_back"
    assert next_move(row, release(1), replace(READY, is_healthy=False)) is None


def test_a_steady_row_needs_no_move():
    """Nothing is on its course."""
    row = replace(promoted(starting(), NOW), challenger=None)
    assert next_move(row, release(2), READY) is None
    assert STRATEGY.steps[-1] == 100


def test_golden_answers_must_be_those_of_training():
    """To the last bits that another processor's arithmetic changes; all of them, and NaN is no answer."""
    assert compare([0.25, 0.5], [0.25, 0.5 + 1e-12]).passed
    assert not compare([0.25, 0.5], [0.25, 0.5 + 1e-6]).passed
    assert not compare([0.25, 0.5], [0.25]).passed
    assert not compare([0.25], [float("nan")]).passed
