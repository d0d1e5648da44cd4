"""``flightworthy backtest``: what the versions of a model's past intervals were worth, interval by interval."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from flightworthy.cli.answers import Answer, Exit, table
from flightworthy.cli.known import known_model
from flightworthy.cli.settings import Settings
from flightworthy.cli.words import json_flag

if TYPE_CHECKING:
    from collections.abc import Sequence

    from flightworthy.backtest import Other, Point
    from flightworthy.spec import Spec

__all__ = ["arguments", "run"]


def arguments(command: argparse.ArgumentParser) -> None:
    """Add what the command is told."""
    command.add_argument("model", metavar="MODEL")
    command.add_argument("--from", dest="since", metavar="KEY", help="the first interval, by its partition key")
    command.add_argument("--to", dest="until", metavar="KEY", help="the last one; 1995 is all of its months")
    json_flag(command)


def run(asked: argparse.Namespace, settings: Settings) -> Answer:
    """Show the points of the range; for each interval that of its newest version."""
    from flightworthy.adapters.backtest_files import BacktestFiles
    from flightworthy.adapters.spec_files import load
    from flightworthy.backtest import newest

    store = settings.releases()
    try:
        known_model(asked.model, settings, store)
    finally:
        store.close()
    spec = load(settings.models / asked.model, settings.environ)
    points = newest(BacktestFiles(root=settings.home / "backtests").points(asked.model))
    shown = [point for point in points if _is_within(point.measured.partition_key, asked.since, asked.until)]
    document = {"model": asked.model, "points": [point.pack() for point in shown]}
    return Answer(document=document, text=_text(spec, shown), exit=Exit.DONE)


def _is_within(key: str, since: str | None, until: str | None) -> bool:
    # Keys sort as time does; 1994 and 1994-06 are the beginnings of keys.
    return (since is None or key >= since) and (until is None or key[: len(until)] <= until)


def _text(spec: Spec, points: Sequence[Point]) -> str:
    if not points:
        return (
            f"no interval of {spec.model} was backfilled in this range; "
            f"`airflow backfill create --dag-id {spec.model}.deploy --from-date … --to-date …` does it"
        )
    metric = spec.training.select
    metrics = list(dict.fromkeys([*(gate.metric for gate in spec.gates), metric]))
    heads = ("INTERVAL", "VERSION", "ROWS", *(name.upper() for name in metrics), "OPPONENT", "BASELINE", "GATES")
    rows = (
        (
            point.measured.partition_key,
            point.version,
            point.measured.rows,
            *(_told(point, name) for name in metrics),
            _who(point.measured.opponent, metric),
            _who(point.measured.baseline, metric),
            "; ".join(point.measured.objections) or "approved",
        )
        for point in points
    )
    return f"{table(heads, rows)}\n\nOpponent and baseline: {metric} on the same rows."


def _told(point: Point, metric: str) -> str:
    found = point.measured.metrics.get(metric)
    return "-" if found is None else f"{found.value:.4f}"


def _who(other: Other | None, metric: str) -> str:
    if other is None:
        return "-"
    found = other.metrics.get(metric)
    return f"{other.kind} {other.name} {'-' if found is None else f'{found.value:.4f}'}"
