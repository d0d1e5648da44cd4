"""Requests that never stop, sent from a process of their own so that who asks shares no interpreter with who looks.

``python -m drill.load PORT MODEL CONNECTIONS RATE`` answers each line that it is told with one line of JSON: what came
back so far. The end of its input ends it, once every request under way was answered.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import IO, TYPE_CHECKING

if TYPE_CHECKING:
    from flightworthy.release import Release

ROOT = Path(__file__).resolve().parents[1]
LONGEST = 15.0
"""Seconds after which a request that nobody answered has failed."""
ENTITIES = 200
_BODY = b'{"dataframe_records": [{"x": 1}]}'


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What came back so far: answers by status (or kind of failure) and release, and when each release answered."""

    answers: Counter[tuple[int | str, str]]
    first_at: dict[str, float]
    """The first answer of each release, in seconds since the epoch."""
    last_at: dict[str, float]
    longest: float
    """The longest that one request took, in seconds."""
    courses: Mapping[str, Sequence[str]]
    """The releases that answered each entity, one after another; an entity is one client's alone."""


class Load:
    """A flow of requests to one model through the router on ``port``, at ``rate`` a second where that can be had."""

    def __init__(self, port: int, model: str, *, connections: int, rate: float) -> None:
        self.connections = connections
        self._command = [sys.executable, "-m", "drill.load", str(port), model, str(connections), str(rate)]
        self._asking = threading.Lock()
        self._last: Told | None = None
        self._process: subprocess.Popen[str] | None = None

    def start(self) -> None:
        """Begin; returns once requests flow."""
        self._process = subprocess.Popen(
            self._command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, start_new_session=True
        )
        self.told()

    def finish(self) -> None:
        """Send no more, and wait for the answers that are under way."""
        if self._process is not None:
            with self._asking:
                said, _ = self._process.communicate(timeout=2 * LONGEST)
                self._last, self._process = _read(said.splitlines()[-1]), None

    def told(self) -> Told:
        """What came back so far, as of now."""
        with self._asking:
            if self._process is not None:
                asked, said = self._pipes
                asked.write("\n")
                asked.flush()
                self._last = _read(said.readline())
            assert self._last is not None, "it was never started"
            return self._last

    @property
    def answers(self) -> Counter[tuple[int | str, str]]:
        """By status and release."""
        return self.told().answers

    @property
    def sent(self) -> int:
        """How many were answered, or failed."""
        return self.answers.total()

    @property
    def failed(self) -> dict[tuple[int | str, str], int]:
        """Those that were not answered with 200."""
        return {key: count for key, count in self.answers.items() if key[0] != 200}

    @property
    def courses(self) -> Mapping[str, Sequence[str]]:
        """The releases that answered each entity, one after another."""
        return self.told().courses

    def from_release(self, release: Release) -> int:
        """How many the release answered well."""
        return self.answers[200, release.id]

    @property
    def _pipes(self) -> tuple[IO[str], IO[str]]:
        assert self._process is not None
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        return self._process.stdin, self._process.stdout


def _read(line: str) -> Told:
    found = json.loads(line)
    answers = Counter({(status, release): count for status, release, count in found["answers"]})
    return Told(**{**found, "answers": answers})


