"""A server under measurement: started on a core of its own, asked, and weighed as the tree of processes that it is."""

from __future__ import annotations

import os
import signal
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from http.client import HTTPException
from pathlib import Path
from typing import Self

import psutil  # type: ignore[import-untyped]

from benchmarks.wrk import NotMeasured, Target

_LONGEST_START = 60.0
_AT_REST = 0.1
_LONGEST_SETTLING = 5.0


class ServerProcess:
    """One server; ``core`` None leaves it on all of them. What it prints is in ``log``."""

    def __init__(
        self, command: Sequence[str], *, environ: Mapping[str, str], log: Path, core: int | None, cwd: Path
    ) -> None:
        self.log = log
        pinned = [] if core is None else ["taskset", "-c", str(core)]
        self._began_at = time.perf_counter()
        with log.open("wb") as output:
            self._child = subprocess.Popen(
                [*pinned, *command],
                env=dict(environ),
                cwd=cwd,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self._root = psutil.Process(self._child.pid)

    @property
    def pid(self) -> int:
        """The process that was started, parent of all others."""
        return self._child.pid

    def first_answer(self, ask: Callable[[], bytes]) -> float:
        """Seconds from the process's start until ``ask`` returns. Raises NotMeasured when the server ends before."""
        deadline = self._began_at + _LONGEST_START
        while time.perf_counter() < deadline:
            with suppress(OSError, HTTPException):
                ask()
                return time.perf_counter() - self._began_at
            if self._child.poll() is not None:
                raise NotMeasured(f"it ended with {self._child.returncode}: {self._tail()}")
            time.sleep(0.005)
        raise NotMeasured(f"it did not answer within {_LONGEST_START:.0f} s: {self._tail()}")

    def cpu_seconds(self) -> float:
        """Processor time of the whole tree so far, of processes that ended meanwhile as far as they were waited for."""
        total = 0.0
        for process in self._tree():
            with suppress(psutil.Error):
                spent = process.cpu_times()
                total += spent.user + spent.system
        return total

    def memory_bytes(self) -> int:
        """Memory of the whole tree; what several processes share is counted once (PSS)."""
        total = 0
        for process in self._tree():
            with suppress(psutil.Error):
                total += process.memory_full_info().pss
        return total

    def settle(self) -> None:
        """Wait until it has done with what was asked of it: whoever hung up may still be worked for."""
        deadline = time.perf_counter() + _LONGEST_SETTLING
        before = self.cpu_seconds()
        while time.perf_counter() < deadline:
            time.sleep(_AT_REST)
            now = self.cpu_seconds()
            if now - before <= _AT_REST / 4:
                return
            before = now

    def stop(self) -> None:
        """End the tree: asked, then killed."""
        tree = self._tree()
        with suppress(ProcessLookupError):
            os.kill(self._child.pid, signal.SIGTERM)
        with suppress(subprocess.TimeoutExpired):
            self._child.wait(timeout=4)
        # Some leave their workers behind.
        for process in tree:
            with suppress(psutil.Error):
                process.kill()
        psutil.wait_procs(tree, timeout=4)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _tree(self) -> list[psutil.Process]:
        with suppress(psutil.Error):
            return [self._root, *self._root.children(recursive=True)]
        return []

    def _tail(self) -> str:
        lines = self.log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
        return " | ".join(line.strip() for line in lines[-3:])[-400:]


def post(target: Target, *, timeout: float = 30.0) -> bytes:
    """The answer to one request. Raises OSError (HTTPError among them) where there is none that is good."""
    request = urllib.request.Request(
        target.url, data=target.body.read_bytes(), headers={"content-type": target.content_type}
    )
    with urllib.request.urlopen(request, timeout=timeout) as answer:
        return bytes(answer.read())


def status_of(target: Target) -> int:
    """The status of one request's answer."""
    try:
        post(target)
    except urllib.error.HTTPError as error:
        with error:
            return error.code
    return 200
