"""Processes of this machine that outlive who started them, and are found again by an argument of their command line."""

from __future__ import annotations

import contextlib
import os
import shlex
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

_PROC = Path("/proc")
_SHELL = "/bin/sh"
_ORPHANED = '{ while kill -0 $$ 2>/dev/null; do sleep 0.01; done; exec "$@"; } >&2 & echo $!'
"""Say the number of a process that becomes the command once this shell is gone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Process:
    """A running process and the command it was started with."""

    pid: int
    command: tuple[str, ...]

    def option(self, name: str) -> str | None:
        """The value after an option such as ``--port``."""
        with contextlib.suppress(ValueError, IndexError):
            return self.command[self.command.index(name) + 1]
        return None


class LocalProcesses:
    """Starts processes in sessions of their own, as nobody's children: no signal to the starter reaches them.

    Nor does its end. Envoy asks the kernel for a SIGTERM when its parent dies, so its parent is a shell that is gone
    before it starts.
    """

    def start(self, command: Sequence[str], *, log: Path, environ: Mapping[str, str]) -> int:
        """Start a process whose output is appended to ``log``; its pid."""
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("ab") as output:
            shell = subprocess.run(
                [_SHELL, "-c", _ORPHANED, _SHELL, *command],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=output,
                env={"PATH": os.defpath, **environ},
                start_new_session=True,
                check=True,
            )
        pid = int(shell.stdout)
        deadline = time.monotonic() + 2
        while _command(pid)[:1] == (_SHELL,) and time.monotonic() < deadline:
            time.sleep(0.005)
        return pid

    def find(self, marker: str) -> list[Process]:
        """The processes that have ``marker`` as one of their arguments; those that have ended are not among them."""
        return [process for process in _processes() if marker in process.command]

    def is_alive(self, process: Process) -> bool:
        """Whether that very process still runs; another one that was given its number is not it."""
        return _command(process.pid) == process.command

    def terminate(self, process: Process) -> None:
        """Ask it and its own children to end; harmless if it has."""
        self._signal(process, signal.SIGTERM)

    def kill(self, process: Process) -> None:
        """End it at once."""
        self._signal(process, signal.SIGKILL)

    def _signal(self, process: Process, number: int) -> None:
        if self.is_alive(process):
            with contextlib.suppress(ProcessLookupError):
                os.killpg(os.getpgid(process.pid), number)


def tail(log: Path, *, size: int = 600) -> str:
    """The end of a log file on one line; empty if there is none."""
    try:
        with log.open("rb") as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - size))
            text = file.read().decode(errors="replace")
    except FileNotFoundError:
        return ""
    return " | ".join(line.strip() for line in text.splitlines() if line.strip())


def _processes() -> Iterator[Process]:
    if _PROC.is_dir():
        for entry in _PROC.iterdir():
            if entry.name.isdigit() and (command := _command(int(entry.name))):
                yield Process(pid=int(entry.name), command=command)
        return
    listing = subprocess.run(["ps", "-axww", "-o", "pid=,command="], capture_output=True, text=True, check=True)
    for line in listing.stdout.splitlines():
        pid, _, written = line.strip().partition(" ")
        if parsed := _split(written):
            yield Process(pid=int(pid), command=parsed)


def _command(pid: int) -> tuple[str, ...]:
    """The command line; empty for a process that has ended, also while nobody has asked how."""
    if _PROC.is_dir():
        with contextlib.suppress(OSError):
            return tuple((_PROC / str(pid) / "cmdline").read_bytes().decode(errors="replace").split("\0")[:-1])
        return ()
    listing = subprocess.run(
        ["ps", "-ww", "-p", str(pid), "-o", "command="], capture_output=True, text=True, check=False
    )
    return _split(listing.stdout)


def _split(command: str) -> tuple[str, ...]:
    try:
        return tuple(shlex.split(command))
    except ValueError:
        return ()
