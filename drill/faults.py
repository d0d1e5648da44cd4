"""What breaks by itself: servers, metrics, database, disk, router, a file, a task that wakes too late. One row each."""

from __future__ import annotations

import os
import signal
import sqlite3
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from drill.invariants import MODEL
from drill.pairs import AtOnce
from drill.report import Report
from drill.rig import with_strategy
from drill.stage import BRIEF, HALF, Stage
from drill.worlds import NotHere, disk_full, metrics_gone, router_killed, small_disk
from flightworthy.errors import Conflict
from flightworthy.release import propose, prove_all

NAN = float("nan")


def break_everything(folder: Path, report: Report, *, rate: float) -> None:
    """A row for each fault, all on one model but for those that need a router or a disk of their own."""
    stage = Stage(folder / "faults", rate=rate)
    try:
        with stage.rig.load(rate=rate) as load:
            stage.load = load
            stage.rig.promote(stage.make(with_strategy(steps=(100,))))
            for what, fault in FAULTS.items():
                report.tried(what, partial(_held, stage, fault))
        report.count(load.sent, sum(load.failed.values()))
        report.tried("router killed and restarted, its gap apart", partial(router_killed, stage))
    finally:
        stage.rig.close()
    report.tried("metrics endpoint gone", partial(metrics_gone, folder / "metrics", report))
    try:
        with small_disk(folder / "disk") as disk:
            report.tried("disk full", partial(disk_full, disk, report))
    except NotHere as why:
        report.note(f"disk full was not drilled: {why}")


def _held(stage: Stage, fault: Callable[[Stage], list[str]]) -> list[str]:
    """The fault, and that the ledger holds and no request failed because of it."""
    failed = dict(stage.load.failed)
    wrong = fault(stage)
    prove_all(stage.rig.store)
    if stage.load.failed != failed:
        wrong.append(f"requests failed: {stage.load.failed}")
    return wrong


# A challenger that fails


def challenger_killed(stage: Stage) -> list[str]:
    """Its requests are answered by the champion."""
    release = stage.make(HALF)
    stage.under_traffic(release)
    stage.rig.kill_server(release)
    return stage.withdrawn(release, why="its server ended while it had 50 % of traffic")


def challenger_hung(stage: Stage) -> list[str]:
    """It takes connections and answers none; so it is left alone by the router, and judged on its attempts."""
    release = stage.make(HALF)
    stage.under_traffic(release)
    pid = stage.rig.pid_of(release)
    os.kill(pid, signal.SIGSTOP)
    try:
        return stage.withdrawn(release, why="attempts failed")
    finally:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGCONT)


def failing(stage: Stage, *, error_rate: float) -> list[str]:
    """Users see none of its errors; the judge counts all."""
    release = stage.make(with_strategy(), error_rate=error_rate)
    stage.rig.propose(release)
    return stage.withdrawn(release, why="attempts failed")


def slow_to_load(stage: Stage) -> list[str]:
    """It has no traffic until it has loaded, and all of it in the end."""
    before, release = stage.champion, stage.make(with_strategy(steps=(100,)), load_time=3.0)
    began = time.time()
    stage.rig.propose(release)
    wrong = stage.promoted(release)
    if stage.load.told().first_at.get(release.id, 0.0) < began + 3.0:
        wrong.append(f"it answered before it had loaded, beside {before.id}")
    return wrong


def too_slow_to_load(stage: Stage) -> list[str]:
    """Its deadline withdraws it."""
    release = stage.make(BRIEF, load_time=60.0)
    stage.rig.propose(release)
    return stage.withdrawn(release, why="not healthy within 4 s", never_served=True)


def crash_looping(stage: Stage) -> list[str]:
    """Started again and again until its deadline, with the end of its log in the reason."""
    release = stage.make(BRIEF, crashes=True)
    stage.rig.propose(release)
    return stage.withdrawn(release, why="cannot load this model", never_served=True)


def answering_nan(stage: Stage) -> list[str]:
    """Its golden requests tell, before any traffic."""
    release = stage.make(with_strategy(), golden=0.5, prediction=NAN)
    stage.rig.propose(release)
    return stage.withdrawn(release, why="the server answers nan", never_served=True)


# A champion that fails


