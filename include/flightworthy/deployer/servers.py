"""Servers of releases: what every kind of them can do, and the kind that runs as processes of this machine."""

from __future__ import annotations

import socket
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

from flightworthy.adapters.local_processes import LocalProcesses, Process, tail
from flightworthy.deployer.settings import Settings
from flightworthy.release import Release, Slot, Target

Arm = Slot | Literal["drill"]
"""What a server stands for: one of the router's slots, or a drill, of which the router never hears."""

SLOTS: tuple[Arm, ...] = ("a", "b")
DRILL: tuple[Arm, ...] = ("drill",)


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A release in a slot, or in a drill: what one server is for."""

    release: str
    slot: Arm


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """A running server. ``identity`` names this very one: another start of the same release has another."""

    place: Place
    host: str
    port: int
    identity: str


class Servers(Protocol):
    """One kind of servers, for some of the arms: those of others it neither sees nor touches.

    Nothing is remembered: what runs is found, so that a restarted deployer has it all again.

    ``clear_away`` removes what servers that have ended left behind, their logs included; none of what runs.
    ``lacking`` tells which releases cannot be started, and why; it raises Unavailable where that cannot be known now.
    """

    def running(self) -> list[Server]: ...
    def start(self, release: Release, slot: Arm) -> None: ...
    def is_alive(self, server: Server) -> bool: ...
    def stop(self, server: Server) -> None: ...
    def kill(self, server: Server) -> None: ...
    def clear_away(self) -> None: ...
    def log_tail(self, place: Place) -> str: ...
    def lacking(self, releases: Sequence[Release]) -> Mapping[str, str]: ...


ServersByTarget = Mapping[Target, Servers]


class ProcessServers:
    """``python -m flightworthy.serving`` per release, in a session of its own; found again by its command line."""

    def __init__(self, settings: Settings, processes: LocalProcesses, arms: tuple[Arm, ...] = SLOTS) -> None:
        self._settings = settings
        self._processes = processes
        self._arms = arms
        self._found: dict[str, Process] = {}

    def running(self) -> list[Server]:
        servers, found = [], {}
        for process in self._processes.find(str(self._settings.predictions)):
            release, slot, port = (process.option(name) for name in ("--release", "--arm", "--port"))
            for arm in self._arms:
                if arm != slot or not release or not port:
                    continue
                place = Place(release=release, slot=arm)
                identity = f"pid {process.pid} port {port}"
                found[identity] = process
                servers.append(Server(place=place, host="127.0.0.1", port=int(port), identity=identity))
        self._found = found
        return servers

    def start(self, release: Release, slot: Arm) -> None:
        command = [
            *self._settings.server_command,
            *("--artifact", str(Path(release.artifact_uri) / "model"), "--digest", release.artifact_digest),
            *("--model", release.model, "--version", release.version, "--release", release.id, "--arm", slot),
            *("--predictions", str(self._settings.predictions)),
            *("--host", "127.0.0.1", "--port", str(free_port())),
        ]
        log = self._log(Place(release=release.id, slot=slot))
        self._processes.start(command, log=log, environ=self._settings.server_environ)

    def is_alive(self, server: Server) -> bool:
        process = self._found.get(server.identity)
        return process is not None and self._processes.is_alive(process)

    def stop(self, server: Server) -> None:
        if (process := self._found.get(server.identity)) is not None:
            self._processes.terminate(process)

    def kill(self, server: Server) -> None:
        if (process := self._found.get(server.identity)) is not None:
            self._processes.kill(process)

    def clear_away(self) -> None:
        """Nothing: a process that has ended is gone, and its log is a file of the stack's."""

    def log_tail(self, place: Place) -> str:
        return tail(self._log(place))

    def lacking(self, releases: Sequence[Release]) -> dict[str, str]:
        return without_folder(releases)

    def _log(self, place: Place) -> Path:
        return self._settings.logs / f"{place.release}.{place.slot}.log"


def without_folder(releases: Sequence[Release]) -> dict[str, str]:
    """The releases whose folder is gone: without it there is no model to serve, and nothing to rehearse it by."""
    return {
        release.id: f"its folder {release.artifact_uri} is gone"
        for release in releases
        if not (Path(release.artifact_uri) / "model").is_dir()
    }


def free_port() -> int:
    """A port of loopback that is free now. Should another take it first, the server ends and is started again."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
