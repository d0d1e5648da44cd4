"""Processes that are forked from one which has imported everything, so that starting a deployer takes no second.

What runs in them is what runs elsewhere (``deployer.daemon.run``, ``release.propose``). ``first`` is done before it, in
the new process alone: there one that is to be killed is told at which moment (``kills``).
"""

from __future__ import annotations

import logging
import multiprocessing
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import Any

from flightworthy.deployer.settings import Settings
from flightworthy.errors import FlightworthyError

_FORKS = multiprocessing.get_context("forkserver")
_FORKS.set_forkserver_preload(
    [
        "flightworthy.deployer.daemon",
        "flightworthy.adapters.docker_containers",
        "flightworthy.adapters.mlflow_tracking.registry",
        "sqlalchemy.dialects.postgresql.psycopg2",
    ]
)


First = Callable[[], object]


class Fork:
    """A forked process, with the verbs of ``subprocess.Popen``; its output is appended to ``log``."""

    def __init__(self, work: Callable[..., object], *given: object, log: Path, first: First | None = None) -> None:
        self._process = _FORKS.Process(target=_work, args=(work, given, log, first))
        self._process.start()

    @property
    def pid(self) -> int:
        """The process's number."""
        assert self._process.pid is not None
        return self._process.pid

    @property
    def was_killed(self) -> bool:
        """Whether SIGKILL ended it."""
        return self.poll() == -signal.SIGKILL

    def poll(self) -> int | None:
        """The exit code; None while it runs."""
        return self._process.exitcode

    def wait(self, seconds: float | None = None) -> int:
        """The exit code, once it has ended. Raises TimeoutExpired."""
        self._process.join(seconds)
        code = self._process.exitcode
        if code is None:
            raise subprocess.TimeoutExpired(str(self.pid), seconds or 0.0)
        return code

    def terminate(self) -> None:
        """Ask it to end."""
        self._process.terminate()

    def kill(self) -> None:
        """End it at once, and wait until it has."""
        self._process.kill()
        self._process.join()


def barrier(parties: int) -> Any:
    """Where so many forks wait for one another."""
    return _FORKS.Barrier(parties)


def deploy(settings: Settings) -> None:
    """The deployer, until it is told to stop."""
    from flightworthy.deployer.daemon import run

    sys.exit(run(settings))


def deploy_unlocked(settings: Settings) -> None:
    """The deployer as if there were no locks at all."""
    from flightworthy.deployer import daemon

    vars(daemon)["alone"] = lambda _settings: nullcontext(lambda: None)
    sys.exit(daemon.run(settings))


def _work(work: Callable[..., object], given: tuple[object, ...], log: Path, first: First | None) -> None:
    with log.open("ab", buffering=0) as output:
        os.dup2(output.fileno(), 1)
        os.dup2(output.fileno(), 2)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", stream=sys.stderr, force=True)
    if first is not None:
        first()
    try:
        work(*given)
    except FlightworthyError as error:
        logging.getLogger(__name__).critical("refused reason=%s", error.message)
        sys.exit(1)
