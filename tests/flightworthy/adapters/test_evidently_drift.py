"""Evidently's scores: found where data moved, silent where it did not, and never an error over an empty column."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from flightworthy.adapters.evidently_drift import EvidentlyDrift, measure
from flightworthy.drift import DriftReport, drifted

NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


def frame(rows: int, seed: int, *, numbers: int = 6) -> pd.DataFrame:
    chance = np.random.default_rng(seed)
    columns: dict[str, object] = {f"c{i}": chance.normal(size=rows) for i in range(numbers)}
    columns["age"] = chance.integers(18, 90, rows)
    columns["sex"] = chance.choice(["f", "m"], rows)
    columns["smoker"] = chance.random(rows) < 0.2
    columns["city"] = [f"city-{i}" for i in chance.zipf(1.5, rows) % 200]
    columns["prediction"] = chance.random(rows)
    return pd.DataFrame(columns)


def as_report(reference: pd.DataFrame, current: pd.DataFrame) -> DriftReport:
    found = measure(reference, current)
    return DriftReport(
        model="diagnosis",
        release="diagnosis-1-00000000",
        started_at=NOON - HOUR,
        ended_at=NOON,
        requests=len(current),
        reference_rows=len(reference),
        columns=tuple(each for each in found.columns if each.column != "prediction"),
        prediction=next(each for each in found.columns if each.column == "prediction"),
        unmeasured=found.unmeasured,
        page="",
    )


def look(
    folder: Path, reference: Path, current: pd.DataFrame, *, keep: int = 30, ended_at: datetime = NOON
) -> DriftReport:
    return EvidentlyDrift(folder, keep=keep).report(
        reference,
        current,
        model="diagnosis",
        release="diagnosis-1-00000000",
        started_at=ended_at - HOUR,
        ended_at=ended_at,
    )


def test_data_that_did_not_move_hardly_ever_cries_wolf() -> None:
    """Of 100 looks at unmoved data few flag even one column of eleven; by chance alone about 40 would."""
    reference = frame(1500, seed=0)

    alarms = [seed for seed in range(1, 101) if drifted(as_report(reference, frame(250, seed)), significance=0.05)]

    assert len(alarms) <= 8


@pytest.mark.parametrize(
    "column, move",
    [
        ("c0", lambda now: now + 0.5),
        ("c1", lambda now: now * 2.0),
        ("age", lambda now: now + 10),
        ("sex", lambda now: now.where(now.index % 2 == 0, "m")),
        ("sex", lambda now: now.where(now.index % 4 != 0, None)),
        ("smoker", lambda now: ~now),
        ("city", lambda now: now.where(now.index % 3 != 0, "atlantis")),
        ("prediction", lambda now: now**3),
    ],
)
def test_a_column_that_moved_is_found_and_only_it(column: str, move: object) -> None:
    """Shifted, spread, relabelled, gone missing or new: each is seen in 500 requests."""
    current = frame(500, seed=2)
    current[column] = move(current[column])  # type: ignore[operator]

    assert [each.column for each in drifted(as_report(frame(2000, seed=1), current), significance=0.05)] == [column]


def test_columns_without_evidence_are_named_and_the_others_measured(tmp_path: Path) -> None:
    """All null, absent, infinite, text for a number, constant: none of them raises, each says why."""
    reference, current = frame(500, seed=1), frame(500, seed=2)
    reference["c5"], current["c5"] = None, 1.0
    current["c0"] = None
    current = current.drop(columns="c1")
    current["c2"] = np.inf
    current["c3"] = "n/a"
    current["c4"] = 3.0
    current["sex"] = [None] * 480 + ["f"] * 20
    reference.to_parquet(tmp_path / "reference.parquet")

    report = look(tmp_path, tmp_path / "reference.parquet", current)

    assert report.unmeasured == {
        "c0": "no values in the requests, 30 needed",
        "c1": "not in the prediction log",
        "c2": "no values in the requests, 30 needed",
        "c3": "no values in the requests, 30 needed",
        "c5": "no values in the reference, 30 needed",
        "sex": "20 values in the requests, 30 needed",
    }
    assert {each.column for each in report.columns} == {"c4", "age", "smoker", "city"}
    assert report.features == 10


def test_no_requests_and_no_reference_are_said_not_raised(tmp_path: Path) -> None:
    """What there is no evidence for has no score and no page."""
    frame(500, seed=1).to_parquet(tmp_path / "reference.parquet")

    quiet = look(tmp_path, tmp_path / "reference.parquet", pd.DataFrame())
    blind = look(tmp_path, tmp_path / "gone.parquet", frame(500, seed=2))

    assert set(quiet.unmeasured.values()) == {"no requests"}
    assert blind.unmeasured == {"reference": "diagnosis-1-00000000 was registered without reference.parquet"}
    assert quiet.page == blind.page == ""
    assert quiet.columns == blind.columns == ()


def test_the_page_says_the_scores_that_decided(tmp_path: Path) -> None:
    """Evidently draws what was measured: same method, same number, same name; the prediction among them."""
    frame(500, seed=1, numbers=1).to_parquet(tmp_path / "reference.parquet")
    current = frame(400, seed=2, numbers=1)
    current["c0"] += 1.0

    report = look(tmp_path, tmp_path / "reference.parquet", current)
    page = (tmp_path / report.page).read_text()

    assert report.page == "20260105T120000.html"
    assert report.prediction is not None
    assert "Wasserstein distance (normed)" in page
    for each in (*report.columns, report.prediction):
        assert f"Drift in column '{each.column}'" in page or each.column in page
        assert type(each.score) is float
    assert f"{report.columns[0].score:.3f}".rstrip("0") in page


def test_old_pages_make_room_for_new_ones(tmp_path: Path) -> None:
    """A page is some megabytes; the newest ones stay, and so does everything that is no page."""
    frame(100, seed=1, numbers=0)[["age"]].to_parquet(tmp_path / "reference.parquet")
    (tmp_path / "trend.html").write_text("")
    current = frame(100, seed=2, numbers=0)[["age"]]

    for hour in range(3):
        look(tmp_path, tmp_path / "reference.parquet", current, keep=2, ended_at=NOON + hour * HOUR)

    assert sorted(path.name for path in tmp_path.glob("*.html")) == [
        "20260105T130000.html",
        "20260105T140000.html",
        "trend.html",
    ]
