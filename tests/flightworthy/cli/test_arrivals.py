"""What has landed: how far it has come, and how a failed arrival is let go again."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from flightworthy.adapters.sql_releases import SqlArrivals
from flightworthy.arrival import Arrival, Kind, Outcome, RunName
from tests.flightworthy.cli.conftest import Call, House

NOW = datetime.now(UTC)
KEYS = ("2026-01-05", "2026-01-12", "2026-01-19", "2026-01-26")


@pytest.fixture
def store(house: House) -> Iterator[SqlArrivals]:
    """One that went through, one that failed, one under way, one that waits; and a revision."""
    house.promote(1)
    kept = SqlArrivals(f"sqlite:///{house.home / 'flightworthy.db'}")
    seen = [Arrival(model="diagnosis", key=key, digest="d1", kind=Kind.FRESH, seen_at=NOW) for key in KEYS]
    revised = Arrival(model="diagnosis", key=KEYS[0], digest="d2", kind=Kind.REVISED, seen_at=NOW)
    kept.note([*seen, revised])
    for number in (1, 2, 3):
        kept.take("diagnosis", run(number), new_data="each", at=NOW)
    kept.conclude(run(1), Outcome(failed=False, tasks=("containerize",)), at=NOW)
    kept.conclude(run(2), Outcome(failed=True, tasks=("evaluate",)), at=NOW)
    yield kept
    kept.close()


def run(number: int) -> RunName:
    return RunName(dag_id="diagnosis.deploy", run_id=f"run-{number}")


def test_arrivals_are_listed_with_their_runs_and_how_those_ended(call: Call, store: SqlArrivals) -> None:
    """Of each partition and each content of it."""
    lines = call("arrivals", "list", "diagnosis").out.splitlines()

    assert [line.split()[0] for line in lines] == ["PARTITION", KEYS[0], *KEYS]
    assert "went through; skipped: containerize" in "".join(lines)
    assert "failed at evaluate" in "".join(lines)
    assert [line.split()[0] for line in call("arrivals", "list", "diagnosis", "--limit", "1").out.splitlines()] == [
        "PARTITION", KEYS[3],
    ]  # fmt: skip


def test_status_shows_what_is_not_done_with(call: Call, store: SqlArrivals) -> None:
    """The failed, the one under way and the one that waits; not what went through, and no revision."""
    (row,) = call("status", "diagnosis", "--json").document["models"]

    assert [(each["partition"], each["stage"], each["outcome"]) for each in row["arrivals"]] == [
        (KEYS[1], "considered", "failed at evaluate"), (KEYS[2], "taken", None), (KEYS[3], "seen", None),
    ]  # fmt: skip
    assert "ARRIVED" in call("status").out


def test_a_failed_arrival_waits_again_when_it_is_asked_for(call: Call, store: SqlArrivals) -> None:
    """And the next run takes it, before what is newer."""
    told = call("arrivals", "again", "diagnosis", KEYS[1])

    assert told.code == 0
    assert "run-2 has it no more" in told.out
    assert [each.key for each in store.waiting()] == [KEYS[1], KEYS[3]]


@pytest.mark.parametrize(
    "key, said",
    [
        (KEYS[0], "went through"),
        (KEYS[2], "under way"),
        (KEYS[3], "waits for a run already"),
        ("1999-01-01", "none that has woken a deployment"),
    ],
)
def test_nothing_else_is_let_go_again(call: Call, store: SqlArrivals, key: str, said: str) -> None:
    """It could be deployed twice; the message says what to do instead."""
    before = store.of("diagnosis")
    told = call("arrivals", "again", "diagnosis", key)

    assert told.code == 1
    assert said in told.err
    assert store.of("diagnosis") == before


def test_a_model_for_which_nothing_has_arrived_says_so(call: Call, house: House) -> None:
    """And one that does not exist is named as such."""
    house.promote(1)

    assert call("arrivals", "list", "diagnosis").out == "nothing has arrived for diagnosis yet\n"
    assert call("arrivals", "list", "diagnoses").code == 1
