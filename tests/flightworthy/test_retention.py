"""What may be thrown away, and what never."""

from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from flightworthy.release import Cause, draft, promoted, requested, returned, served, way_back_from, withdrawn
from flightworthy.retention import Policy, StoredVersion, live, prunable
from flightworthy.testing import MemoryReleases
from tests.flightworthy.release_makers import NOW, decided, proposed, release, serving

POLICY = Policy(champions=2, unused_time=timedelta(days=14), served_time=timedelta(days=90))


def plan(store, *, days, versions=(), policy=POLICY):
    return prunable(
        policy,
        store.deployment("churn"),
        store.releases("churn"),
        store.history("churn"),
        versions,
        now=NOW + timedelta(days=days),
    )


def refused(store, version):
    row = proposed(store, version)
    return decided(store, row, withdrawn(row, NOW), "withdrawn")


def names(found):
    return [each.name for each in found]


def test_what_never_served_goes_before_what_did_and_both_say_why():
    """A withdrawn release after two weeks, an old champion after three months."""
    store = MemoryReleases()
    serving(store, 1)
    refused(store, 2)
    serving(store, 3, 4, 5)
    assert plan(store, days=14) == []
    assert names(plan(store, days=15)) == [release(2).id]
    found = plan(store, days=91)
    assert names(found) == [release(2).id, release(1).id, release(3).id]
    assert found[0].why == "it never served, and nothing was decided about it since 2026-01-05"
    assert found[1].why == "2 newer ones served, and it not since 2026-01-05"
    assert (found[1].kind, found[1].version) == ("release", 1)


def test_a_champion_that_was_gone_back_to_counts_as_a_new_one():
    """What matters is when it last served."""
    store = MemoryReleases()
    row = serving(store, 1, 2, 3)
    after = requested(row, release(1).id, NOW, phase="returning")
    row = decided(store, row, after, "returning")
    after = returned(row, release(1).id, way_back_from(store.history("churn"), release(1).id), NOW)
    decided(store, row, after, "rolled_back")
    assert release(1).id not in names(plan(store, days=999))
    assert names(plan(store, days=999)) == [release(2).id]


def version(number, *, days=0, has_alias=False):
    return StoredVersion(number=number, registered_at=NOW - timedelta(days=days), has_alias=has_alias)


def test_versions_that_were_never_released_go_but_for_the_newest_and_those_with_an_alias():
    """Backfilled and refused ones; one of unknown age stays, and one that is younger."""
    store = MemoryReleases()
    serving(store, 1)
    versions = [
        version(1, days=99),
        version(2, days=99),
        version(3, days=99, has_alias=True),
        version(4, days=13),
        StoredVersion(number=5, registered_at=None, has_alias=False),
        version(6, days=99),
    ]
    (found,) = plan(store, days=0, versions=versions)
    assert (found.kind, found.name, found.version) == ("version", "2", 2)
    assert found.why == "it was registered at 2025-09-28 and never released"


def test_a_release_that_is_being_proposed_stays():
    """It has no entry yet."""
    store = MemoryReleases()
    serving(store, 1)
    store.add_release(release(2))
    assert plan(store, days=999) == []


STEPS = st.lists(st.tuples(st.sampled_from(["promote", "refuse", "back"]), st.integers(1, 6)), max_size=12)


@given(steps=STEPS, champions=st.integers(1, 4))
def test_whatever_happened_what_a_rollback_may_need_is_never_thrown_away(steps, champions):
    """What serves, what is warm, the newest champions, and the way back that many steps."""
    store = MemoryReleases()
    for step, number in steps:
        row = store.deployment("churn")
        name = release(number).id
        store.add_release(release(number))
        if name == row.champion or (step == "back" and row.champion is None):
            continue
        after = requested(row, name, NOW, phase="returning" if step == "back" else "starting")
        cause = Cause(actor="x", reason="y", at=NOW)
        row = store.swap(row, after, draft(row, after, "returning" if step == "back" else "proposed", cause))
        if step == "refuse":
            decided(store, row, withdrawn(row, NOW), "withdrawn")
        elif step == "back":
            after = returned(row, name, way_back_from(store.history("churn"), name), NOW)
            decided(store, row, after, "rolled_back")
        else:
            decided(store, row, promoted(row, NOW), "promoted")
    policy = Policy(champions=champions, unused_time=timedelta(), served_time=timedelta())
    gone = set(names(plan(store, days=999, policy=policy)))
    history = store.history("churn")
    assert not gone & live(store.deployment("churn"))
    assert not gone & set(served(history)[-champions:])
    became = [entry.to_release for entry in history if entry.action in ("promoted", "rolled_back")]
    newest = list(dict.fromkeys(reversed(became)))[:champions]
    assert not gone & set(newest)
    assert gone <= {known.id for known in store.releases("churn")}
