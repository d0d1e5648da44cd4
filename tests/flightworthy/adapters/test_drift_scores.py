"""What looks found is kept for ever, and can be looked at."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from flightworthy.adapters.drift_scores import DriftScores
from flightworthy.drift import Look
from flightworthy.errors import Refused

NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)
LOOK = Look(
    at=NOON,
    model="diagnosis",
    release="diagnosis-2-1a2b3c4d",
    started_at=NOON - timedelta(hours=1),
    ended_at=NOON,
    requests=500,
    conclusive=True,
    drifted=("age",),
    drifted_share=0.5,
    scores={"age": 0.7, "bmi": float("nan")},
    retrain=True,
    reasons=("1 of 2 features drifted (50%), most of all <age> (0.70)",),
    page="20260105T120000.html",
)


def test_a_look_is_read_back_as_it_was_kept(tmp_path: Path) -> None:
    """Times, names and numbers survive the file, in the order of the looks."""
    scores = DriftScores(tmp_path / "drift")
    first = replace(LOOK, scores={"age": 0.7})
    second = replace(first, at=NOON + timedelta(hours=1), retrain=False)

    scores.append(first)
    scores.append(second)

    assert scores.looks() == (first, second)


def test_a_model_never_looked_at_has_no_looks(tmp_path: Path) -> None:
    """Before the first look there is no file, and that is no fault."""
    assert DriftScores(tmp_path / "drift").looks() == ()


def test_a_line_cut_short_by_a_crash_is_healed_by_the_next_look(tmp_path: Path) -> None:
    """Half a line at the end is no look, and does not spoil the one after it."""
    scores = DriftScores(tmp_path)
    look = replace(LOOK, scores={"age": 0.7})
    scores.append(look)
    with (tmp_path / "scores.jsonl").open("a") as file:
        file.write('{"at": "2026-')

    assert scores.looks() == (look,)
    scores.append(look)
    assert scores.looks() == (look, look)


def test_a_broken_line_is_refused_rather_than_forgotten(tmp_path: Path) -> None:
    """A cool-down that cannot be read must not count as none."""
    scores = DriftScores(tmp_path)
    scores.append(LOOK)
    scores.append(LOOK)
    path = tmp_path / "scores.jsonl"
    path.write_text("oops\n" + path.read_text())

    with pytest.raises(Refused, match=r"scores\.jsonl:1 is not a look .* remove it if you accept"):
        scores.looks()


def test_the_trend_page_shows_every_look_and_escapes_what_it_shows(tmp_path: Path) -> None:
    """A picture, one row a look, a link to Evidently's page; reasons are text, never markup."""
    scores = DriftScores(tmp_path)
    scores.append(LOOK)
    scores.append(replace(LOOK, at=NOON + timedelta(hours=1), page=""))

    page = scores.draw_trend().read_text()

    assert "<svg" in page
    assert page.count("retrain</b>") == 2
    assert "<td>age</td><td>0.700</td>" in page
    assert '<a href="20260105T120000.html">' in page
    assert "&lt;age&gt;" in page
    assert "<age>" not in page
    assert "<?xml" not in page


def test_the_trend_of_nothing_says_so(tmp_path: Path) -> None:
    """A link to the trend works before the first look."""
    assert "No look was taken yet" in DriftScores(tmp_path / "drift").draw_trend().read_text()
