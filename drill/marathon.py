"""Promotion and rollback, over and over under load: no failed request, and how soon all traffic is back."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from benchmarks.result import Row, row, typical
from drill.acts import Scene, play, promotion, settled
from drill.acts import rollback as back
from drill.invariants import MODEL

MEDIAN, WORST = 1.0, 5.0
PUBLISHED = (
    "Published elsewhere: minutes for a rollback by changed routes, 1 to 10 s where a pointer is moved.",
    "From the start of `flightworthy rollback` to the last answer of the release that was taken back.",
)


@dataclass(slots=True, kw_only=True)
class Times:
    """Seconds, one for each rollback."""

    traffic: list[float] = field(default_factory=list)
    command: list[float] = field(default_factory=list)

    def rows(self, count: int) -> Sequence[Row]:
        """The figures, with what they should reach; none is reached where a rollback is missing."""
        whole = len(self.traffic) == count and count > 0
        return (
            row(f"{count} rollbacks, command to all traffic, median", self._of(typical, whole), "s", at_most=MEDIAN),
            row(f"{count} rollbacks, command to all traffic, worst", self._of(max, whole), "s", at_most=WORST),
            row("the command until the router confirmed, median", typical(self.command) if whole else None, "s"),
        )

    def _of(self, figure: object, whole: bool) -> float | None:
        return float(figure(self.traffic)) if whole and callable(figure) else None


def run(scene: Scene, times: Times, *, count: int) -> list[str]:
    """So many promotions, each followed by a rollback to the warm release; what did not hold, told at the first."""
    for number in range(1, count + 1):
        if wrong := [*play(scene, promotion(scene)), *_rolled_back(scene, times)]:
            return [f"round {number}: {each}" for each in wrong]
        if number % 10 == 0:
            print(f"         {number} of {count}, {scene.load.sent:,} requests", flush=True)
    return []


def _rolled_back(scene: Scene, times: Times) -> list[str]:
    """By the command line, as a person would."""
    since, undone = scene.generation, str(scene.rig.store.deployment(MODEL).champion)
    act = back(scene)
    command = [sys.executable, "-m", "flightworthy.cli.main", "rollback", MODEL, "--reason", "the drill"]
    settings = scene.rig.settings
    environ = {
        **os.environ, "FLIGHTWORTHY_HOME": str(settings.home), "FLIGHTWORTHY_DATABASE": settings.database_url,
    }  # fmt: skip
    began = time.time()
    done = subprocess.run(command, env=environ, capture_output=True, text=True, timeout=60, check=False)
    ended = time.time()
    if done.returncode != 0:
        return [f"the command ended with {done.returncode}: {done.stderr[-300:]}"]
    wrong = settled(scene, act, since)
    times.command.append(ended - began)
    times.traffic.append(scene.load.told().last_at[undone] - began)
    return wrong
