"""What every ReleaseStore promises, the one in memory and the one in SQL alike."""

import threading
from dataclasses import replace
from datetime import timedelta

import pytest

from flightworthy import ledger
from flightworthy.adapters.sql_releases import SqlReleases
from flightworthy.errors import Conflict, ReleaseRefused
from flightworthy.release import Answer, Cause, DrillResult, Healing, Observation, ask_drill, draft, promoted, requested
from flightworthy.testing import MemoryReleases
from tests.flightworthy.release_makers import NOW, in_canary, proposed, release, serving


@pytest.fixture(params=["memory", "sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def store(request, tmp_path):
    if request.param == "memory":
        yield MemoryReleases()
        return
    if request.param == "sqlite":
        kept = SqlReleases(f"sqlite:///{tmp_path / 'deeper' / 'flightworthy.db'}")
    else:
        kept = SqlReleases(request.getfixturevalue("postgres").new_database())
    yield kept
    kept.close()


def test_a_model_that_never_released_has_an_empty_row_and_is_not_listed(store):
    """Asking for a row does not make one."""
    row = store.deployment("churn")
    assert (row.generation, row.champion, row.phase) == (0, None, "steady")
    assert store.deployments() == []


def test_a_row_comes_back_as_it_was_written(store):
    """Times, phase and slots survive the way to the store and back."""
    row = serving(store, 1, 2)
    assert store.deployment("churn") == row
    assert store.deployments() == [row]
    assert row.since_at == NOW


def test_a_release_comes_back_with_its_strategy_and_bundle(store):
    """What going back to it needs is kept whole, in the order of proposal; adding it again changes nothing."""
    for version in (2, 1):
        store.add_release(release(version))
    store.add_release(replace(release(1), target="container"))
    assert store.release(release(1).id) == release(1)
    assert store.releases("churn") == [release(2), release(1)]
    assert store.releases("other") == []


def test_an_unknown_release_is_refused_by_name(store):
    """There is nothing to fall back on where a release does not exist."""
    with pytest.raises(ReleaseRefused, match="no release churn-9"):
        store.release("churn-9")


def test_of_two_decisions_on_one_row_the_second_is_told_who_won(store):
    """The loser changes nothing: neither the row nor the ledger."""
    before = serving(store, 1)
    proposed(store, 2)
    after = requested(before, release(3).id, NOW)
    with pytest.raises(Conflict, match=r"expected generation 2, found 3\. ada proposed churn-2"):
        store.swap(before, after, draft(before, after, "proposed", Cause(actor="bob", reason="mine", at=NOW)))
    assert store.deployment("churn").challenger == release(2).id
    assert len(store.history()) == 3


def test_a_conflict_carries_the_generations_as_facts(store):
    """A program reads them without parsing the message."""
    before = store.deployment("churn")
    serving(store, 1)
    after = requested(before, release(3).id, NOW)
    with pytest.raises(Conflict) as caught:
        store.swap(before, after, draft(before, after, "proposed", Cause(actor="bob", reason="mine", at=NOW)))
    assert caught.value.facts == {"model": "churn", "expected": 0, "found": 2, "winner": "deployer"}


def test_ten_decide_at_once_and_one_wins(store):
    """Exactly one of ten threads that decide on the same row succeeds."""
    before = serving(store, 1)
    wins, losses = [], []

    def decide(number):
        after = requested(before, f"churn-{number}", NOW)
        cause = Cause(actor=f"run {number}", reason="at once", at=NOW)
        try:
            wins.append(store.swap(before, after, draft(before, after, "proposed", cause)).challenger)
        except Conflict as conflict:
            losses.append(conflict.facts["winner"])

    threads = [threading.Thread(target=decide, args=(number,)) for number in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(wins) == 1
    assert set(losses) == {f"run {wins[0].removeprefix('churn-')}"}
    assert store.deployment("churn").challenger == wins[0]


def test_decisions_about_two_models_share_one_chain(store):
    """The ledger holds over all models, and a model's own history is a part of it."""
    serving(store, 1)
    other = store.deployment("claims")
    row = requested(other, "claims-1", NOW)
    store.swap(other, row, draft(other, row, "proposed", Cause(actor="ada", reason="first", at=NOW)))
    after = promoted(row, NOW)
    store.swap(row, after, draft(row, after, "promoted", Cause(actor="deployer", reason="fine", at=NOW)))
    assert ledger.verify(store.history(), head=store.head()) == 4
    assert [entry.seq for entry in store.history("claims")] == [3, 4]


def test_an_observation_replaces_the_one_before(store):
    """Only what was last seen counts."""
    first = Observation(model="churn", generation=1, share_b=0, healthy=(), note="starting", at=NOW)
    second = replace(first, generation=2, healthy=("churn-1", "churn-2"), note="")
    assert store.observation("churn") is None
    store.observe(first)
    store.observe(second)
    assert store.observation("churn") == second


def test_evidence_is_kept_by_its_digest(store):
    """The same evidence twice is one; what was never kept is not found."""
    digest = store.keep_evidence('{"errors": 3}')
    assert store.keep_evidence('{"errors": 3}') == digest
    assert store.evidence(digest) == '{"errors": 3}'
    assert store.evidence("0" * 64) is None


def test_an_entry_tells_the_share_that_it_gave(store):
    """None before the canary, the step's share in it, none after: the ledger alone answers what served."""
    serving(store, 1)
    in_canary(store, 2, share=10)
    assert [entry.share for entry in store.history("churn")] == [0, 0, 0, 10]


def test_healings_are_kept_beside_the_decisions(store):
    """The newest of a model and of what all models share, oldest first; the ledger is as it was."""
    row = serving(store, 1)
    for model, what in (("churn", "first"), ("claims", "not asked for"), (None, "the router"), ("churn", "last")):
        store.note_healing(Healing(model=model, at=NOW, kind="server", what=what))
    assert [healing.what for healing in store.healings("churn", limit=10)] == ["first", "the router", "last"]
    assert [healing.what for healing in store.healings("churn", limit=1)] == ["last"]
    assert store.healings("churn", limit=1)[0].at == NOW
    assert store.deployment("churn") == row
    assert len(store.history()) == 2


def test_what_cannot_be_started_is_known_until_it_can_be(store):
    """Each with the reason that was found last."""
    store.note_missing({"churn-1": "no image", "churn-2": "no folder"}, at=NOW)
    store.note_missing({"churn-1": None, "churn-2": "neither", "churn-3": None}, at=NOW)
    assert store.missing() == {"churn-2": "neither"}


def test_a_missing_release_is_served_from_where_it_was_packaged_again(store):
    """Place and image are new; what it is made of is what it was."""
    store.add_release(release(1))
    store.note_missing({release(1).id: "no image"}, at=NOW)
    again = replace(release(1), target="container", image_digest="sha256:new", bundle={"code_commit": "other"})
    store.restock(again)
    assert store.release(release(1).id) == replace(again, bundle=release(1).bundle)
    assert store.missing() == {}


def test_a_release_that_can_be_started_is_never_exchanged_under_its_name(store):
    """What serves, or may, stays what was vetted."""
    store.add_release(release(1))
    with pytest.raises(ReleaseRefused, match="is not missing"):
        store.restock(replace(release(1), image_digest="sha256:other"))
    assert store.release(release(1).id) == release(1)


def test_a_drill_is_of_the_previous_release_and_open_once(store):
    """Whoever asks while it is open is given the same one; without a previous release there is nothing to drill."""
    assert ask_drill(store, "churn", actor="ada", now=NOW) is None
    serving(store, 1)
    assert ask_drill(store, "churn", actor="ada", now=NOW) is None
    serving(store, 2)
    asked = ask_drill(store, "churn", actor="ada", now=NOW)
    assert ask_drill(store, "churn", actor="bob", now=NOW + timedelta(hours=1)) == asked
    assert (asked.release, asked.asked_by, asked.asked_at) == (release(1).id, "ada", NOW)
    assert (asked.passed, asked.reason, asked.took_time, asked.ended_at) == (None, "", None, None)
    assert store.open_drills() == [asked]
    assert store.drill(asked.number) == store.last_drill("churn") == asked
    assert store.last_drill("other") is None
    assert len(store.history()) == 4


def test_a_drill_ends_once(store):
    """Who does it a second time changes nothing; the next one asked for is another."""
    serving(store, 1, 2)
    asked = ask_drill(store, "churn", actor="ada", now=NOW)
    found = DrillResult(passed=False, reason="gone", took_time=timedelta(seconds=1.5), ended_at=NOW)
    store.end_drill(asked.number, found)
    store.end_drill(asked.number, replace(found, passed=True, reason="too late"))
    ended = store.last_drill("churn")
    assert ended == replace(asked, passed=False, reason="gone", took_time=timedelta(seconds=1.5), ended_at=NOW)
    assert store.open_drills() == []
    again = ask_drill(store, "churn", actor="ada", now=NOW)
    assert again.number > asked.number
    assert store.last_drill("churn") == again


def test_a_drill_of_a_release_that_is_no_longer_previous_stays_beside_the_new_one(store):
    """It was asked for and is done; it proves nothing about the other."""
    serving(store, 1, 2)
    first = ask_drill(store, "churn", actor="ada", now=NOW)
    serving(store, 3)
    second = ask_drill(store, "churn", actor="ada", now=NOW)
    assert [drill.release for drill in store.open_drills()] == [release(1).id, release(2).id]
    assert store.open_drills() == [first, second]


def test_an_unknown_drill_is_refused(store):
    """By its number."""
    with pytest.raises(ReleaseRefused, match="no drill 7"):
        store.drill(7)


def test_an_answer_is_kept_for_its_digest_and_the_newest_of_a_person_counts(store):
    """Instead of the earlier one, in the place of it."""
    yes = Answer(
        model="churn", release=release(1).id, digest="d" * 64, user="ada", name="Ada", approved=True, note="",
        at=NOW, run_id="run-1",
    )  # fmt: skip
    other = replace(yes, user="grace", name="Grace")
    elsewhere = replace(yes, digest="e" * 64)
    for answer in (yes, other, elsewhere, yes):
        store.keep_answer(answer)
    assert store.answers("d" * 64) == [yes, other]
    no = replace(yes, approved=False, note="after all", at=NOW + timedelta(hours=1))
    store.keep_answer(no)
    assert store.answers("d" * 64) == [no, other]
    assert store.answers("e" * 64) == [elsewhere]
    assert store.answers("f" * 64) == []
