"""A deployer at work in a folder: real Envoy, real processes, a database, requests that never stop."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter, defaultdict
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pandas as pd

from flightworthy.adapters.local_processes import LocalProcesses
from flightworthy.adapters.sql_releases import DatabaseLock, SqlReleases
from flightworthy.deployer.daemon import stop_all
from flightworthy.deployer.servers import ProcessServers, free_port
from flightworthy.deployer.settings import Settings
from flightworthy.errors import Conflict
from flightworthy.release import NO_LIMITS, Release, Strategy, outcome, propose, release_id, roll_back

ROOT = Path(__file__).parents[3]
TINY = (sys.executable, str(Path(__file__).with_name("tiny_server.py")))
QUICK = Strategy(
    steps=(20, 50, 100),
    bake_time=timedelta(seconds=0.5),
    min_requests=20,
    deadline=timedelta(seconds=20),
    max_error_rate=0.01,
    limits=NO_LIMITS,
)


class Rig:
    """Starts and kills deployers, proposes releases, waits for what should become true."""

    def __init__(self, folder, *, server_command=TINY, database_url=None, **settings):
        self.settings = Settings(
            home=folder,
            database_url=database_url or f"sqlite:///{folder / 'flightworthy.db'}",
            router_port=free_port(),
            router_admin_port=free_port(),
            server_command=server_command,
            server_environ={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT / "include")},
            drain_time=timedelta(seconds=0.3),
            **settings,
        )
        self.store = SqlReleases(self.settings.database_url)
        self.deployer = None

    def start_deployer(self, *, before=""):
        told = self.settings
        program = (
            f"{before}\n"
            "import sys, logging; from pathlib import Path; from datetime import timedelta\n"
            "from flightworthy.deployer.daemon import run\nfrom flightworthy.deployer.settings import Settings\n"
            "logging.basicConfig(level=logging.INFO, format='%(asctime)s %(message)s')\n"
            f"sys.exit(run(Settings(home=Path({str(told.home)!r}), database_url={told.database_url!r}, "
            f"router_port={told.router_port}, router_admin_port={told.router_admin_port}, "
            f"server_command={told.server_command!r}, server_environ={dict(told.server_environ)!r}, "
            f"drain_time=timedelta(seconds=0.3), router_is_ours={told.router_is_ours}, "
            f"verifying_keys=tuple(Path(key) for key in {[str(key) for key in told.verifying_keys]!r}))))"
        )
        environ = {**os.environ, "PYTHONPATH": str(ROOT / "include")}
        with (self.settings.home / "deployer.log").open("ab") as log:
            self.deployer = subprocess.Popen([sys.executable, "-c", program], env=environ, stdout=log, stderr=log)
        return self.deployer

    def second_deployer(self):
        first, second = self.deployer, self.start_deployer()
        self.deployer = first
        return second

    def start_unlocked_deployer(self):
        """Beside the one at work, as if there were no locks at all."""
        first = self.deployer
        unlocked = self.start_deployer(
            before="import contextlib; from flightworthy.deployer import daemon\n"
            "daemon.alone = lambda settings: contextlib.nullcontext(lambda: None)"
        )
        self.deployer = first
        return unlocked

    def take_database_lock(self, cut):
        """The lock of the database, as soon as ``cut`` has taken it from whom it was."""
        lock = DatabaseLock(self.settings.database_url)
        for _ in range(100):
            cut()
            with suppress(Conflict):
                lock.take()
                return lock
        raise AssertionError("the lock was taken back each time")

    def kill_deployer(self):
        self.deployer.send_signal(signal.SIGKILL)
        self.deployer.wait()

    def close(self):
        if self.deployer is not None and self.deployer.poll() is None:
            self.deployer.terminate()
            self.deployer.wait(10)
        stop_all(self.settings)
        self.store.close()

    def log(self):
        return (self.settings.home / "deployer.log").read_text()

    def release(self, version, *, model="m", strategy=QUICK, golden=None, training=None, **behaviour):
        behaviour = {"prediction": 0.5, **behaviour}
        digest = f"{version:>08}" + "0" * 56
        folder = self.settings.home / "releases" / model / str(version)
        artifact = folder / "model"
        artifact.mkdir(parents=True, exist_ok=True)
        (artifact / "behaviour.json").write_text(json.dumps(behaviour))
        expected = behaviour["prediction"] if golden is None else golden
        (artifact / "golden.json").write_text(json.dumps({"rows": [{"x": 1}] * 3, "predictions": [expected] * 3}))
        if training is not None:
            pd.DataFrame({"prediction": training}).to_parquet(artifact / "reference.parquet")
        return Release(
            id=release_id(model, str(version), digest), model=model, version=str(version), target="process",
            artifact_uri=str(folder), artifact_digest=digest, image_digest=None, bundle={}, strategy=strategy,
        )  # fmt: skip

    def propose(self, release):
        return propose(self.store, release, actor="test", reason="a test", now=datetime.now(UTC))

    def roll_back(self, model="m", **options):
        return roll_back(self.store, model, actor="test", reason="a test", now=datetime.now(UTC), **options)

    def end_of(self, release, *, within=40):
        return self.wait_for(lambda: outcome(self.store, release.id), within=within, what=f"an end of {release.id}")

    def promote(self, release, *, within=40):
        self.propose(release)
        ended = self.end_of(release, within=within)
        assert ended.kind == "promoted", ended
        self.confirmed()
        return ended

    def confirmed(self, model="m", *, within=20):
        def served():
            seen = self.store.observation(model)
            return seen is not None and seen.generation >= self.store.deployment(model).generation and seen

        return self.wait_for(served, within=within, what="the router's confirmation")

    def healthy(self, release, *, within=10):
        return self.wait_for(
            lambda: release.id in (self.store.observation(release.model) or _Nobody).healthy,
            within=within,
            what=f"{release.id} to be healthy",
        )

    def servers(self):
        return ProcessServers(self.settings, LocalProcesses()).running()

    def servers_of(self, release):
        return [server for server in self.servers() if server.place.release == release.id]

    def router_pid(self):
        found = LocalProcesses().find(str(self.settings.router_folder / "bootstrap.json"))
        return found[0].pid if found else None

    def answers(self, ask):
        try:
            return ask(self)[0] == 200
        except OSError:
            return False

    def headers_seen_by(self, release):
        text = (self.settings.logs / f"{release.id}.a.log").read_text()
        return [line.split(":")[0].lower() for line in text.splitlines() if ":" in line]

    def pid_of(self, release):
        return next(int(s.identity.split()[1]) for s in self.servers() if s.place.release == release.id)

    def kill_server(self, release):
        os.kill(self.pid_of(release), signal.SIGKILL)

    @staticmethod
    def seconds(number):
        return timedelta(seconds=number)

    def wait_for(self, question, *, within=10, what="it"):
        deadline = time.monotonic() + within
        while not (answer := question()):
            assert time.monotonic() < deadline, f"waited {within} s for {what}; the deployer said:\n{self.log()}"
            time.sleep(0.02)
        return answer

    def healings(self, model):
        """What was put right, once it is written: that follows the deed."""
        return self.wait_for(lambda: self.store.healings(model, limit=10), what="a healing to be written")

    @contextmanager
    def load(self, *, connections=4, model="m", pause=0.005):
        load = Load(self.settings.router_port, model, connections, pause)
        load.start()
        try:
            yield load
        finally:
            load.finish()


class _Nobody:
    healthy = ()


class Load(threading.Thread):
    """A few clients that ask without end, each answer counted by status and by who answered.

    ``courses`` has the releases that answered each entity, one after another; an entity is one client's alone.
    """

    def __init__(self, port, model, connections, pause):
        super().__init__(daemon=True)
        self.port, self.model, self.connections, self.pause = port, model, connections, pause
        self.answers = Counter()
        self.courses = defaultdict(list)
        self._over = threading.Event()

    @property
    def sent(self):
        return sum(self.answers.values())

    @property
    def failed(self):
        return {key: count for key, count in self.answers.items() if key[0] != 200}

    def from_release(self, release):
        return self.answers[200, release.id]

    def finish(self):
        self._over.set()
        self.join(15)

    def run(self):
        asyncio.run(self._ask_all())

    async def _ask_all(self):
        await asyncio.gather(*(self._ask(number) for number in range(self.connections)))

    async def _ask(self, client):
        number, stream = client, None
        while not self._over.is_set():
            entity = f"entity-{number % 200}"
            number += self.connections
            try:
                if stream is None:
                    stream = await asyncio.open_connection("127.0.0.1", self.port)
                status, release, closes = await asyncio.wait_for(self._once(*stream, entity), 15)
            except (OSError, TimeoutError, asyncio.IncompleteReadError) as error:
                status, release, closes = type(error).__name__, "", True
            self.answers[status, release] += 1
            if status == 200 and self.courses[entity][-1:] != [release]:
                self.courses[entity].append(release)
            if closes:
                stream = await self._close(stream)
            await asyncio.sleep(self.pause)
        await self._close(stream)

    async def _close(self, stream):
        if stream is not None:
            stream[1].close()
            with suppress(OSError):
                await stream[1].wait_closed()

    async def _once(self, reader, writer, entity):
        body = b'{"dataframe_records": [{"x": 1}]}'
        head = (
            f"POST /{self.model}/invocations HTTP/1.1\r\nhost: test\r\nx-entity-id: {entity}\r\n"
            f"content-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
        )
        writer.write(head.encode() + body)
        text = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
        headers = dict(line.split(": ", 1) for line in text.split("\r\n")[1:] if ": " in line)
        await reader.readexactly(int(headers.get("content-length", 0)))
        return int(text.split()[1]), headers.get("x-flightworthy-release", ""), headers.get("connection") == "close"


def with_strategy(**changes):
    return replace(QUICK, **changes)
