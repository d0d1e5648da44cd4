from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flightworthy.errors import Conflict, ReleaseRefused
from flightworthy.release import (
    NO_LIMITS,
    Phase,
    Strategy,
    entered,
    outcome,
    promoted,
    propose,
    requested,
    returned,
    roll_back,
    served,
    way_back_from,
    withdrawn,
)
from flightworthy.testing import MemoryReleases
from tests.flightworthy.release_makers import (
    NOW,
    decided,
    ending,
    in_canary,
    proposed,
    release,
    seen_healthy,
    serving,
)


@pytest.fixture
def store():
    return MemoryReleases()


def going_back(store, **options):
    return roll_back(store, "churn", actor="ada", reason="it answers nonsense", now=NOW, **options)


def test_the_first_challenger_starts_in_a_slot_without_traffic(store):
    """There is no champion yet; the row waits for the challenger to be vetted."""
    row = proposed(store, 1)
    assert (row.phase, row.slot_a, row.champion, row.challenger_share) == (Phase.STARTING, release(1).id, None, 0)
    assert row.generation == 1


def test_a_challenger_takes_the_slot_that_the_champion_does_not_have(store):
    """Traffic stays where it is while the challenger starts."""
    champion = serving(store, 1)
    row = proposed(store, 2)
    assert row.slot_of(release(2).id) != row.slot_of(champion.champion)
    assert (row.share_b, row.challenger_share) == (champion.share_b, 0)


def test_proposing_again_returns_the_course_that_stands(store):
    """A retried task asks twice; the row and the ledger move once."""
    first = proposed(store, 1)
    assert proposed(store, 1) == first
    assert len(store.history()) == 1


def test_proposing_the_champion_changes_nothing(store):
    """It is what was asked for already."""
    row = serving(store, 1)
    assert proposed(store, 1) == row


def test_a_second_release_while_one_runs_is_told_what_to_do(store):
    """One course at a time; the message names the running one and the two ways on."""
    serving(store, 1)
    in_canary(store, 2)
    with pytest.raises(Conflict, match=r"churn-3.*was not taken up: churn-2.*10 % of traffic.*flightworthy rollback"):
        proposed(store, 3)


def test_a_withdrawn_release_stays_withdrawn_unless_asked_again(store):
    """The same release gets the same answer; a person may insist."""
    serving(store, 1)
    row = proposed(store, 2)
    decided(store, row, withdrawn(row, NOW), "withdrawn", "golden requests differ")
    with pytest.raises(ReleaseRefused, match=r"withdrawn at 2026-01-05 12:00 UTC \(golden requests differ\)"):
        proposed(store, 2)
    assert proposed(store, 2, again=True).challenger == release(2).id
    assert outcome(store, release(2).id) is None


def test_a_release_that_served_before_is_gone_back_to_not_proposed(store):
    """The message says by which command."""
    serving(store, 1, 2)
    with pytest.raises(ReleaseRefused, match="rollback churn --to churn-1"):
        proposed(store, 1)


def test_promotion_keeps_the_old_champion_as_the_way_back(store):
    """It stays in its slot, so that going back is a pointer."""
    row = serving(store, 1, 2)
    assert (row.champion, row.previous, row.challenger) == (release(2).id, release(1).id, None)
    assert {row.slot_a, row.slot_b} == {release(1).id, release(2).id}


def test_a_rollback_to_a_warm_release_is_one_swap(store):
    """The champion, the traffic and the way back change together."""
    before = serving(store, 1, 2)
    seen_healthy(store, 1, 2)
    row = going_back(store)
    assert (row.champion, row.previous, row.phase) == (release(1).id, None, Phase.STEADY)
    assert row.share_b == 100 - before.share_b
    assert row.generation == before.generation + 1
    assert ending(store, 2) == "rolled_back"


def test_a_rollback_to_a_cold_release_starts_it_first(store):
    """The champion keeps all traffic until the other is healthy."""
    before = serving(store, 1, 2)
    seen_healthy(store, 2)
    row = going_back(store)
    assert (row.phase, row.challenger, row.champion) == (Phase.RETURNING, release(1).id, release(2).id)
    assert row.share_b == before.share_b


def test_a_release_that_was_undone_is_not_what_the_next_rollback_restores(store):
    """Two rollbacks in a panic go back twice; they do not bring the bad release back."""
    serving(store, 1, 2, 3)
    seen_healthy(store, 2, 3)
    row = going_back(store)
    assert (row.champion, row.previous) == (release(2).id, release(1).id)
    seen_healthy(store, 1, 2)
    assert going_back(store).champion == release(1).id
    with pytest.raises(ReleaseRefused, match=r"no release before churn-1-.* is left"):
        going_back(store)


def test_a_mistaken_rollback_can_be_undone_by_name(store):
    """--to brings the undone release back as champion."""
    serving(store, 1, 2)
    seen_healthy(store, 1, 2)
    going_back(store)
    row = going_back(store, to=release(2).id)
    assert row.phase is Phase.RETURNING
    way_back = way_back_from(store.history("churn"), release(2).id)
    assert way_back == release(1).id
    after = decided(store, row, returned(row, release(2).id, way_back, NOW), "rolled_back")
    assert (after.champion, after.previous) == (release(2).id, release(1).id)


