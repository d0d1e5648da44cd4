"""``python -m drill [--long]``: the whole drill; 1 where anything was not as it must be."""

from __future__ import annotations

import argparse
import shutil
import sys
import time
from pathlib import Path

from benchmarks.result import row
from drill.crashes import crash_everywhere
from drill.load import ROOT
from drill.report import RESULT, Report
from drill.scene import scene

HOME = ROOT / ".flightworthy" / "drill"


def main(argv: list[str] | None = None) -> int:
    """Play it; 0 if everything held."""
    parser = argparse.ArgumentParser(prog="python -m drill", description=__doc__)
    parser.add_argument("--long", action="store_true", help="every moment, on Docker too, a hundred times, a million")
    is_long = parser.parse_args(argv).long
    began = time.monotonic()
    shutil.rmtree(HOME, ignore_errors=True)
    report = Report()
    drill(report, HOME, is_long=is_long)
    report.add(row("requests", report.requests, "sent", at_least=1_000_000 if is_long else None))
    report.add(row("requests that failed", report.failed, "failed", at_most=0))
    report.note(f"{'long' if is_long else 'short'} form, {time.monotonic() - began:.0f} s")
    report.write()
    print(f"written to {RESULT.relative_to(ROOT)}; logs are in {HOME.relative_to(ROOT)}")
    return 0 if report.holds else 1


def drill(report: Report, home: Path, *, is_long: bool) -> None:
    """Part after part."""
    report.chapter("Killed at each moment, servers as processes")
    with scene(home / "processes", rate=1500 if is_long else 300) as played:
        crash_everywhere(played, report, where="processes", is_short=not is_long)
        report.count(played.load.sent, sum(played.load.failed.values()))


if __name__ == "__main__":
    sys.exit(main())
