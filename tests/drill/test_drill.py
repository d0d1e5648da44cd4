"""The drill itself: that its short form holds, and that it would say so if anything did not."""

from __future__ import annotations

import json
from collections import Counter
from datetime import timedelta

import jsonschema
import pytest

from drill import acts, invariants, marathon, pairs
from drill.acts import NeverReached, play, promotion, rollback
from drill.crashes import ACTS, crash_everywhere
from drill.invariants import Expected, broken
from drill.load import Told
from drill.moments import MOMENTS, to_kill_at, unnamed
from drill.pairs import decide_in_pairs
from drill.report import Report
from drill.scene import scene
from flightworthy.adapters.sql_releases import SqlReleases
from flightworthy.release import propose
from flightworthy.testing import MemoryReleases
from tests.benchmarks.test_results import SCHEMA
from tests.flightworthy.release_makers import NOW, in_canary, release, serving


@pytest.fixture(scope="module")
def played(tmp_path_factory):
    """A model that serves under load."""
    with scene(tmp_path_factory.mktemp("drill"), rate=200) as at_work:
        yield at_work


@pytest.mark.slow
def test_killed_at_each_moment_of_a_promotion_and_a_rollback_it_heals(played, tmp_path):
    """The short form: after each effect, on processes, while requests flow; not one of them fails."""
    report = Report()
    crash_everywhere(played, report, where="processes", is_short=True)
    assert report.holds, report.notes
    assert played.load.failed == {}
    assert len([row for row in report.rows if " killed " in row.what]) >= 20
    report.write(tmp_path / "drill.json")
    jsonschema.validate(json.loads((tmp_path / "drill.json").read_text()), SCHEMA)


@pytest.mark.slow
def test_a_moment_that_nobody_comes_to_is_no_proof(played, monkeypatch):
    """Neither in who asks nor in the deployer; the scene goes on."""
    monkeypatch.setattr(acts, "_LONGEST_COURSE", 5.0)
    for moment in ("before proposed: nothing", "after moon landing"):
        act = promotion(played)
        with pytest.raises(NeverReached, match=moment):
            play(played, act, moment=moment)
        played.settle()


@pytest.mark.slow
def test_what_is_not_as_it_must_be_is_told(played):
    """Another champion than expected, a decision too many, a server too many, a router that has something else."""
    row, since = played.rig.store.deployment("m"), played.generation
    as_it_is = Expected(champion=row.champion, previous=row.previous, actions=(), never=None)
    assert broken(played.rig, played.load, None, as_it_is, since, servers=2) == []
    wrong = Expected(champion="m-0", previous=row.previous, actions=("promoted",), never=row.champion)
    told = broken(played.rig, played.load, None, wrong, since, servers=3)
    assert [why.split(" ")[0] for why in told] == ["the", "the", row.champion, "3"]
    assert play(played, rollback(played)) == []
    (told,) = broken(played.rig, played.load, None, as_it_is, played.generation, servers=2)
    assert told.startswith(f"the row has {row.previous}")


@pytest.mark.slow
def test_a_failed_request_is_told(played):
    """Of another model than the one that serves, so that no other test sees it."""
    with played.rig.load(model="nobody") as load:
        played.rig.wait_for(lambda: load.sent > 5, what="answers")
    assert {status for status, _ in load.failed} == {404}
    row = played.rig.store.deployment("m")
    wrong = list(invariants._answers(played.rig, load, row, Expected(
        champion=row.champion, previous=None, actions=(), never=None,
    )))  # fmt: skip
    assert wrong[0].startswith("requests failed: {(404")


def test_a_release_that_answers_before_it_has_traffic_is_told():
    """By the instants of the ledger and those of the answers."""
    store = MemoryReleases()
    serving(store, 1)
    in_canary(store, 2)
    given = NOW.timestamp()

    def told(first_at):
        return Told(answers=Counter(), first_at=first_at, last_at=first_at, longest=0.0, courses={})

    history = store.history("churn")
    early = (NOW - timedelta(seconds=1)).timestamp()
    assert list(invariants._unvetted(told({release(2).id: given}), history)) == []
    assert list(invariants._unvetted(told({release(2).id: early}), history)) != []
    assert list(invariants._unvetted(told({release(3).id: given}), history)) != []


def test_every_act_has_its_moments_and_at_least_twenty_are_killed_at():
    """Before and after each effect; without MLflow there are no aliases to move."""
    assert set(ACTS) == set(MOMENTS)
    for has_aliases in (True, False):
        every = [moment for act in ACTS for moment in to_kill_at(act, has_aliases=has_aliases, is_short=False)]
        short = [moment for act in ACTS for moment in to_kill_at(act, has_aliases=has_aliases, is_short=True)]
        assert len(every) > len(short) >= 20
        assert any(" alias " in moment for moment in every) == has_aliases
    assert unnamed("rollback", {*MOMENTS["rollback"], "before alias set: previous", "after moon landing"}) == [
        "after moon landing"
    ]


def test_a_report_is_broken_by_one_row_and_goes_on():
    """What an attempt raises is a finding as much as what it gives."""

    def breaks():
        raise NeverReached("nobody came")

    report = Report()
    report.tried("fine", list)
    assert report.holds
    report.tried("breaks", breaks)
    report.tried("wrong", lambda: ["one", "two"])
    assert [row.value for row in report.rows] == [0, 1, 2]
    assert not report.holds
    assert report.notes == ["breaks: NeverReached: nobody came", "wrong: one", "wrong: two"]


@pytest.mark.slow
def test_of_two_that_decide_at_once_one_wins_and_the_other_is_told(new_database, tmp_path):
    """From two processes each, on SQLite and on PostgreSQL; by the winner's name and both generations."""
    report = Report()
    decide_in_pairs(new_database(), tmp_path, report, pairs=4)
    assert report.holds, report.notes
    assert [row.what for row in report.rows] == [
        "4 pairs, promote and promote", "4 pairs, promote and rollback", "4 pairs, rollback and rollback",
    ]  # fmt: skip


def test_a_pair_without_one_winner_is_told(tmp_path):
    """Two winners, none, or a loser that was told of somebody else."""
    store = SqlReleases(f"sqlite:///{tmp_path / 'flightworthy.db'}")
    before = pairs._serving(store, "m")
    won, other = {"actor": "promote 0", "won": True}, {"actor": "promote 1", "won": True}
    assert "2 won" in next(pairs.verdict(store, "m", before, [won, other]))
    propose(store, pairs._release("m", "10"), actor="promote 0", reason="at once", now=NOW)
    facts = {"model": "m", "expected": before.generation, "found": before.generation + 1, "winner": "promote 0"}
    lost = {"actor": "promote 1", "won": False, "facts": facts}
    assert list(pairs.verdict(store, "m", before, [won, lost])) == []
    assert "0 won" in next(pairs.verdict(store, "m", before, [lost, lost]))
    wrong = {**lost, "facts": {**facts, "winner": "somebody"}}
    assert "was told" in next(pairs.verdict(store, "m", before, [won, wrong]))
    store.close()


@pytest.mark.slow
def test_five_promotions_and_five_rollbacks_lose_no_request(played):
    """By the command line; how long each took is reported, not asserted."""
    times = marathon.Times()
    assert marathon.run(played, times, count=5) == []
    assert played.load.failed == {}
    median, worst, command = times.rows(5)
    assert 0 < median.value <= worst.value
    assert command.value > 0
    assert [(row.value, row.met) for row in times.rows(6)] == [(None, False), (None, False), (None, None)]
