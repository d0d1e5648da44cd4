"""The page of a model's backtest: its versions of past intervals over time."""

from __future__ import annotations

from pathlib import Path

from flightworthy.adapters.reports.backtest_plots import draw
from flightworthy.adapters.reports.page import write_page
from flightworthy.backtest import BacktestStore, newest
from flightworthy.spec import Spec

__all__ = ["write_backtest"]


def write_backtest(path: Path, *, spec: Spec, store: BacktestStore) -> Path:
    """Write the page of all points that are kept, all of it or nothing.

    Two that write at once both end with a page of all points: whoever finds another point afterwards writes again.
    """
    points, metrics = newest(store.points(spec.model)), shown(spec)
    while True:
        write_page(path, "backtest.html", spec=spec, points=points, metrics=metrics, plots=draw(points, metrics))
        if (found := newest(store.points(spec.model))) == points:
            return path
        points = found


def shown(spec: Spec) -> list[str]:
    """The metrics that the gates go by, and the one that trials are chosen by: those somebody decided to care about."""
    return list(dict.fromkeys([*(gate.metric for gate in spec.gates), spec.training.select]))
