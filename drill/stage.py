"""Where faults are made: two promoted releases on one model, and requests that flow."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from drill.invariants import MODEL
from drill.load import Load
from drill.rig import Rig, with_strategy
from flightworthy.release import Outcome, Release, Strategy

HALF = with_strategy(steps=(50, 100), bake_time=Rig.seconds(20), deadline=Rig.seconds(40))
"""Half of the traffic, for long enough that something can happen to it."""
BRIEF = with_strategy(steps=(50, 100), bake_time=Rig.seconds(0.5), deadline=Rig.seconds(4))


class Stage:
    """Two promoted releases, the first one warm, and requests that flow; each fault brings versions of its own."""

    def __init__(self, folder: Path, *, rate: float) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.rig, self.rate, self.version = Rig(folder), rate, 0
        self.load: Load
        self.rig.start_deployer()
        self.rig.promote(self.make(with_strategy(steps=(100,))))

    def make(self, strategy: Strategy, **behaviour: Any) -> Release:
        """The next version."""
        self.version += 1
        return self.rig.release(self.version, strategy=strategy, **behaviour)

    @property
    def champion(self) -> Release:
        return self.rig.store.release(str(self.rig.store.deployment(MODEL).champion))

    def under_traffic(self, release: Release) -> None:
        """Propose it, and wait until it answers."""
        self.rig.propose(release)
        self.rig.wait_for(lambda: self.load.from_release(release) > 20, within=30, what="traffic on the challenger")

    def withdrawn(self, release: Release, *, why: str, never_served: bool = False) -> list[str]:
        """What is wrong if it did not end so."""
        before = self.champion
        ended: Outcome = self.rig.end_of(release, within=60)
        self.rig.confirmed()
        wrong = []
        if ended.kind != "withdrawn" or why not in ended.reason:
            wrong.append(f"it was {ended.kind}: {ended.reason[:300]}")
        if self.champion != before:
            wrong.append(f"{self.champion.id} serves, not {before.id}")
        if never_served and self.load.from_release(release):
            wrong.append("it answered, though it was never vetted")
        return wrong

    def promoted(self, release: Release) -> list[str]:
        ended = self.rig.end_of(release, within=60)
        self.rig.confirmed()
        self.rig.healthy(release)
        return [] if ended.kind == "promoted" else [f"it was {ended.kind}: {ended.reason[:300]}"]
