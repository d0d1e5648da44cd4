"""The processes of a stack: started in groups of their own, watched, and ended whoever is left to end them.

Every process carries its stack's home in its environment, and hands it on to its children. So what a killed stack
left behind is found by the next one, also a grandchild that went its own way; and nothing else is ended.
"""

from __future__ import annotations

import itertools
import json
import os
import signal
import subprocess
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import psutil  # type: ignore[import-untyped]

from demo.places import Places

MARK = "FLIGHTWORTHY_STACK"
"""The environment variable by which a process says to which home it belongs."""


class ComponentDied(Exception):
    """A component ended though nobody asked it to; the message names it and shows the end of its log."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Component:
    """One process to start, and how to tell that it does its work. ``environment`` is all that it gets."""

    name: str
    command: tuple[str, ...]
    environment: Mapping[str, str]
    healthy: Callable[[], bool]


@dataclass(slots=True)
class Processes:
    """What was started for one home."""

    places: Places
    children: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    def start(self, component: Component) -> None:
        """Start it in a group of its own, its output at the end of its log, and note down which process it is."""
        with self.log(component.name).open("ab") as log:
            child = subprocess.Popen(
                component.command,
                env={**component.environment, MARK: str(self.places.home)},
                cwd=self.places.home,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self.children[component.name] = child
        note = {"pid": child.pid, "started_at": psutil.Process(child.pid).create_time(), "command": component.command}
        (self.places.run / f"{component.name}.json").write_text(json.dumps(note), encoding="utf-8")

    def log(self, name: str) -> Path:
        """Where the component of that name writes."""
        return self.places.logs / f"{name}.log"

    def running(self) -> dict[str, bool]:
        """For every component ever noted down here: is the very process that was started still alive."""
        notes = {path.stem: json.loads(path.read_text(encoding="utf-8")) for path in self.places.run.glob("*.json")}
        return {name: _alive(note["pid"], note["started_at"]) for name, note in sorted(notes.items())}

    def check(self) -> None:
        """Raise ComponentDied for the first component that has ended."""
        for name, child in self.children.items():
            code = child.poll()
            if code is not None:
                how = f"was ended by {signal.Signals(-code).name}" if code < 0 else f"exited with {code}"
                raise ComponentDied(
                    f"{name} {how}, though nobody asked it to. Its log, {self.log(name)}, ends with:\n\n"
                    f"{tail(self.log(name))}\n\nMend the cause, then `make down` and start again."
                )

    def end(self, *, patience: float = 10.0) -> int:
        """End all that carries this home's mark: asked first, made to after ``patience`` seconds. Returns their number.

        The notes go last: if this is killed half-way, the next call still finds what is left.
        """
        found = list(marked(self.places.home))
        _signal(found, signal.SIGTERM)
        psutil.wait_procs(found, timeout=patience)
        deadline = time.monotonic() + patience
        while (left := list(marked(self.places.home))) and time.monotonic() < deadline:
            _signal(left, signal.SIGKILL)
            psutil.wait_procs(left, timeout=1.0)
        for child in self.children.values():
            child.wait(timeout=patience)
        self.children.clear()
        for note in self.places.run.glob("*.json"):
            note.unlink()
        return len(found)


def marked(home: Path) -> Iterator[psutil.Process]:
    """Every process that carries the mark of that home, and every model server and router that works in it.

    The deployer tells those two nothing of its environment; they are known by their arguments, as it knows them.
    """
    for process in psutil.process_iter():
        try:
            ours = process.environ().get(MARK) == str(home) or _serves(home, process.cmdline())
            if ours and process.pid != os.getpid() and process.status() != psutil.STATUS_ZOMBIE:
                yield process
        except (psutil.Error, OSError):
            continue  # another user's, or gone in between


def _serves(home: Path, command: list[str]) -> bool:
    options = dict(itertools.pairwise(command))
    serving = options.get("--predictions") == str(home / "predictions")
    return serving or Path(options.get("-c", "/")).parent == home / "router"


def tail(path: Path, lines: int = 25) -> str:
    """The end of a log."""
    if not path.exists():
        return "(nothing)"
    with path.open(encoding="utf-8", errors="replace") as file:
        return "".join(deque(file, maxlen=lines)).rstrip() or "(nothing)"


def _alive(pid: int, started_at: float) -> bool:
    try:
        process = psutil.Process(pid)
        return bool(abs(process.create_time() - started_at) < 1.0 and process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def _signal(processes: list[psutil.Process], number: signal.Signals) -> None:
    for process in processes:
        try:
            process.send_signal(number)
        except psutil.NoSuchProcess:
            continue
