"""The picture of ``benchmarks.serving``: one row at 16 connections, every server, a panel for each model."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import matplotlib as mpl
from matplotlib.figure import Figure

from benchmarks.serving_lines import Line
from benchmarks.serving_peers import LIMIT, OURS
from benchmarks.serving_rows import MANY

_COLOURS = {OURS: "#1f6f54", LIMIT: "#b9b9b9"}
_OTHERS = "#6b86a8"


def draw(path: Path, lines: Sequence[Line]) -> None:
    """Draw into an SVG file; the same lines give the same file."""
    shown = [line for line in lines if (line.rows, line.connections) == (1, MANY)]
    models = list(dict.fromkeys(line.model for line in shown))
    # Text as text keeps the file small; the salt makes its ids the same each time.
    with mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": "serving", "font.size": 8}):
        figure = Figure(figsize=(3.3 * len(models), 2.6), layout="constrained")
        for position, model in enumerate(models, start=1):
            axes = figure.add_subplot(1, len(models), position)
            those = sorted((line for line in shown if line.model == model), key=lambda line: line.per_second)
            bars = axes.barh(
                [line.server for line in those],
                [line.per_second for line in those],
                color=[_COLOURS.get(line.server, _OTHERS) for line in those],
            )
            axes.bar_label(bars, labels=[f" {line.per_second:,.0f}" for line in those])
            axes.set(xscale="log", title=model.replace("_", " "), xlabel="requests/s, log scale")
            axes.margins(x=0.3)
            axes.spines[["top", "right"]].set_visible(False)
        figure.suptitle(f"One row a request, {MANY} connections, one worker on one core")
        figure.savefig(path, metadata={"Date": None})
