"""A deployer at work in a folder: real Envoy, real processes, a database, requests that never stop."""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

from drill.forks import First, Fork, deploy, deploy_unlocked
from drill.load import ROOT, Load
from flightworthy.adapters.local_processes import LocalProcesses
from flightworthy.adapters.sql_releases import DatabaseLock, SqlReleases
from flightworthy.deployer.daemon import stop_all
from flightworthy.deployer.servers import ProcessServers, Server, free_port
from flightworthy.deployer.settings import Settings
from flightworthy.errors import Conflict
from flightworthy.release import (
    NO_LIMITS,
    Deployment,
    Healing,
    Observation,
    Outcome,
    Release,
    Strategy,
    outcome,
    propose,
    release_id,
    roll_back,
)

Found = TypeVar("Found")

TINY = (sys.executable, str(Path(__file__).with_name("tiny_server.py")))
QUICK = Strategy(
    steps=(20, 50, 100),
    bake_time=timedelta(seconds=0.5),
    min_requests=20,
    deadline=timedelta(seconds=20),
    max_error_rate=0.01,
    limits=NO_LIMITS,
)


class TookTooLong(AssertionError):
    """What was waited for did not become true."""


class Rig:
    """Starts and kills deployers, proposes releases, waits for what should become true."""

    def __init__(
        self,
        folder: Path,
        *,
        server_command: Sequence[str] = TINY,
        database_url: str | None = None,
        **settings: Any,
    ) -> None:
        self.settings = Settings(
            home=folder,
            database_url=database_url or f"sqlite:///{folder / 'flightworthy.db'}",
            router_port=free_port(),
            router_admin_port=free_port(),
            server_command=tuple(server_command),
            server_environ={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT / "include")},
            drain_time=timedelta(seconds=0.3),
            **settings,
        )
        self.store = SqlReleases(self.settings.database_url)
        self._deployer: Fork | None = None

    @property
    def deployer(self) -> Fork:
        """The one at work."""
        assert self._deployer is not None, "no deployer was started"
        return self._deployer

    def start_deployer(self, *, first: First | None = None) -> Fork:
        """Start a deployer, which does ``first`` before it begins."""
        self._deployer = self._forked(deploy, first=first)
        return self._deployer

    def second_deployer(self) -> Fork:
        """Another one in the same folder, started by mistake."""
        return self._forked(deploy)

    def start_unlocked_deployer(self) -> Fork:
        """Beside the one at work, as if there were no locks at all."""
        return self._forked(deploy_unlocked)

    def _forked(self, work: Callable[[Settings], None], *, first: First | None = None) -> Fork:
        return Fork(work, self.settings, log=self.settings.home / "deployer.log", first=first)

    def take_database_lock(self, cut: Callable[[], object]) -> DatabaseLock:
        """The lock of the database, as soon as ``cut`` has taken it from whom it was."""
        lock = DatabaseLock(self.settings.database_url)
        for _ in range(100):
            cut()
            with suppress(Conflict):
                lock.take()
                return lock
        raise AssertionError("the lock was taken back each time")

    def kill_deployer(self) -> None:
        """As ``kill -9`` does."""
        self.deployer.kill()

    def close(self) -> None:
        """End everything that was started here."""
        if self._deployer is not None and self._deployer.poll() is None:
            self._deployer.terminate()
            self._deployer.wait(10)
        stop_all(self.settings)
        self.store.close()

    def log(self) -> str:
        """What the deployers said."""
        return (self.settings.home / "deployer.log").read_text()

    def release(
        self,
        version: int | str,
        *,
        model: str = "m",
        strategy: Strategy = QUICK,
        golden: float | None = None,
        training: Sequence[float] | None = None,
        **behaviour: Any,
    ) -> Release:
        """A release whose server does as ``behaviour`` says (``drill.tiny_server``).

        ``golden`` is what it answered in training where that differs, ``training`` what it predicted there.
        """
        behaviour = {"prediction": 0.5, **behaviour}
        digest = f"{version:>08}" + "0" * 56
        folder = self.settings.home / "releases" / model / str(version)
        artifact = folder / "model"
        artifact.mkdir(parents=True, exist_ok=True)
        (artifact / "behaviour.json").write_text(json.dumps(behaviour))
        expected = behaviour["prediction"] if golden is None else golden
        (artifact / "golden.json").write_text(json.dumps({"rows": [{"x": 1}] * 3, "predictions": [expected] * 3}))
        if training is not None:
            import pandas as pd

            pd.DataFrame({"prediction": training}).to_parquet(artifact / "reference.parquet")
        return Release(
            id=release_id(model, str(version), digest), model=model, version=str(version), target="process",
            artifact_uri=str(folder), artifact_digest=digest, image_digest=None, bundle={}, strategy=strategy,
        )  # fmt: skip

    def propose(self, release: Release) -> Deployment:
        return propose(self.store, release, actor="test", reason="a test", now=datetime.now(UTC))

    def roll_back(self, model: str = "m", **options: Any) -> Deployment:
        return roll_back(self.store, model, actor="test", reason="a test", now=datetime.now(UTC), **options)

    def end_of(self, release: Release, *, within: float = 40) -> Outcome:
        """How its course ends."""
        return self.wait_for(lambda: outcome(self.store, release.id), within=within, what=f"an end of {release.id}")

    def promote(self, release: Release, *, within: float = 40) -> Outcome:
        """From the proposal to all traffic."""
        self.propose(release)
        ended = self.end_of(release, within=within)
        assert ended.kind == "promoted", ended
        self.confirmed()
        return ended

    def promote_under_load(self, release: Release, *, model: str = "m") -> Outcome:
        """A release that others have to let through step by step needs requests."""
        with self.load(model=model):
            return self.promote(release)

    def confirmed(self, model: str = "m", *, within: float = 20) -> Observation:
        """What the deployer saw, once the router has taken the row's last decision."""

        def served() -> Observation | None:
            seen = self.store.observation(model)
            is_so = seen is not None and seen.generation >= self.store.deployment(model).generation
            return seen if is_so else None

        return self.wait_for(served, within=within, what="the router's confirmation")

    def healthy(self, release: Release, *, within: float = 10) -> None:
        """Wait until the deployer saw that the router sees it healthy."""

        def is_healthy() -> bool:
            seen = self.store.observation(release.model)
            return seen is not None and release.id in seen.healthy

        self.wait_for(is_healthy, within=within, what=f"{release.id} to be healthy")

    def servers(self) -> list[Server]:
        return ProcessServers(self.settings, LocalProcesses()).running()

    def servers_of(self, release: Release) -> list[Server]:
        return [server for server in self.servers() if server.place.release == release.id]

    def router_pid(self) -> int | None:
        found = LocalProcesses().find(str(self.settings.router_folder / "bootstrap.json"))
        return found[0].pid if found else None

    def answers(self, ask: Callable[[Rig], tuple[int, Any, Mapping[str, str]]]) -> bool:
        try:
            return ask(self)[0] == 200
        except OSError:
            return False

    def headers_seen_by(self, release: Release) -> list[str]:
        text = (self.settings.logs / f"{release.id}.a.log").read_text()
        return [line.split(":")[0].lower() for line in text.splitlines() if ":" in line]

    def pid_of(self, release: Release) -> int:
        return next(int(s.identity.split()[1]) for s in self.servers() if s.place.release == release.id)

    def kill_server(self, release: Release) -> None:
        os.kill(self.pid_of(release), signal.SIGKILL)

    @staticmethod
    def seconds(number: float) -> timedelta:
        return timedelta(seconds=number)

    def wait_for(self, question: Callable[[], Found | None], *, within: float = 10, what: str = "it") -> Found:
        """The first answer that is a yes. Raises TookTooLong, with the end of what the deployer said."""
        deadline = time.monotonic() + within
        while not (answer := question()):
            if time.monotonic() > deadline:
                raise TookTooLong(f"waited {within} s for {what}; the deployer said:\n{self.log()[-6000:]}")
            time.sleep(0.02)
        return answer

    def healings(self, model: str) -> list[Healing]:
        """What was put right, once it is written: that follows the deed."""
        return self.wait_for(lambda: self.store.healings(model, limit=10), what="a healing to be written")

    @contextmanager
    def load(self, *, connections: int = 4, model: str = "m", rate: float = 500) -> Iterator[Load]:
        """Requests while the block runs."""
        load = Load(self.settings.router_port, model, connections=connections, rate=rate)
        load.start()
        try:
            yield load
        finally:
            load.finish()


def with_strategy(**changes: Any) -> Strategy:
    """The quick strategy, changed."""
    return replace(QUICK, **changes)