def champion_killed(stage: Stage) -> list[str]:
    """The previous release answers until it is back; nothing is decided."""
    champion, generation = stage.champion, stage.rig.store.deployment(MODEL).generation
    stage.rig.healthy(stage.rig.store.release(str(stage.rig.store.deployment(MODEL).previous)))
    stage.rig.kill_server(champion)
    stage.rig.wait_for(lambda: stage.rig.servers_of(champion), what="the champion's new server")
    answered = stage.load.from_release(champion)
    stage.rig.wait_for(lambda: stage.load.from_release(champion) > answered + 50, what="the champion to answer again")
    stage.rig.confirmed()
    return [] if stage.rig.store.deployment(MODEL).generation == generation else ["something was decided"]


def champion_hung(stage: Stage) -> list[str]:
    """The previous release answers while it hangs."""
    champion = stage.champion
    stage.rig.healthy(stage.rig.store.release(str(stage.rig.store.deployment(MODEL).previous)))
    pid = stage.rig.pid_of(champion)
    os.kill(pid, signal.SIGSTOP)
    try:
        sent = stage.load.sent
        stage.rig.wait_for(lambda: stage.load.sent > sent + 300, within=30, what="answers meanwhile")
    finally:
        os.kill(pid, signal.SIGCONT)
    answered = stage.load.from_release(champion)
    stage.rig.wait_for(
        lambda: stage.load.from_release(champion) > answered + 50, within=20, what="the champion to answer again"
    )
    return []


# What everything stands on


def database_locked(stage: Stage) -> list[str]:
    """Somebody's shell holds it for three seconds in the middle of a course."""
    release = stage.make(BRIEF)
    stage.under_traffic(release)
    locked = sqlite3.connect(stage.rig.settings.home / "flightworthy.db", isolation_level=None)
    try:
        locked.execute("BEGIN EXCLUSIVE")
        sent = stage.load.sent
        time.sleep(3)
        flowed = stage.load.sent > sent + 50
        locked.execute("ROLLBACK")
    finally:
        locked.close()
    ended = stage.rig.end_of(release, within=60)
    stage.rig.confirmed()
    wrong = [] if flowed else ["requests waited for the database"]
    return wrong if ended.kind in ("promoted", "withdrawn") else [*wrong, f"it was {ended.kind}"]


def bad_route_file(stage: Stage) -> list[str]:
    """Half a file, and one that is wrong: the router keeps the last good one, and the deployer writes its own again."""
    routes = stage.rig.settings.router_folder / "rds.json"
    for rubbish in ('{"version_info": "half', routes.read_text().replace("weighted_clusters", "waited_clusters")):
        good, draft = routes.read_text(), routes.with_name(".by-hand")
        draft.write_text(rubbish)
        draft.replace(routes)
        stage.rig.wait_for(partial(_says, routes, good), what="the routes to be written again")
    stage.rig.confirmed()
    return []


def _says(path: Path, text: str) -> bool:
    return path.read_text() == text


def late_task(stage: Stage) -> list[str]:
    """It read the row, slept while another was promoted, and wakes: it changes nothing, and is told why."""
    mine, other = stage.make(BRIEF), stage.make(with_strategy(steps=(100,)))

    def replaced() -> None:
        stage.rig.propose(other)
        stage.rig.end_of(other)

    store = AtOnce(stage.rig.settings.database_url, replaced)
    try:
        propose(store, mine, actor="a task that slept", reason="late", now=datetime.now(UTC))
    except Conflict as conflict:
        told = conflict.message
    else:
        return ["it decided on a row that was no longer so"]
    finally:
        store.close()
    stage.rig.confirmed()
    read_at = stage.rig.store.deployment(MODEL).generation - 2
    is_told = "deployer promoted" in told and f"expected generation {read_at}" in told
    return [] if is_told and stage.champion == other else [f"it was told {told}; {stage.champion.id} serves"]


FAULTS: dict[str, Callable[[Stage], list[str]]] = {
    "challenger killed at half of the traffic": challenger_killed,
    "challenger hung at half of the traffic": challenger_hung,
    "challenger failing 20 % of requests": partial(failing, error_rate=0.2),
    "challenger failing every request": partial(failing, error_rate=1.0),
    "challenger slow to load": slow_to_load,
    "challenger slower to load than its deadline": too_slow_to_load,
    "challenger crash-looping": crash_looping,
    "challenger answering NaN": answering_nan,
    "champion killed": champion_killed,
    "champion hung": champion_hung,
    "database locked for three seconds": database_locked,
    "bad route file": bad_route_file,
    "task that wakes after it was replaced": late_task,
}
