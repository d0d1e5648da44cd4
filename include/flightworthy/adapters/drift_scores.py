"""What every look at a model found, kept as lines of JSON, and a page with the trend that a person can look at.

``<folder>/scores.jsonl`` only grows, one line per look; ``<folder>/trend.html`` is drawn from it anew. There is one
writer: the model's monitor, which Airflow runs one at a time.
"""

from __future__ import annotations

import html
import io
import json
import os
from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Any

import matplotlib as mpl

from flightworthy.drift import Look
from flightworthy.errors import Refused

__all__ = ["DriftScores"]

_SHOWN = 6
_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>{title}</title>
<style>body{{font:15px system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem}}
table{{border-collapse:collapse}}td,th{{padding:.3rem .8rem;text-align:left;border-bottom:1px solid #ddd}}
svg{{max-width:100%;height:auto}}</style></head>
<body><h1>{title}</h1>{plot}
<table><thead><tr><th>at</th><th>release</th><th>requests</th><th>drifted</th><th>what was decided</th></tr></thead>
<tbody>{rows}</tbody></table>
<h2>Distance from the reference, latest look</h2>
<table><thead><tr><th>column</th><th>distance</th></tr></thead><tbody>{latest}</tbody></table></body></html>
"""


class DriftScores:
    """The looks at one model, in a folder such as ``reports/<model>/drift``."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._path = folder / "scores.jsonl"

    def looks(self) -> tuple[Look, ...]:
        """Every look, oldest first. A last line that was cut short by a crash is no look; any other fault is refused.

        Cool-down and k-of-n are read from here, so a line that cannot be read must not count as "nothing happened".
        """
        if not self._path.exists():
            return ()
        *lines, _cut_short = self._path.read_bytes().split(b"\n")
        return tuple(self._look(number, line) for number, line in enumerate(lines, start=1))

    def append(self, look: Look) -> None:
        """Keep ``look``, on disk when this returns. What an earlier crash cut short is removed first."""
        self.folder.mkdir(parents=True, exist_ok=True)
        line = json.dumps(asdict(look), default=datetime.isoformat, ensure_ascii=False)
        with self._path.open("a+b") as file:
            file.seek(0)
            file.truncate(file.read().rfind(b"\n") + 1)
            file.write(line.encode() + b"\n")
            file.flush()
            os.fsync(file.fileno())

    def draw_trend(self) -> Path:
        """Write ``trend.html`` from every look and return its path."""
        looks = self.looks()
        title = html.escape(f"Drift of {looks[-1].model}" if looks else "No look was taken yet")
        rows = "".join(_row(look) for look in reversed(looks))
        page = self.folder / "trend.html"
        self.folder.mkdir(parents=True, exist_ok=True)
        half_written = page.with_suffix(".part")
        latest = _scores(looks[-1]) if looks else ""
        text = _PAGE.format(title=title, plot=_plot(looks), rows=rows, latest=latest)
        half_written.write_text(text, encoding="utf-8")
        return half_written.replace(page)

    def _look(self, number: int, line: bytes) -> Look:
        try:
            return _unpack(json.loads(line))
        except (ValueError, KeyError, TypeError) as error:
            message = (
                f"{self._path}:{number} is not a look ({error!r}). Cool-down and earlier looks are read from here; "
                "restore the line, or remove it if you accept that it is forgotten."
            )
            raise Refused(message, path=str(self._path), line=number) from error


def _unpack(line: dict[str, Any]) -> Look:
    moments = {name: datetime.fromisoformat(line[name]) for name in ("at", "started_at", "ended_at")}
    lists = {name: tuple(line[name]) for name in ("drifted", "reasons")}
    return Look(**{**line, **moments, **lists})


def _row(look: Look) -> str:
    at = html.escape(f"{look.at:%Y-%m-%d %H:%M}")
    linked = f'<a href="{html.escape(look.page)}">{at}</a>' if look.page else at
    cells = (look.release, str(look.requests), f"{look.drifted_share:.0%}", "; ".join(look.reasons))
    decided = "<b>retrain</b> " if look.retrain else ""
    *first, last = map(html.escape, cells)
    return "<tr><td>" + "</td><td>".join((linked, *first, decided + last)) + "</td></tr>\n"


def _scores(look: Look) -> str:
    sorted_scores = sorted(look.scores.items(), key=lambda item: -item[1])
    return "".join(f"<tr><td>{html.escape(column)}</td><td>{score:.3f}</td></tr>\n" for column, score in sorted_scores)


def _plot(looks: Sequence[Look]) -> str:
    """The share of drifted features and the columns that moved most, over time, as inline SVG."""
    from matplotlib.figure import Figure

    if not looks:
        return ""
    with mpl.rc_context({"svg.hashsalt": "drift", "font.size": 9}):
        figure = Figure(figsize=(9, 5), layout="constrained")
        above, below = figure.subplots(2, 1, sharex=True)
        at = [look.at for look in looks]
        above.plot(at, [look.drifted_share for look in looks], marker="o", color="#b3261e")
        above.set(ylabel="drifted features (share)", ylim=(-0.05, 1.05))
        for look in looks:
            if look.retrain:
                above.axvline(look.at, linestyle=":", color="#444444")
        columns = _moved_most(looks)
        for column in columns:
            below.plot(at, [look.scores.get(column, float("nan")) for look in looks], marker=".", label=column)
        below.set(ylabel="distance from the reference")
        if columns:
            below.legend(loc="upper left", fontsize=8)
        below.tick_params(axis="x", rotation=30)
        drawn = io.StringIO()
        figure.savefig(drawn, format="svg", metadata={"Date": None})
    return drawn.getvalue()[drawn.getvalue().index("<svg") :]


def _moved_most(looks: Sequence[Look]) -> list[str]:
    highest: dict[str, float] = {}
    for look in looks:
        for column, score in look.scores.items():
            highest[column] = max(score, highest.get(column, 0.0))
    return sorted(highest, key=highest.__getitem__, reverse=True)[:_SHOWN]
