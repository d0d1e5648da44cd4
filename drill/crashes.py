"""SIGKILL before and after every effect of a promotion, of rollbacks and of a refusal, under load: each heals."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from functools import partial

from drill.acts import PATIENT, Act, Scene, asks, cold_rollback, play, promotion, refusal, rollback, settled, shadow
from drill.invariants import MODEL
from drill.kills import note_in
from drill.moments import CHALLENGER, to_kill_at, unnamed
from drill.report import Report
from flightworthy.release import served

ACTS: dict[str, Callable[[Scene], Act]] = {
    "promotion": promotion,
    "shadow": shadow,
    "rollback": rollback,
    "cold rollback": cold_rollback,
    "refusal": refusal,
}


def crash_everywhere(scene: Scene, report: Report, *, where: str, is_short: bool) -> None:
    """A row for each moment: killed there, started again, and all invariants held. A moment never reached is broken."""
    for act in ACTS:
        report.tried(f"{where}, {act}: every effect has a name", partial(_named, scene, act))
        _make_ready(scene)
    for act in ("promotion", "rollback") if is_short else ACTS:
        for moment in to_kill_at(act, has_aliases=scene.registry is not None, is_short=is_short):
            report.tried(f"{where}, {act} killed {moment}", partial(_killed, scene, act, moment))
            _make_ready(scene)


def _killed(scene: Scene, act: str, moment: str) -> Sequence[str]:
    if act == "promotion" and moment.endswith(CHALLENGER):
        return play(scene, promotion(scene, strategy=PATIENT), moment=moment)
    return play(scene, ACTS[act](scene), moment=moment)


def _named(scene: Scene, act: str) -> Sequence[str]:
    """Play it undisturbed, and hold what it did against the names."""
    since, folder = scene.generation, scene.rig.settings.home
    notes = folder / f"effects-{time.monotonic_ns()}"
    scene.rig.kill_deployer()
    scene.rig.start_deployer(first=partial(note_in, str(notes)))
    played = ACTS[act](scene)
    asks(scene, played, first=partial(note_in, str(notes))).wait(30)
    wrong = settled(scene, played, since)
    seen = set(notes.read_text().splitlines())
    wrong += [f"{moment} has no name among the moments" for moment in unnamed(act, seen)]
    scene.rig.kill_deployer()
    scene.rig.start_deployer()
    return wrong


def _make_ready(scene: Scene) -> None:
    """Champions that were not undone: one serves, one is warm, one is cold, and one is what that would go back to."""
    store = scene.rig.store
    while len(standing := served(store.history(MODEL))) < 4 or store.deployment(MODEL).previous != standing[-2]:
        if wrong := play(scene, promotion(scene)):
            raise AssertionError(f"an undisturbed promotion broke: {wrong}")