class _Audience:
    """All the clients, and what they were answered."""

    def __init__(self, port: int, model: str, connections: int, rate: float) -> None:
        self.port, self.model = port, model
        self.pause = connections / rate
        self.answers: Counter[tuple[int | str, str]] = Counter()
        self.first_at: dict[str, float] = {}
        self.last_at: dict[str, float] = {}
        self.longest = 0.0
        self.courses: dict[int, list[str]] = {}
        self.is_over = False

    def count(self, status: int | str, release: str, took: float, entity: int) -> None:
        self.answers[status, release] += 1
        self.longest = max(self.longest, took)
        if status == 200:
            now = time.time()
            self.first_at.setdefault(release, now)
            self.last_at[release] = now
            course = self.courses.setdefault(entity, [])
            if course[-1:] != [release]:
                course.append(release)

    def say(self) -> str:
        answers = [[status, release, count] for (status, release), count in self.answers.items()]
        named = ("first_at", "last_at", "longest", "courses")
        return json.dumps({"answers": answers, **{name: getattr(self, name) for name in named}})

    @cached_property
    def requests(self) -> list[bytes]:
        """One for each entity, made once."""
        return [
            f"POST /{self.model}/invocations HTTP/1.1\r\nhost: drill\r\nx-entity-id: entity-{entity}\r\n"
            f"content-type: application/json\r\ncontent-length: {len(_BODY)}\r\n\r\n".encode()
            + _BODY
            for entity in range(ENTITIES)
        ]


class _Connection(asyncio.Protocol):
    """One connection: what came in, and whom to tell of a whole answer."""

    def __init__(self) -> None:
        self.transport: asyncio.Transport | None = None
        self.received = b""
        self.waiting: asyncio.Future[tuple[int, str, bool]] | None = None
        self.is_lost = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def connection_lost(self, exc: Exception | None) -> None:
        self.is_lost = True
        if self.waiting is not None and not self.waiting.done():
            self.waiting.set_exception(exc or ConnectionResetError("closed before it answered"))

    def data_received(self, received: bytes) -> None:
        self.received += received
        head, found, body = self.received.partition(b"\r\n\r\n")
        if not found or self.waiting is None or self.waiting.done():
            return
        lines = head.decode("latin-1").lower().split("\r\n")
        headers = dict(line.split(": ", 1) for line in lines[1:] if ": " in line)
        if len(body) >= int(headers.get("content-length", 0)):
            self.received = b""
            closes = headers.get("connection") == "close"
            release = headers.get("x-flightworthy-release", "")
            self.waiting.set_result((int(lines[0].split()[1]), release, closes))

    async def ask(self, request: bytes) -> tuple[int, str, bool]:
        self.waiting = asyncio.get_running_loop().create_future()
        assert self.transport is not None
        self.transport.write(request)
        return await asyncio.wait_for(self.waiting, LONGEST)

    def close(self) -> None:
        if self.transport is not None:
            self.transport.close()


async def _client(audience: _Audience, number: int, connections: int) -> None:
    """Ask again and again; a connection that broke is a failed request, and a new connection."""
    connection: _Connection | None = None
    due_at = time.perf_counter() + audience.pause * number / connections
    while not audience.is_over:
        await asyncio.sleep(max(0.0, due_at - time.perf_counter()))
        began = time.perf_counter()
        # Whoever is late asks at once, and does not make up for more than a moment.
        due_at = max(due_at + audience.pause, began - 0.1)
        number += connections
        try:
            if connection is None or connection.is_lost:
                _, connection = await asyncio.get_running_loop().create_connection(
                    _Connection, "127.0.0.1", audience.port
                )
            status, release, closes = await connection.ask(audience.requests[number % ENTITIES])
        except (OSError, TimeoutError) as error:
            audience.count(type(error).__name__, "", time.perf_counter() - began, number % ENTITIES)
            closes = True
        else:
            audience.count(status, release, time.perf_counter() - began, number % ENTITIES)
        if closes and connection is not None:
            connection.close()
            connection = None
    if connection is not None:
        connection.close()


async def _main(port: int, model: str, connections: int, rate: float) -> None:
    audience = _Audience(port, model, connections, rate)
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    clients = [asyncio.create_task(_client(audience, number, connections)) for number in range(connections)]
    while await reader.readline():
        print(audience.say(), flush=True)
    audience.is_over = True
    await asyncio.gather(*clients)
    with suppress(BrokenPipeError):
        print(audience.say(), flush=True)


if __name__ == "__main__":
    asyncio.run(_main(int(sys.argv[1]), sys.argv[2], int(sys.argv[3]), float(sys.argv[4])))
