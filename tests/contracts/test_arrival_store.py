"""What every ArrivalStore promises, the one in memory and the one in SQL alike."""

import threading
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from flightworthy.adapters.sql_releases import SqlArrivals
from flightworthy.arrival import Announcement, Arrival, Kind, Outcome, RunName, Stage
from flightworthy.testing import MemoryArrivals

NOW = datetime(2026, 1, 12, 9, 30, tzinfo=UTC)
FIRST, SECOND = (RunName(dag_id="churn.deploy", run_id=f"run {number}") for number in (1, 2))


@pytest.fixture(params=["memory", "sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def store(request, tmp_path):
    if request.param == "memory":
        yield MemoryArrivals()
        return
    if request.param == "sqlite":
        kept = SqlArrivals(f"sqlite:///{tmp_path / 'flightworthy.db'}")
    else:
        kept = SqlArrivals(request.getfixturevalue("postgres").new_database())
    yield kept
    kept.close()


def seen(key, *, model="churn", kind=Kind.FRESH, digest="d1", at=NOW):
    return Arrival(model=model, key=key, digest=digest, kind=kind, seen_at=at)


def stages(store, model="churn"):
    return {each.key: each.stage for each in store.of(model)}


def take(store, run, new_data="each"):
    return [each.key for each in store.take("churn", run, new_data=new_data, at=NOW)]


def test_what_was_seen_comes_back_as_it_was_noted_and_is_noted_once(store):
    """Seen again it stays as it is, however far it has come; other content of a key is another arrival."""
    store.note([seen("2026-01-05"), seen("2026-01-12")])
    assert store.of("churn") == [seen("2026-01-05"), seen("2026-01-12")]
    take(store, FIRST)
    store.note([seen("2026-01-05", at=NOW + timedelta(hours=1)), seen("2026-01-05", digest="d2", kind=Kind.REVISED)])
    assert [(each.digest, each.stage) for each in store.of("churn") if each.key == "2026-01-05"] == [
        ("d1", Stage.TAKEN), ("d2", Stage.SEEN),
    ]  # fmt: skip


def test_the_newest_digest_of_a_key_is_what_is_known_of_it(store):
    """Which is what a watcher compares its next look with, after a restart too."""
    later = seen("2026-01-05", digest="d2", kind=Kind.REVISED, at=NOW + timedelta(hours=1))
    store.note([seen("2026-01-05"), later, seen("2026-01-05", model="claims", digest="d3")])
    assert store.known("churn") == {"2026-01-05": "d2"}


def test_only_what_is_fresh_waits(store):
    """In time order and of all models; late data and revisions wake nobody."""
    store.note([seen("2026-01-12"), seen("2026-01-05"), seen("2025-12-29", kind=Kind.LATE)])
    store.note([seen("2026-01-05", digest="d2", kind=Kind.REVISED), seen("2026-01-06", model="claims")])
    assert [(each.model, each.key) for each in store.waiting()] == [
        ("churn", "2026-01-05"), ("claims", "2026-01-06"), ("churn", "2026-01-12"),
    ]  # fmt: skip


def test_a_correction_that_the_spec_retrains_on_waits(store):
    """And is taken as a fresh one is."""
    later = NOW + timedelta(hours=1)
    store.note([seen("2026-01-05"), seen("2026-01-05", digest="d2", kind=Kind.CORRECTED, at=later)])
    assert [each.digest for each in store.waiting()] == ["d1", "d2"]
    assert take(store, FIRST, new_data="latest") == ["2026-01-05", "2026-01-05"]
    assert store.waiting() == []


def test_an_announcement_is_counted_and_leaves_alone_what_was_taken_meanwhile(store):
    """So that a late note of an event cannot take a partition away from its run."""
    store.note([seen("2026-01-05"), seen("2026-01-12")])
    take(store, FIRST)
    told = Announcement(model="churn", partition="2026-01-12", others=("2026-01-05",))
    store.announced(told, at=NOW)
    store.announced(told, at=NOW + timedelta(minutes=1))
    assert stages(store) == {"2026-01-05": Stage.TAKEN, "2026-01-12": Stage.ANNOUNCED}
    (announced,) = store.waiting()
    assert (announced.announcements, announced.announced_at) == (2, NOW + timedelta(minutes=1))
    assert store.of("churn")[0].announcements == 0


def test_each_run_gets_the_next_one_in_time_order_and_the_same_one_again(store):
    """A task that is tried again has what it had; where nothing waits a run gets nothing."""
    store.note([seen("2026-01-12"), seen("2026-01-05")])
    assert take(store, FIRST) == ["2026-01-05"]
    assert take(store, FIRST) == ["2026-01-05"]
    assert take(store, SECOND) == ["2026-01-12"]
    assert take(store, replace(SECOND, run_id="run 3")) == []
    assert [(each.run, each.taken_at) for each in store.taken()] == [(FIRST, NOW), (SECOND, NOW)]


def test_one_run_gets_all_that_waits_where_the_latest_is_asked_for(store):
    """They are one deployment."""
    store.note([seen("2026-01-12"), seen("2026-01-05"), seen("2025-12-29", kind=Kind.LATE)])
    assert take(store, FIRST, "latest") == ["2026-01-05", "2026-01-12"]
    assert take(store, SECOND, "latest") == []


def test_how_a_run_ended_is_kept_with_what_it_took(store):
    """And a failed one is found among the lately failed."""
    store.note([seen("2026-01-05"), seen("2026-01-12")])
    take(store, FIRST)
    take(store, SECOND)
    later = NOW + timedelta(minutes=5)
    store.conclude(FIRST, Outcome(failed=True, tasks=("evaluate",)), at=NOW)
    store.conclude(SECOND, Outcome(failed=False, tasks=()), at=later)
    assert stages(store) == {"2026-01-05": Stage.CONSIDERED, "2026-01-12": Stage.CONSIDERED}
    assert [str(each.outcome) for each in store.of("churn")] == ["failed at evaluate", "went through"]
    assert [each.key for each in store.failed(since=NOW)] == ["2026-01-05"]
    assert store.failed(since=later) == store.taken() == store.waiting() == []


def test_a_failed_run_that_is_cleared_has_its_arrival_again(store):
    """It is under way once more, and how it ended before is forgotten."""
    store.note([seen("2026-01-05")])
    take(store, FIRST)
    store.conclude(FIRST, Outcome(failed=True, tasks=("evaluate",)), at=NOW)
    assert take(store, FIRST) == ["2026-01-05"]
    assert stages(store) == {"2026-01-05": Stage.TAKEN}
    assert store.of("churn")[0].outcome is None


def test_what_is_given_up_waits_as_if_nobody_had_taken_it(store):
    """Another run may take it; of what was announced before only the count is kept."""
    store.note([seen("2026-01-05")])
    store.announced(Announcement(model="churn", partition="2026-01-05", others=()), at=NOW)
    take(store, FIRST)
    store.conclude(FIRST, Outcome(failed=True, tasks=("evaluate",)), at=NOW)
    store.give_up(store.of("churn"))
    assert store.waiting() == [replace(seen("2026-01-05"), announcements=1)]
    assert take(store, SECOND) == ["2026-01-05"]


def test_ten_runs_at_once_take_each_arrival_once(store):
    """Whatever their order, none is taken twice and none is left."""
    keys = [f"2026-01-{day:02}" for day in range(5, 13)]
    store.note([seen(key) for key in keys])
    got = []
    runs = [RunName(dag_id="churn.deploy", run_id=f"run {number}") for number in range(10)]
    threads = [threading.Thread(target=lambda run=run: got.extend(take(store, run))) for run in runs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(got) == keys
    assert len({each.run for each in store.taken()}) == 8
