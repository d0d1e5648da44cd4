"""The stack: Airflow, MLflow, the deployer and its router on this machine, started, watched and ended.

``python -m demo.stack up | down | status`` keeps one running in ``.flightworthy/``, ``run COMMAND …`` runs a command
line against it. The tour and the stack tests start their own, in a home of their own beside it.
"""

from __future__ import annotations

import fcntl
import json
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Self

from demo.airflow_api import AirflowApi
from demo.components import AIRFLOW_PARTS, airflow_components, deployer_component, mlflow_component
from demo.places import ROOT, USERS, Places, Ports, write_private
from demo.processes import Component, ComponentDied, Processes, tail
from demo.settings import Settings, StartMethod

ALL = ("mlflow", "airflow", "deployer")


class Stack:
    """The processes of one ``home``.

    As a context manager it is up inside and down after, whatever happened; ``up()`` and ``down()`` leave it running in
    between, also beyond the life of this process. ``parts`` leaves some of ``ALL`` out. ``preload`` has Airflow's tasks
    forked from a process that has imported the slow libraries already.
    """

    def __init__(
        self,
        home: Path,
        *,
        dags: Path = ROOT / "dags",
        plugins: Path = ROOT / "plugins",
        parts: Sequence[str] = ALL,
        preload: bool = True,
        announce: Callable[[str], None] = lambda text: print(text, flush=True),
    ) -> None:
        self.places = Places(home=home.resolve())
        method: StartMethod = "forkserver" if preload else "fork"
        self.settings = Settings(
            places=self.places, dags=dags.resolve(), plugins=plugins.resolve(), start_method=method
        )
        self._parts = tuple(parts)
        self._announce = announce
        self._processes = Processes(self.places)
        self._open = self._kept_to_one()

    # -- coming and going ----------------------------------------------------------------------------------------------

    def up(self, *, within: float = 300) -> None:
        """Start every component and wait until each does its work; on any trouble end them all again and raise."""
        started_at = time.monotonic()
        self.places.make()
        if left := self._processes.end():
            self._announce(f"ended {left} processes that an earlier stack had left in {self.places.home}")
        self._write_files()
        try:
            self._start_and_wait(within)
        except BaseException:
            self.down()
            raise
        self._announce(f"up after {time.monotonic() - started_at:.0f} s")

    def down(self) -> None:
        """End every process of this home, whoever started it; data, ports and logins stay for the next time."""
        if "deployer" in self.running():
            self.command("flightworthy", "deployer", "--stop-all", expect=None)  # containers, which no process id names
        if self.places.run.exists():
            self._processes.end()

    def wipe(self) -> None:
        """End it and delete its home: the next start is a first one."""
        self.down()
        shutil.rmtree(self.places.home, ignore_errors=True)

    def check(self) -> None:
        """Raise ComponentDied if a component ended by itself."""
        self._processes.check()

    def running(self) -> dict[str, bool]:
        """For every component that was started here: is it still alive."""
        return self._processes.running()

    def __enter__(self) -> Self:
        self._open.__enter__()
        try:
            self.up()
        except BaseException:
            self._open.__exit__(None, None, None)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            before = signal.signal(
                signal.SIGINT, signal.SIG_IGN
            )  # an impatient second Ctrl-C would leave processes behind
            self.down()
            signal.signal(signal.SIGINT, before)
        finally:
            self._open.__exit__(kind, error, trace)

    # -- using it ------------------------------------------------------------------------------------------------------

    @property
    def ports(self) -> Ports:
        return self.places.ports()

    @property
    def landing(self) -> Path:
        """Where partitions arrive."""
        return self.places.landing

    @property
    def environment(self) -> dict[str, str]:
        """What ``flightworthy …`` and ``airflow …`` need to speak to this stack."""
        settings = self.settings
        return settings.surroundings() | settings.flightworthy() | settings.mlflow_client() | settings.airflow()

    def command(self, *words: str, within: float = 120, expect: int | None = 0) -> subprocess.CompletedProcess[str]:
        """Run a command line against this stack, such as ``flightworthy status``; raises on an unexpected exit code."""
        done = subprocess.run(
            words, env=self.environment, cwd=ROOT, capture_output=True, text=True, timeout=within, check=False
        )
        if expect is not None and done.returncode != expect:
            raise ComponentDied(f"{' '.join(words)} exited with {done.returncode}:\n{done.stdout}\n{done.stderr}")
        return done

    def airflow(self, user: str = "admin") -> AirflowApi:
        """Airflow's REST API as that user (``admin`` or ``viewer``) sees it."""
        password = self.places.secret(f"airflow_{user}_password")
        return AirflowApi(self.settings.airflow_url, user=user, password=password, watch=self.check)

    # -- inside --------------------------------------------------------------------------------------------------------

    @contextmanager
    def _kept_to_one(self) -> Iterator[None]:
        """Hold the home against a second user of it, and take SIGTERM as Ctrl-C, so that it is cleaned up too."""
        lock = self.places.home.with_name(f"{self.places.home.name}.lock")
        lock.parent.mkdir(parents=True, exist_ok=True)
        with lock.open("w", encoding="utf-8") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise ComponentDied(
                    f"{self.places.home} is in use by another process; wait for it, or end it"
                ) from None
            before = signal.signal(signal.SIGTERM, signal.default_int_handler)
            try:
                yield
            finally:
                signal.signal(signal.SIGTERM, before)

    def _write_files(self) -> None:
        places = self.places
        shutil.copy(ROOT / "demo" / "airflow_local_settings.py", places.airflow / "config")
        users = {user: places.secret(f"airflow_{user}_password") for user in USERS}
        write_private(places.secrets / "airflow_users.json", json.dumps(users) + "\n")
        database = places.mlflow / "auth.db"
        write_private(
            places.mlflow / "auth.ini",
            f"[mlflow]\ndefault_permission = READ\ndatabase_uri = sqlite:///{database}\nadmin_username = admin\n"
            "authorization_function = mlflow.server.auth:authenticate_request_basic_auth\n"
            "grant_default_workspace_access = false\n"
            "auth_cache_ttl_seconds = 60\n",  # one slow password hash a minute instead of one a request
        )

    def _start_and_wait(self, within: float) -> None:
        """Start what can start at once; Airflow's parts follow when its database is there."""
        deadline = time.monotonic() + within
        waiting = [build(self.settings) for part, build in _FIRST if part in self._parts]
        for component in waiting:
            self._processes.start(component)
        if "airflow" in self._parts:
            self._migrate()
            later = airflow_components(self.settings)
            for component in later:
                self._processes.start(component)
            waiting += later
        started_at = time.monotonic()
        while waiting:
            self.check()
            for component in [each for each in waiting if each.healthy()]:
                waiting.remove(component)
                self._announce(f"  {component.name} is up")
            if waiting and time.monotonic() > deadline:
                raise self._late(waiting[0], time.monotonic() - started_at)
            time.sleep(0.2)

    def _late(self, component: Component, waited: float) -> ComponentDied:
        log = self._processes.log(component.name)
        return ComponentDied(f"{component.name} did not answer within {waited:.0f} s. {log} ends with:\n\n{tail(log)}")

    def _migrate(self) -> None:
        """Make Airflow's tables, unless this very version of Airflow made them before."""
        from importlib.metadata import version

        made_by = self.places.airflow / "migrated-by"
        if made_by.exists() and made_by.read_text(encoding="utf-8") == version("apache-airflow"):
            return
        self._announce("  making Airflow's database")
        log = self._processes.log("airflow-migrate")
        with log.open("ab") as file:
            environment = self.settings.surroundings() | self.settings.airflow()
            words = [sys.executable, "-m", "airflow", "db", "migrate"]
            done = subprocess.run(words, env=environment, stdout=file, stderr=file, cwd=self.places.home, check=False)
        if done.returncode != 0:
            raise ComponentDied(f"airflow db migrate exited with {done.returncode}. {log} ends with:\n\n{tail(log)}")
        write_private(made_by, version("apache-airflow"))


