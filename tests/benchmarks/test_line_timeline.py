"""How the time of a run is taken apart: every second of it is in one phase, and none in two."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from benchmarks.line_timeline import Step, take_apart

CREATED_AT = datetime(2025, 3, 3, tzinfo=UTC)


def at(seconds: float) -> datetime:
    return CREATED_AT + timedelta(seconds=seconds)


def step(*seconds: float) -> Step:
    queued, started, worked_from, worked_until, ended = (at(each) for each in seconds)
    return Step(
        queued_at=queued, started_at=started, worked_from=worked_from, worked_until=worked_until, ended_at=ended
    )


def test_every_phase_is_the_time_between_its_two_instants() -> None:
    """Two tasks, the second of which proposes a release at 9 s; it is promoted at 20 s, and the run ends at 22 s."""
    steps = [step(1, 1.5, 2, 4, 4.25), step(5.25, 5.5, 6, 9, 9)]

    spent = take_apart(CREATED_AT, steps, at(22), (at(9), at(20)))

    assert spent.scheduling == pytest.approx(1 + 1)
    assert spent.starting == pytest.approx(0.5 + 0.25)
    assert spent.preparing == pytest.approx(0.5 + 0.5)
    assert spent.working == pytest.approx(2 + 3)
    assert spent.reporting == pytest.approx(0.25)
    assert spent.finishing == pytest.approx(2)


def test_the_phases_and_the_course_are_all_of_the_run() -> None:
    """What the benchmark calls a run's total is the run's own duration, from its creation to its end."""
    course = (at(9), at(20))

    spent = take_apart(CREATED_AT, [step(1, 1.5, 2, 4, 4.25), step(5.25, 5.5, 6, 9, 9)], at(22), course)

    assert spent.total + (course[1] - course[0]).total_seconds() == pytest.approx(22)
