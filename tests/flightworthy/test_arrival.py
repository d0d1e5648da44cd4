"""When an arrival is announced, announced again, and which run it belongs to."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from flightworthy.arrival import Announcement, Arrival, Kind, NewData, RunName, arrived, due, take
from flightworthy.errors import PartitionRefused, PartitionTaken
from flightworthy.partition import Arrivals
from flightworthy.testing import MemoryArrivals

NOW = datetime(2026, 1, 12, 9, 30, tzinfo=UTC)
MONDAY, NEXT_MONDAY = "2026-01-05", "2026-01-12"


def seen(key: str = MONDAY, **more: Any) -> Arrival:
    return Arrival(**{"model": "churn", "key": key, "digest": "d1", "kind": Kind.FRESH, "seen_at": NOW, **more})


def told(*waiting: Arrival, new_data: NewData = "each", after: timedelta = timedelta(), busy: bool = False) -> Any:
    return due(waiting, new_data=new_data, now=NOW + after, is_busy=busy)


def run(number: int) -> RunName:
    return RunName(dag_id="churn.deploy", run_id=f"run {number}")


def test_what_waits_and_was_never_announced_is_announced_at_once() -> None:
    """Also while another run of the model is under way: it waits in Airflow's queue then."""
    assert told() is None
    assert told(seen(), busy=True) == Announcement(model="churn", partition=MONDAY, others=())


def test_each_is_announced_only_when_the_one_before_it_was_taken() -> None:
    """Two events of one model at once would become one run."""
    first, second = seen(announced_at=NOW, announcements=1), seen(NEXT_MONDAY)

    assert told(first, second) is None
    assert told(second).partition == NEXT_MONDAY


def test_all_that_wait_are_announced_together_where_the_latest_is_asked_for() -> None:
    """One event, whose run takes all of them."""
    announced = told(seen(), seen(NEXT_MONDAY), new_data="latest")

    assert announced.pack() == {"model": "churn", "partition": NEXT_MONDAY, "with": [MONDAY]}
    assert announced.keys == (MONDAY, NEXT_MONDAY)


def test_what_lands_while_a_run_is_on_its_way_is_not_announced_too() -> None:
    """The run will find it waiting; a second event would wake a run that has nothing to do."""
    announced, landed = seen(announced_at=NOW, announcements=1), seen(NEXT_MONDAY)

    assert told(announced, landed, new_data="latest") is None
    later = told(announced, landed, new_data="latest", after=timedelta(seconds=30))
    assert later.keys == (MONDAY, NEXT_MONDAY)
    assert told(landed, new_data="latest").keys == (NEXT_MONDAY,)


def test_an_announcement_for_which_no_run_came_is_lost_and_made_again() -> None:
    """Twice as patiently each time, since a paused DAG drops them all; and no more rarely than every five minutes."""
    once, often = seen(announced_at=NOW, announcements=1), seen(announced_at=NOW, announcements=40)

    assert told(once, after=timedelta(seconds=29)) is None
    assert told(once, after=timedelta(seconds=30)).partition == MONDAY
    assert told(replace(once, announcements=2), after=timedelta(seconds=59)) is None
    assert told(often, after=timedelta(seconds=299)) is None
    assert told(often, after=timedelta(seconds=300)).partition == MONDAY


def test_while_the_models_dag_is_busy_an_announcement_is_not_lost() -> None:
    """Its run waits behind the one that bakes; only after an hour it is asked for again all the same."""
    once = seen(announced_at=NOW, announcements=1)

    assert told(once, after=timedelta(minutes=59), busy=True) is None
    assert told(once, after=timedelta(minutes=60), busy=True).partition == MONDAY


def test_a_look_says_of_each_key_whether_it_wakes_a_deployment() -> None:
    """What lies before the model's first interval never does."""
    look = Arrivals(
        fresh=(MONDAY, NEXT_MONDAY), late=("2025-12-22",), revised=("2025-12-29",), unsettled=(),
        known={key: f"d {key}" for key in (MONDAY, NEXT_MONDAY, "2025-12-22", "2025-12-29")},
    )  # fmt: skip

    found = arrived(look, model="churn", first=NEXT_MONDAY, at=NOW)

    assert {each.key: each.kind for each in found} == {
        "2025-12-22": Kind.LATE, "2025-12-29": Kind.REVISED, MONDAY: Kind.LATE, NEXT_MONDAY: Kind.FRESH,
    }  # fmt: skip
    assert {each.digest for each in found} == set(look.known.values())


def test_what_comes_late_or_revised_within_the_window_wakes_where_the_spec_says_so() -> None:
    """Of the two newest partitions here; what nobody would learn from wakes nobody."""
    keys = ("2025-12-15", "2025-12-22", "2025-12-29", MONDAY)
    look = Arrivals(
        fresh=(), late=("2025-12-22", "2025-12-29"), revised=("2025-12-15", MONDAY), unsettled=(),
        known={key: f"d {key}" for key in keys},
    )  # fmt: skip

    found = arrived(look, model="churn", first="", at=NOW, retrained_window=2)

    assert [each.kind for each in found] == [Kind.REVISED, Kind.LATE, Kind.CORRECTED, Kind.CORRECTED]
    found = arrived(look, model="churn", first=MONDAY, at=NOW, retrained_window=2)
    assert [each.kind for each in found] == [Kind.REVISED, Kind.LATE, Kind.LATE, Kind.CORRECTED]


def test_a_run_gets_what_waits_whatever_its_event_named() -> None:
    """An event is a knock: the one whose own was lost goes first, and time order is kept."""
    store = MemoryArrivals()
    store.note([seen(), seen(NEXT_MONDAY)])

    assert take(store, "churn", run(1), named=[NEXT_MONDAY], new_data="each", at=NOW).key == MONDAY
    assert take(store, "churn", run(2), named=[NEXT_MONDAY], new_data="each", at=NOW).key == NEXT_MONDAY


def test_a_repeated_event_finds_its_arrival_taken_and_hears_by_whom() -> None:
    """The run that it woke has nothing to do; the one that has the arrival may ask again."""
    store = MemoryArrivals()
    store.note([seen()])
    mine = take(store, "churn", run(1), named=[MONDAY], new_data="latest", at=NOW)

    with pytest.raises(PartitionTaken, match="was taken by run run 1 already") as taken:
        take(store, "churn", run(2), named=[MONDAY], new_data="latest", at=NOW)

    assert taken.value.facts == {"model": "churn", "key": MONDAY, "run_id": "run 1"}
    assert take(store, "churn", run(1), named=[MONDAY], new_data="latest", at=NOW) == mine


@pytest.mark.parametrize(
    "kind, said",
    [
        (Kind.LATE, "late data wakes no deployment"),
        (Kind.REVISED, "a revision wakes no deployment"),
        (None, "is not among what has arrived"),
    ],
    ids=str,
)
def test_what_wakes_nobody_is_refused_and_says_what_to_do(kind: Kind | None, said: str) -> None:
    """Whoever names it: an event from outside has no more power than a landed file."""
    store = MemoryArrivals()
    store.note([seen(kind=kind)] if kind else [])

    with pytest.raises(PartitionRefused, match=said) as refused:
        take(store, "churn", run(1), named=[MONDAY], new_data="each", at=NOW)

    assert "by hand" in str(refused.value)