_FIRST: tuple[tuple[str, Callable[[Settings], Component]], ...] = (
    ("mlflow", mlflow_component),
    ("deployer", deployer_component),
)


def describe(stack: Stack) -> str:
    """The addresses and how to log in, for a person."""
    settings, secrets = stack.settings, stack.places.secrets
    return f"""
  Airflow   {settings.airflow_url}   user admin   password in {secrets / "airflow_admin_password"}
            {" " * len(settings.airflow_url)}   user viewer  password in {secrets / "airflow_viewer_password"}
  MLflow    {settings.mlflow_url}   user admin   password in {secrets / "mlflow_password"}
  models    {settings.router_url}/<model>/invocations
  landing   {stack.landing}
  logs      {stack.places.logs}
"""


def main(words: Sequence[str]) -> int:
    """``up``, ``down`` or ``status`` of the stack in ``.flightworthy/``, or ``run`` a command line against it."""
    stack = Stack(ROOT / ".flightworthy")
    if words[:1] == ["run"] and len(words) > 1:
        return subprocess.run(words[1:], env=stack.environment, check=False).returncode
    if len(words) != 1 or words[0] not in ("up", "down", "status"):
        print("usage: python -m demo.stack up | down | status | run COMMAND …", file=sys.stderr)
        return 2
    alive = stack.running()
    if words[0] == "down":
        stack.down()
        print("down; its data is still there" if alive else "nothing was up")
        return 0
    if words[0] == "status":
        for name, lives in alive.items():
            print(f"  {name:22} {'up' if lives else 'DOWN'}")
        return 0 if alive and all(alive.values()) else 1
    try:
        if len(alive) == len(AIRFLOW_PARTS) + 2 and all(alive.values()):
            print("already up")
        else:
            stack.up()
    except (ComponentDied, KeyboardInterrupt) as trouble:
        print(str(trouble) or "interrupted; ended what was started", file=sys.stderr)
        return 1
    print(describe(stack))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
