"""Points of a backtest on disk, and the page of them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from flightworthy.adapters.backtest_files import BacktestFiles
from flightworthy.adapters.reports import write_backtest
from flightworthy.backtest import Other, Point
from tests.flightworthy.test_backtest import make_point
from tests.training_material import make_spec

EVIL = '<script>alert("x")</script>'


def test_points_come_back_in_the_order_of_time(tmp_path: Path) -> None:
    """Whatever order they were kept in; or those of one interval."""
    store = BacktestFiles(root=tmp_path)
    first, second, again = make_point(), make_point("2026-01-12", version=2), make_point(version=3, work="b" * 64)
    for point in (second, again, first):
        store.keep(point)

    assert store.points("shop") == [first, again, second]
    assert store.points("shop", "2026-01-05") == [first, again]
    assert store.points("shop", "2026-02-02") == store.points("other") == []


def test_the_same_work_is_kept_once(tmp_path: Path) -> None:
    """A task that is run again writes over what it wrote, and leaves nothing beside it."""
    store = BacktestFiles(root=tmp_path)
    for _ in range(2):
        store.keep(make_point())

    assert len([path for path in tmp_path.rglob("*") if path.is_file()]) == 1


def test_a_write_that_was_killed_leaves_no_point(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Half a file under another name is nobody's point."""
    store = BacktestFiles(root=tmp_path)

    def killed(self: Path, target: Path) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", killed)
        with pytest.raises(KeyboardInterrupt):
            store.keep(make_point())

    assert store.points("shop") == []
    store.keep(make_point())
    assert store.points("shop") == [make_point()]


def page_of(folder: Path, *points: Point) -> str:
    store = BacktestFiles(root=folder / "backtests")
    for point in points:
        store.keep(point)
    gates = [{"metric": "roc_auc", "at_least": 0.6}, {"metric": "brier", "at_most": 0.5}]
    path = write_backtest(folder / "page.html", spec=make_spec(description=EVIL, gates=gates), store=store)
    assert [found.name for found in folder.iterdir() if found.is_file()] == ["page.html"]
    return path.read_text(encoding="utf-8")


def test_the_page_draws_every_metric_that_somebody_gates_or_chooses_by(tmp_path: Path) -> None:
    """Each once, in the page itself; a metric that an interval lacks is a gap."""
    page = page_of(tmp_path, make_point(), make_point("2026-01-12", version=2, auc=0.7))

    assert page.count('src="data:image/png;base64,') == 3
    assert [name for name in ("roc_auc", "brier", "log_loss") if f"{name} over time" not in page] == []


def test_the_page_tells_version_opponent_baseline_and_decision_of_each_interval(tmp_path: Path) -> None:
    """And what comes from elsewhere is shown as text."""
    point = make_point()
    rival = Other(kind="predecessor", name=EVIL, metrics=point.measured.metrics)
    page = page_of(tmp_path, replace(point, measured=replace(point.measured, opponent=rival)))

    for told in ("2026-01-05", "predecessor, ", "age alone", "refused: roc_auc at least 0.9"):
        assert told in page
    assert "<script" not in page
    assert page.count("&lt;script&gt;") == 2
