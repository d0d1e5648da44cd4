"""The plots of a backtest: a metric over time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from flightworthy.adapters.reports.page import figure_source
from flightworthy.backtest import Other, Point

__all__ = ["Plot", "draw"]

VERSION: Final = "#0b6e99"
OPPONENT: Final = "#b8860b"
BASELINE: Final = "#999999"
_TICKS = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class Plot:
    """An image with the metric that it shows."""

    title: str
    source: str


def draw(points: Sequence[Point], metrics: Sequence[str]) -> list[Plot]:
    """One plot for each metric, over all intervals; a gap where an interval has no value."""
    return [_plot(points, metric) for metric in metrics] if points else []


def _plot(points: Sequence[Point], metric: str) -> Plot:
    # Figure without pyplot: no global state, no display, nothing to close.
    figure = Figure(figsize=(9.0, 3.2), dpi=110, layout="constrained")
    axes = figure.add_subplot()
    places = np.arange(len(points))
    own = [point.measured.metrics.get(metric) for point in points]
    low = [np.nan if each is None else each.low for each in own]
    high = [np.nan if each is None else each.high for each in own]
    axes.fill_between(places, low, high, color=VERSION, alpha=0.15, linewidth=0)
    axes.plot(
        places,
        [np.nan if each is None else each.value for each in own],
        color=VERSION,
        marker="o",
        markersize=3,
        label="the version of the interval",
    )
    _beside(axes, [point.measured.opponent for point in points], metric, OPPONENT, "its opponent")
    _beside(axes, [point.measured.baseline for point in points], metric, BASELINE, "the best single feature")
    step = max(1, -(-len(points) // _TICKS))
    axes.set_xticks(places[::step], [point.measured.partition_key for point in points][::step], fontsize=8)
    axes.set(ylabel=metric)
    axes.grid(visible=True, linewidth=0.3)
    axes.legend(fontsize=8, frameon=False)
    return Plot(title=metric, source=figure_source(figure))


def _beside(axes: Axes, others: Sequence[Other | None], metric: str, colour: str, name: str) -> None:
    values = [
        np.nan if other is None or metric not in other.metrics else other.metrics[metric].value for other in others
    ]
    if not np.isnan(values).all():
        axes.plot(np.arange(len(values)), values, color=colour, linestyle="--", marker=".", markersize=3, label=name)
