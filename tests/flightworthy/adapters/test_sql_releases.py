import json
import multiprocessing
import sqlite3
from dataclasses import replace
from datetime import timedelta

import pytest

from flightworthy import ledger
from flightworthy.adapters.sql_releases import SqlReleases
from flightworthy.errors import Conflict, LedgerBroken, Unavailable
from flightworthy.release import NO_LIMITS, Cause, draft, requested
from tests.flightworthy.release_makers import NOW, STRATEGY, proposed, release, serving


@pytest.fixture
def url(tmp_path):
    return f"sqlite:///{tmp_path / 'flightworthy.db'}"


@pytest.fixture
def store(url):
    kept = SqlReleases(url)
    yield kept
    kept.close()


def test_a_strategy_comes_back_as_it_was_written(store):
    """Durations and lists included; what it was proposed with is what it is judged by."""
    limits = replace(
        NO_LIMITS, max_slowdown=0.1, max_p99_latency=timedelta(milliseconds=250), required=("errors", "latency")
    )  # fmt: skip
    written = replace(release(1), strategy=replace(STRATEGY, limits=limits))
    store.add_release(written)
    assert store.release(written.id) == written


def test_a_strategy_from_before_there_were_limits_is_judged_by_errors(url, store):
    """An old release is read, and held to what held when it was proposed."""
    store.add_release(release(1))
    with sqlite3.connect(url.removeprefix("sqlite:///")) as connection:
        (told,) = connection.execute("SELECT strategy FROM release").fetchone()
        before = {key: value for key, value in json.loads(told).items() if key != "limits"}
        connection.execute("UPDATE release SET strategy = ?", (json.dumps(before),))
    connection.close()
    assert store.release(release(1).id).strategy == replace(STRATEGY, limits=NO_LIMITS)


def propose_once(url, number, start, results):
    store = SqlReleases(url)
    before = store.deployment("churn")
    after = requested(before, f"churn-{number}", NOW)
    start.wait(30)
    try:
        store.swap(before, after, draft(before, after, "proposed", Cause(actor=f"{number}", reason="race", at=NOW)))
        results.put("won")
    except Conflict:
        results.put("lost")
    store.close()


def test_of_ten_processes_that_decide_at_once_one_wins(url, store):
    """Also where the database file and its tables are made at that moment by all of them."""
    context = multiprocessing.get_context("spawn")
    start, results = context.Barrier(6), context.Queue()
    racers = [context.Process(target=propose_once, args=(url, number, start, results)) for number in range(6)]
    for racer in racers:
        racer.start()
    outcomes = sorted(results.get(timeout=60) for _ in racers)
    for racer in racers:
        racer.join()
    assert outcomes == ["lost"] * 5 + ["won"]
    assert store.deployment("churn").generation == 1
    assert ledger.verify(store.history(), head=store.head()) == 1


def test_a_row_is_never_swapped_without_its_entry(url, store):
    """The ledger cannot be written, so the decision does not happen."""
    row = serving(store, 1)
    with sqlite3.connect(url.removeprefix("sqlite:///")) as connection:
        connection.execute("CREATE TRIGGER full BEFORE INSERT ON ledger BEGIN SELECT RAISE(ABORT, 'disk full'); END")
    connection.close()
    with pytest.raises(Exception, match="disk full"):
        proposed(store, 2)
    assert store.deployment("churn") == row


def test_an_entry_that_was_changed_in_the_database_is_found(url, store):
    """By whoever could write to the file."""
    serving(store, 1, 2)
    connection = sqlite3.connect(url.removeprefix("sqlite:///"))
    connection.execute("UPDATE ledger SET reason = 'nothing to see' WHERE seq = 2")
    connection.commit()
    connection.close()
    with pytest.raises(LedgerBroken, match="entry 2"):
        ledger.verify(store.history(), head=store.head())


def test_what_was_decided_is_there_after_a_restart(url):
    """Tables are made once and kept."""
    first = SqlReleases(url)
    row = serving(first, 1)
    first.close()
    second = SqlReleases(url)
    assert second.deployment("churn") == row
    second.close()


def test_a_database_that_does_not_answer_is_worth_another_try(tmp_path):
    """Unavailable, with the address and without its password."""
    (tmp_path / "folder").mkdir()
    with pytest.raises(Unavailable, match="did not answer"):
        SqlReleases(f"sqlite:///{tmp_path / 'folder'}")


def test_reading_waits_for_no_writer(url, store):
    """A status must not hang because a decision is being written."""
    row = serving(store, 1)
    writer = sqlite3.connect(url.removeprefix("sqlite:///"), isolation_level=None)
    writer.execute("BEGIN IMMEDIATE")
    assert store.deployment("churn") == row
    writer.rollback()
    writer.close()
