"""One HTML page per model: its versions of past intervals over time, with everything in it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined

from flightworthy.adapters.backtest_report.plots import draw
from flightworthy.backtest import BacktestStore, Point, newest
from flightworthy.spec import Spec

__all__ = ["write_backtest"]


def write_backtest(path: Path, *, spec: Spec, store: BacktestStore) -> Path:
    """Write the page of all points that are kept, all of it or nothing. All text is escaped.

    Two that write at once both end with a page of all points: whoever finds another point afterwards writes again.
    """
    points = newest(store.points(spec.model))
    while True:
        _write(path, spec, points)
        if (found := newest(store.points(spec.model))) == points:
            return path
        points = found


def _write(path: Path, spec: Spec, points: Sequence[Point]) -> None:
    environment = Environment(
        loader=PackageLoader("flightworthy.adapters.backtest_report", "."),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    metrics = shown(spec)
    template = environment.get_template("report.html")
    page = template.render(spec=spec, points=points, metrics=metrics, plots=draw(points, metrics))
    path.parent.mkdir(parents=True, exist_ok=True)
    scratch = path.with_name(f".{path.name}.{id(points):x}.new")
    scratch.write_text(page, encoding="utf-8")
    scratch.replace(path)


def shown(spec: Spec) -> list[str]:
    """The metrics that the gates go by, and the one that trials are chosen by: those somebody decided to care about."""
    return list(dict.fromkeys([*(gate.metric for gate in spec.gates), spec.training.select]))
