"""``flightworthy deployer``: passes for ever, at once when a row changes or a server ends, every two seconds anyway.

Its own end disturbs nobody: servers and router run on, and the next deployer finds them. ``stop_all`` ends them too.
"""

from __future__ import annotations

import logging
import os
import signal
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import UTC, datetime, timedelta

from flightworthy.adapters.local_processes import LocalProcesses
from flightworthy.adapters.sql_releases import SqlReleases
from flightworthy.deployer.aliases import AliasKeeper, registry_maker
from flightworthy.deployer.alone import alone, alone_in_folder
from flightworthy.deployer.baking import Baking
from flightworthy.deployer.compacting import Compacting
from flightworthy.deployer.containers import ContainerServers
from flightworthy.deployer.drills import Drills
from flightworthy.deployer.errands import Errands
from flightworthy.deployer.healings import Healings
from flightworthy.deployer.pruning import DailyPruning
from flightworthy.deployer.reconcile import Pace, Reconciler
from flightworthy.deployer.router import Router
from flightworthy.deployer.servers import DRILL, SLOTS, Arm, ProcessServers, Servers, ServersByTarget
from flightworthy.deployer.settings import Settings
from flightworthy.deployer.shadowing import Shadowing
from flightworthy.deployer.stock import Stock
from flightworthy.deployer.upkeep import Upkeep
from flightworthy.deployer.vetting import vetting
from flightworthy.errors import Conflict, FlightworthyError
from flightworthy.release import Deployment

log = logging.getLogger(__name__)

_POLL = timedelta(milliseconds=100)
_FULL_PASS = timedelta(seconds=2)
_PAUSE: Mapping[Pace, timedelta] = {
    Pace.SETTLED: _POLL,
    Pace.MOVING: timedelta(milliseconds=100),
    Pace.URGENT: timedelta(milliseconds=20),
}


def run(settings: Settings) -> int:
    """Deploy until SIGTERM or SIGINT; the exit code.

    Raises Conflict if another deployer works in the same folder, or on the same database where it can tell.
    """
    stopping = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda _number, _frame: stopping.set())
    with alone(settings) as stay_alone:
        log.info("deployer_started home=%s router_port=%s", settings.home, settings.router_port)
        Deployer(settings).work(stopping, stay_alone)
    log.info("deployer_stopped home=%s", settings.home)
    return 0


def stop_all(settings: Settings) -> None:
    """End the deployer of this folder, then its router, then its servers. Requests are answered no more."""
    _end_deployer(settings)
    with alone_in_folder(settings):
        processes = LocalProcesses()
        Router(settings, processes).stop()
        for kind in (kind for arms in (SLOTS, DRILL) for kind in server_kinds(settings, processes, arms).values()):
            for server in kind.running():
                kind.stop(server)
            _wait_until_ended(kind)
            kind.clear_away()


class Deployer:
    """A reconciler built from settings, and when it makes its passes."""

    def __init__(self, settings: Settings) -> None:
        processes = LocalProcesses()
        self._store = SqlReleases(settings.database_url)
        healings = Healings(self._store, lambda: datetime.now(UTC))
        self._router = Router(settings, processes, healings)
        self._errands = Errands()
        kinds, vet = server_kinds(settings, processes), vetting(settings.verifying_keys)
        self._upkeep = Upkeep(kinds, self._errands, vet, drain_time=settings.drain_time, healings=healings)
        make_registry = registry_maker(settings.tracking_uri)
        self._aliases = (
            AliasKeeper(self._store, make_registry, healings=healings) if make_registry is not None else None
        )
        self._stock = Stock(self._store, kinds, lambda: datetime.now(UTC))
        self._drills = Drills(
            self._store, server_kinds(settings, LocalProcesses(), DRILL), vet, lambda: datetime.now(UTC)
        )
        self._pruning = DailyPruning(self._store, settings, lambda: datetime.now(UTC))
        self._compacting = Compacting(settings.predictions, lambda: datetime.now(UTC))
        self._reconciler = Reconciler(
            store=self._store,
            router=self._router,
            upkeep=self._upkeep,
            errands=self._errands,
            baking=Baking(settings.predictions),
            shadowing=Shadowing(settings.predictions),
            aliases=self._aliases,
            clock=lambda: datetime.now(UTC),
        )
        self._rows: list[Deployment] = []
        self._passed_at = float("-inf")
        self._alone_at = time.monotonic()
        self._pace = Pace.URGENT

    def work(self, stopping: threading.Event, stay_alone: Callable[[], None]) -> None:
        """Make passes until told to stop. A pass that fails is told, and made again.

        ``stay_alone`` is asked now and then, and raises Conflict where another deployer has taken over.
        """
        while not stopping.is_set():
            if time.monotonic() - self._alone_at > _FULL_PASS.total_seconds():
                stay_alone()
                self._alone_at = time.monotonic()
            try:
                if self._is_due():
                    self._passed_at = time.monotonic()
                    self._pace = self._reconciler.reconcile()
                    self._stock.tend(self._rows)
                    self._pruning.tend()
                    self._compacting.tend()
                    self._drills.tend()
            except FlightworthyError as error:
                log.warning("pass_failed reason=%s", error.message)
                stopping.wait(0.5)
            except Exception:
                # Whatever it was, the traffic runs on, and only a deployer that still lives can heal it.
                log.exception("pass_broke")
                stopping.wait(1.0)
            stopping.wait(_PAUSE[self._pace].total_seconds())
        for beside in (self._errands, self._stock, self._pruning, self._compacting, self._drills):
            beside.close()
        if self._aliases is not None:
            self._aliases.close()
        self._store.close()

    def _is_due(self) -> bool:
        rows = self._store.deployments()
        changed, self._rows = rows != self._rows, rows
        return (
            changed
            or self._pace is not Pace.SETTLED
            or time.monotonic() - self._passed_at > _FULL_PASS.total_seconds()
            or not self._router.is_alive()
            or self._upkeep.has_lost_one()
        )


def server_kinds(settings: Settings, processes: LocalProcesses, arms: tuple[Arm, ...] = SLOTS) -> ServersByTarget:
    """The kinds of servers there are, for these arms. An engine that is not there is noticed when it is asked."""
    from flightworthy.adapters.docker_containers import DockerContainers

    return {
        "process": ProcessServers(settings, processes, arms),
        "container": ContainerServers(settings, DockerContainers(), arms),
    }


def _end_deployer(settings: Settings) -> None:
    """Ask the deployer that holds the lock to end, and wait until it has let go."""
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        try:
            with alone_in_folder(settings):
                return
        except Conflict as held:
            if (pid := held.facts["pid"]) is not None:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGTERM)
        time.sleep(0.1)


def _wait_until_ended(kind: Servers) -> None:
    deadline = time.monotonic() + 15
    while (left := kind.running()) and time.monotonic() < deadline + 5:
        if time.monotonic() > deadline:
            for server in left:
                kind.kill(server)
        time.sleep(0.05)
