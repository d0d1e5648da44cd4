"""Seconds from ``flightworthy rollback`` until all traffic is back on a warm release, over and over under load."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from benchmarks.result import Result, machine, row
from drill.marathon import PUBLISHED, Times, run
from drill.scene import scene

ROUNDS = 100
RATE = 500


def main() -> int:
    """Measure, publish; 1 where a promotion or a rollback was not as it must be, since then nothing was measured."""
    times = Times()
    with (
        tempfile.TemporaryDirectory(prefix="flightworthy-rollback-") as folder,
        scene(Path(folder) / "home", rate=RATE) as played,
    ):
        wrong = run(played, times, count=ROUNDS)
        sent, failed = played.load.sent, sum(played.load.failed.values())
    if wrong:
        print(wrong, file=sys.stderr)
        return 1
    Result(
        name="rollback",
        machine=machine(),
        rows=(*times.rows(ROUNDS), row("requests that failed", failed, "failed", at_most=0)),
        notes=(
            *PUBLISHED,
            f"{sent:,} requests meanwhile, {RATE} a second asked for; before each rollback a promotion.",
        ),
    ).publish()
    return 0


if __name__ == "__main__":
    sys.exit(main())
