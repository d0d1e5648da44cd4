"""``python -m drill [--long]``: the whole drill; 1 where anything was not as it must be."""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks.result import row
from drill.acts import Scene
from drill.crashes import crash_everywhere
from drill.faults import break_everything
from drill.images import NoEngine, engine, tiny_image
from drill.load import ROOT
from drill.marathon import PUBLISHED, Times, run
from drill.mlflow_server import running_mlflow
from drill.pairs import decide_in_pairs
from drill.report import RESULT, Report
from drill.scene import scene

HOME = ROOT / ".flightworthy" / "drill"
A_MILLION = 1_000_000
PARTS = ("pairs", "faults", "processes", "containers", "marathon")


def main(argv: list[str] | None = None) -> int:
    """Play it; 0 if everything held."""
    parser = argparse.ArgumentParser(prog="python -m drill", description=__doc__)
    parser.add_argument("--long", action="store_true", help="every moment, on Docker too, a hundred times, a million")
    parser.add_argument("parts", nargs="*", choices=[[], *PARTS], help="only these; all of them where none is named")
    asked = parser.parse_args(argv)
    began = time.monotonic()
    shutil.rmtree(HOME, ignore_errors=True)
    report = Report()
    try:
        drill(report, HOME, parts=asked.parts or PARTS, is_long=asked.long)
    except KeyboardInterrupt:
        report.add(row("the drill was broken off", 1, "time", at_most=0))
    is_whole = asked.long and not asked.parts
    report.add(row("requests", report.requests, "sent", at_least=A_MILLION if is_whole else None))
    report.add(row("requests that failed", report.failed, "failed", at_most=0))
    form = f"{'long' if asked.long else 'short'} form, {', '.join(asked.parts or PARTS)}"
    report.note(f"{form}: {time.monotonic() - began:.0f} s, load average {os.getloadavg()[2]:.1f}")
    report.write()
    print(f"written to {RESULT.relative_to(ROOT)}; logs are in {HOME.relative_to(ROOT)}")
    return 0 if report.holds else 1


def drill(report: Report, home: Path, *, parts: Sequence[str], is_long: bool) -> None:
    """Part after part; what cannot be played here says so."""
    if "pairs" in parts:
        report.chapter("Two that decide at once")
        decide_in_pairs(f"sqlite:///{_made(home / 'pairs') / 'flightworthy.db'}", home / "pairs", report)
    if "faults" in parts:
        report.chapter("Broken in every way")
        break_everything(home, report, rate=500 if is_long else 300)
    if {"processes", "containers"} & {*parts}:
        with running_mlflow(_made(home / "mlflow")) as mlflow:
            if "processes" in parts:
                _in_processes(report, home, mlflow, is_long=is_long)
            if "containers" in parts and is_long:
                _in_containers(report, home, mlflow)
    if "marathon" in parts:
        _in_a_row(report, home, is_long=is_long, is_whole=is_long and set(parts) == set(PARTS))


def _in_processes(report: Report, home: Path, mlflow: str, *, is_long: bool) -> None:
    report.chapter("Killed at each moment, servers as processes")
    with _played(report, home / "processes", tracking_uri=mlflow, rate=1500 if is_long else 300) as played:
        crash_everywhere(played, report, where="processes", is_short=not is_long)


def _in_containers(report: Report, home: Path, mlflow: str) -> None:
    report.chapter("Killed at each moment, servers as containers")
    try:
        with (
            engine() as client,
            tiny_image(client) as image,
            _played(report, home / "containers", tracking_uri=mlflow, image=image, rate=1000) as played,
        ):
            crash_everywhere(played, report, where="containers", is_short=False)
    except NoEngine as missing:
        report.note(f"containers were not drilled: {missing}")


def _in_a_row(report: Report, home: Path, *, is_long: bool, is_whole: bool) -> None:
    count, times = 100 if is_long else 5, Times()
    report.chapter(f"{count} promotions and {count} rollbacks in a row")
    with _played(report, home / "marathon", rate=2000 if is_long else 300) as played:
        report.tried(f"{count} promotions and rollbacks", lambda: run(played, times, count=count))
        for each in times.rows(count):
            report.add(each)
        for line in PUBLISHED:
            report.note(line)
        if is_whole:
            _go_on(report, played)


def _go_on(report: Report, played: Scene) -> None:
    """Until a million requests were sent in all, with a promotion or a rollback under way all the time."""
    while report.requests + played.load.sent < A_MILLION:
        if wrong := run(played, Times(), count=5):
            report.tried("promotions and rollbacks until a million requests", lambda: wrong)
            return


@contextmanager
def _played(report: Report, folder: Path, **given: Any) -> Iterator[Scene]:
    """A scene whose requests are counted at its end, also where it broke."""
    with scene(folder, **given) as played:
        try:
            yield played
        finally:
            report.count(played.load.sent, sum(played.load.failed.values()))


def _made(folder: Path) -> Path:
    folder.mkdir(parents=True)
    return folder


if __name__ == "__main__":
    sys.exit(main())
