"""The plots of an evaluation: its curves, and how the scores of the classes lie."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from flightworthy.adapters.reports.page import figure_source
from flightworthy.evaluation import Evaluation, Scored
from flightworthy.review import Contender, Review

__all__ = ["Plot", "draw"]

CHALLENGER: Final = "#0b6e99"
OPPONENT: Final = "#b8860b"
BASELINE: Final = "#7a7a7a"
CHANCE: Final = "#bbbbbb"


@dataclass(frozen=True, slots=True, kw_only=True)
class Plot:
    """An image with its title and what a reader should look for."""

    title: str
    caption: str
    source: str


@dataclass(frozen=True, slots=True, kw_only=True)
class _Curve:
    name: str
    colour: str
    scored: Scored
    evaluation: Evaluation


def draw(review: Review) -> list[Plot]:
    """Challenger, baseline and, where there is one, opponent in the same axes."""
    curves = [_Curve(name="challenger", colour=CHALLENGER, scored=review.scored, evaluation=review.challenger)]
    if review.opponent is not None:
        curves.append(_curve(review.opponent, OPPONENT))
    two = list(curves)
    curves.append(_curve(review.baseline, BASELINE))
    return [
        _plot("ROC", "Further to the upper left is better; the diagonal is guessing.", _roc, curves),
        _plot("Precision and recall", "Higher is better; the dotted line is guessing.", _precision_recall, curves),
        _plot("Calibration", "On the diagonal a prediction means what it says.", _calibration, curves),
        _plot("Scores", "The classes should come apart: positive filled, negative outlined.", _scores, two),
    ]


def _curve(contender: Contender, colour: str) -> _Curve:
    return _Curve(name=contender.kind, colour=colour, scored=contender.scored, evaluation=contender.evaluation)


def _plot(title: str, caption: str, paint: Callable[[Axes, list[_Curve]], None], curves: list[_Curve]) -> Plot:
    # Figure without pyplot: no global state, no display, nothing to close.
    figure = Figure(figsize=(4.6, 3.6), dpi=110, layout="constrained")
    axes = figure.add_subplot()
    paint(axes, curves)
    axes.grid(visible=True, linewidth=0.3)
    axes.legend(fontsize=8, frameon=False)
    return Plot(title=title, caption=caption, source=figure_source(figure))


def _roc(axes: Axes, curves: list[_Curve]) -> None:
    axes.plot([0, 1], [0, 1], color=CHANCE, linestyle=":", label="guessing")
    for curve in curves:
        true, false = _cumulated(curve.scored)
        area = curve.evaluation.metrics["roc_auc"].value
        axes.plot(false / false[-1], true / true[-1], color=curve.colour, label=f"{curve.name} ({area:.3f})")
    axes.set(xlabel="false positive rate", ylabel="true positive rate")


def _precision_recall(axes: Axes, curves: list[_Curve]) -> None:
    for curve in curves:
        true, false = _cumulated(curve.scored)
        true, false = true[1:], false[1:]
        area = curve.evaluation.metrics["average_precision"].value
        label = f"{curve.name} ({area:.3f})"
        # From recall 0 on, each step at the precision it ends with: the area is the average precision.
        recall, precision = np.append(0.0, true / true[-1]), true / (true + false)
        axes.step(recall, np.append(precision[0], precision), where="pre", color=curve.colour, label=label)
    evaluation = curves[0].evaluation
    axes.axhline(evaluation.positives / evaluation.rows, color=CHANCE, linestyle=":", label="guessing")
    axes.set(xlabel="recall", ylabel="precision", ylim=(0, 1.03))


def _calibration(axes: Axes, curves: list[_Curve]) -> None:
    axes.plot([0, 1], [0, 1], color=CHANCE, linestyle=":", label="perfect")
    for curve in curves:
        bins = curve.evaluation.calibration
        predicted, observed = [part.predicted for part in bins], [part.observed for part in bins]
        axes.plot(predicted, observed, color=curve.colour, marker="o", markersize=3, label=curve.name)
    axes.set(xlabel="predicted probability", ylabel="observed share")


def _scores(axes: Axes, curves: list[_Curve]) -> None:
    edges = np.linspace(0, 1, 26)
    for curve in curves:
        labels, predictions = np.asarray(curve.scored.labels), np.asarray(curve.scored.predictions)
        for label, name, filled in ((1, "positive", True), (0, "negative", False)):
            counts, _ = np.histogram(predictions[labels == label], edges)
            share = counts / max(1, counts.sum())
            alpha = 0.45 if filled else 1.0
            told = f"{curve.name}, {name}"
            axes.stairs(share, edges, fill=filled, color=curve.colour, alpha=alpha, label=told)
    axes.set(xlabel="predicted probability", ylabel="share of the class")


def _cumulated(scored: Scored) -> tuple[NDArray[Any], NDArray[Any]]:
    """True and false positives from the strictest threshold to the loosest; tied predictions are one step."""
    labels, predictions = np.asarray(scored.labels), np.asarray(scored.predictions)
    order = np.argsort(-predictions, kind="stable")
    steps = np.append(np.flatnonzero(np.diff(predictions[order])), len(order) - 1)
    true = np.concatenate([[0], np.cumsum(labels[order])[steps]])
    false = np.concatenate([[0], np.cumsum(1 - labels[order])[steps]])
    return true, false