def test_a_rollback_during_a_canary_withdraws_the_challenger(store):
    """The champion has everything again, and its way back is warmed in the slot that is free."""
    serving(store, 1, 2)
    in_canary(store, 3, share=50)
    row = going_back(store)
    assert (row.champion, row.challenger, row.previous) == (release(2).id, None, release(1).id)
    assert row.release_in("a" if row.slot_of(release(2).id) == "b" else "b") == release(1).id
    assert ending(store, 3) == "withdrawn"


def test_a_rollback_to_another_release_during_a_canary_is_a_conflict(store):
    """First one thing, then the other."""
    serving(store, 1, 2)
    in_canary(store, 3)
    with pytest.raises(Conflict, match="is on its course"):
        going_back(store, to=release(1).id)


def test_asking_twice_to_go_back_to_a_cold_release_is_one_rollback(store):
    """The second ask finds the first under way."""
    serving(store, 1, 2)
    row = going_back(store)
    assert going_back(store) == row


def test_a_model_that_never_released_cannot_go_back(store):
    """The refusal says why and what else there is."""
    with pytest.raises(ReleaseRefused, match="churn cannot go back: nothing was ever released"):
        going_back(store)


def test_a_rollback_to_a_release_of_another_model_is_refused(store):
    """Before anything is touched."""
    serving(store, 1, 2)
    store.add_release(release(7, model="claims"))
    with pytest.raises(ReleaseRefused, match="is a release of claims, not of churn"):
        going_back(store, to=release(7, model="claims").id)


def test_a_release_has_no_outcome_while_it_runs_and_one_after(store):
    """The task that waits asks this."""
    row = proposed(store, 1)
    assert outcome(store, release(1).id) is None
    decided(store, row, promoted(row, NOW), "promoted", "the first release")
    ended = outcome(store, release(1).id)
    assert ended is not None
    assert (ended.kind, ended.reason, ended.generation) == ("promoted", "the first release", 2)


def test_a_proposal_keeps_who_and_why_in_the_ledger(store):
    """The entry is written with the row, in the words of whoever decided."""
    serving(store, 1)
    propose(store, release(2), actor="airflow run 7", reason="drift", now=NOW)
    entry = store.history("churn")[-1]
    assert (entry.actor, entry.action, entry.reason) == ("airflow run 7", "proposed", "drift")
    assert (entry.from_release, entry.to_release, entry.generation) == (release(1).id, release(2).id, 3)


@pytest.mark.parametrize("steps", [(), (50, 10, 100), (10, 50), (0, 100), (10, 10, 100), (10, 100, 150)])
def test_steps_that_do_not_grow_to_all_traffic_are_refused(steps):
    """So that no release ends in between, or goes back and forth."""
    with pytest.raises(ReleaseRefused, match="give growing percentages that end at 100"):
        Strategy(
            steps=steps, bake_time=timedelta(0), min_requests=1, deadline=timedelta(minutes=1), max_error_rate=0.1,
            limits=NO_LIMITS,
        )  # fmt: skip


def test_a_strategy_that_needs_no_request_is_refused():
    """It would turn the absence of traffic into a pass."""
    with pytest.raises(ReleaseRefused, match="that nobody used"):
        Strategy(
            steps=(100,), bake_time=timedelta(0), min_requests=0, deadline=timedelta(minutes=1), max_error_rate=0.1,
            limits=NO_LIMITS,
        )  # fmt: skip


@given(st.lists(st.sampled_from(["propose", "advance", "promote", "withdraw", "back"]), max_size=30))
def test_whatever_is_decided_the_row_makes_sense(decisions):
    """Champion and challenger have slots of their own, generations count up by one, ledger and row agree."""
    store, version = MemoryReleases(), 0
    for decision in decisions:
        row = store.deployment("churn")
        if decision == "propose" and row.challenger is None:
            version += 1
            proposed(store, version)
        elif decision == "advance" and row.champion and row.phase in (Phase.STARTING, Phase.CANARY):
            decided(store, row, entered(row, 0, 10, NOW), "advanced")
        elif decision == "promote" and row.phase in (Phase.STARTING, Phase.CANARY):
            decided(store, row, promoted(row, NOW), "promoted")
        elif decision == "withdraw" and row.challenger:
            decided(store, row, withdrawn(row, NOW), "withdrawn")
        elif decision == "back" and row.challenger is None and row.previous:
            seen_healthy(store, *range(1, version + 1))
            going_back(store)
        row = store.deployment("churn")
        assert row.generation == len(store.entries)
        assert row.champion is None or row.slot_of(row.champion)
        assert row.challenger is None or row.slot_of(row.challenger) not in (None, row.slot_of(row.champion))
        if row.phase is Phase.STEADY and row.champion:
            assert row.share_b == (100 if row.slot_of(row.champion) == "b" else 0)
            assert served(store.history())[-1] == row.champion
            assert way_back_from(store.history(), row.champion) == row.previous
        assert row.slot_a != row.slot_b or row.slot_a is None


def test_a_requested_challenger_never_lands_on_the_champions_slot():
    """Also where the champion is in slot b."""
    row = serving(MemoryReleases(), 1, 2)
    assert row.slot_of(row.champion) == "b"
    assert requested(row, "churn-9", NOW).slot_a == "churn-9"
