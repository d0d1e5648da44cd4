"""A router that others run, behind a door to its admin port: closed, its metrics are gone and its traffic flows."""

from __future__ import annotations

import asyncio
import shutil
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from drill.rig import Rig
from flightworthy.deployer.router import _packaged
from flightworthy.deployer.servers import free_port


class Door:
    """Passes connections on, from one port of loopback to another, while it is open."""

    def __init__(self, port: int, behind: int) -> None:
        self.port, self.behind = port, behind
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop

    def open(self) -> None:
        """Let through; returns once it does."""
        self._loop, ready = asyncio.new_event_loop(), threading.Event()
        self._thread = threading.Thread(target=self._run, args=(ready,), daemon=True)
        self._thread.start()
        assert ready.wait(5)

    def close(self) -> None:
        """Let nobody through any more."""
        if self._thread is not None:
            self._loop.call_soon_threadsafe(self._closing.set)
            self._thread.join(5)
            self._thread = None

    def _run(self, ready: threading.Event) -> None:
        self._loop.run_until_complete(self._serve(ready))
        self._loop.close()

    async def _serve(self, ready: threading.Event) -> None:
        self._closing = asyncio.Event()
        server = await asyncio.start_server(self._pass_on, "127.0.0.1", self.port)
        ready.set()
        await self._closing.wait()
        server.close()
        under_way = asyncio.all_tasks() - {asyncio.current_task()}
        for task in under_way:
            task.cancel()
        await asyncio.gather(*under_way, return_exceptions=True)
        await asyncio.sleep(0.05)  # what was closed is gone a moment later

    async def _pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        outer: asyncio.StreamWriter | None = None
        try:
            inner, outer = await asyncio.open_connection("127.0.0.1", self.behind)
            outer.write(await reader.readuntil(b"\r\n\r\n"))
            while more := await inner.read(1 << 16):
                writer.write(more)
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            for end in (writer, outer):
                if end is not None:
                    end.close()


@contextmanager
def router_elsewhere(folder: Path) -> Iterator[tuple[Rig, Door]]:
    """A deployer at work beside an Envoy that is not its own, whose admin port is reached through the door."""
    rig = Rig(folder, router_is_ours=False)
    door = Door(rig.settings.router_admin_port, free_port())
    rig.start_deployer()
    rig.wait_for((rig.settings.router_folder / "rds.json").exists, what="the router's files")
    mine = folder / "mine.json"
    told = (rig.settings.router_folder / "bootstrap.json").read_text()
    mine.write_text(told.replace(f": {door.port}", f": {door.behind}"))
    binary = _packaged() or shutil.which("envoy")
    command = [str(binary), "-c", str(mine), "--use-dynamic-base-id", "--concurrency", "1", "--log-level", "error"]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as envoy:
        door.open()
        try:
            yield rig, door
        finally:
            rig.close()
            door.close()
            envoy.terminate()
