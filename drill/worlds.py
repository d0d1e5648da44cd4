"""Faults that need a world of their own: a router's gap, metrics behind a door, a disk of a few megabytes."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from drill.door import router_elsewhere
from drill.invariants import MODEL
from drill.report import Report
from drill.rig import Rig, with_strategy
from drill.stage import Stage
from flightworthy.release import prove_all


class NotHere(Exception):
    """This machine does not let the fault be made; says why."""


def router_killed(stage: Stage) -> list[str]:
    """Requests of its gap are lost, as is said; it comes back with the split that it had."""
    champion, generation = stage.champion, stage.rig.store.deployment(MODEL).generation
    stage.rig.confirmed()
    with stage.rig.load(rate=100) as load:
        stage.rig.wait_for(lambda: load.from_release(champion) > 20, what="requests")
        os.kill(stage.rig.router_pid() or 0, signal.SIGKILL)
        stage.rig.wait_for(lambda: load.failed, what="the gap")
        answered = load.from_release(champion)
        stage.rig.wait_for(lambda: load.from_release(champion) > answered + 50, within=20, what="the router to be back")
        failed = load.failed
        time.sleep(1)
        wrong = [] if load.failed == failed else ["requests failed after it was back"]
        if {release for status, release in load.answers if status == 200} != {champion.id}:
            wrong.append(f"it came back with another split: {load.answers}")
    if stage.rig.store.deployment(MODEL).generation != generation:
        wrong.append("something was decided")
    return wrong


def metrics_gone(folder: Path, report: Report) -> list[str]:
    """No errors seen is not no errors: it holds, and is withdrawn at its deadline."""
    folder.mkdir(parents=True)
    with router_elsewhere(folder) as (rig, door):
        rig.promote(rig.release(1))
        unseen = rig.release(2, strategy=with_strategy(bake_time=rig.seconds(2), deadline=rig.seconds(4)))
        with rig.load() as load:
            rig.propose(unseen)
            rig.wait_for(lambda: load.from_release(unseen) > 20, within=20, what="traffic on the challenger")
            door.close()
            ended = rig.end_of(unseen)
            door.open()
            rig.confirmed()
        report.count(load.sent, sum(load.failed.values()))
        held = ended.kind == "withdrawn" and ended.reason.startswith("inconclusive after 4 s at 20 %")
        return [*([] if held else [f"it was {ended.kind}: {ended.reason}"]), *map(str, load.failed.items())]


def disk_full(folder: Path, report: Report) -> list[str]:
    """Not a byte left, in the middle of a course: requests flow, and the course goes on once there is room."""
    rig = Rig(folder)
    rig.start_deployer()
    try:
        rig.promote(rig.release(1))
        release = rig.release(2, strategy=with_strategy(deadline=rig.seconds(60)))
        with rig.load() as load:
            rig.propose(release)
            rig.wait_for(lambda: load.from_release(release) > 5, within=20, what="traffic on the challenger")
            _fill(folder / "rubbish")
            sent = load.sent
            time.sleep(4)
            flowed = load.sent > sent + 200
            (folder / "rubbish").unlink()
            ended = rig.end_of(release, within=90)
            rig.confirmed()
        report.count(load.sent, sum(load.failed.values()))
        prove_all(rig.store)
        wrong = [] if flowed else ["requests waited for the disk"]
        if ended.kind != "promoted":
            wrong.append(f"it was {ended.kind}: {ended.reason}")
        return [*wrong, *map(str, load.failed.items())]
    finally:
        rig.close()


def _fill(path: Path) -> None:
    with path.open("wb", buffering=0) as rubbish, suppress(OSError):
        while True:
            rubbish.write(b"x" * 65536)


@contextmanager
def small_disk(folder: Path) -> Iterator[Path]:
    """A file system of a few megabytes. Raises NotHere where none may be mounted."""
    folder.mkdir(parents=True)
    command = ["mount", "-t", "tmpfs", "-o", "size=24m", "tmpfs", str(folder)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except OSError as error:
        raise NotHere(f"a small file system has to be mounted: {error}") from error
    if done.returncode != 0:
        raise NotHere(f"a small file system has to be mounted, which only root may: {done.stderr.strip()}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=False)
