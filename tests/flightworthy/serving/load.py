"""A model's server under as much load as one process can make: connections that are kept, each asking at once again."""

from __future__ import annotations

import asyncio
import itertools
import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

__all__ = ["Asked", "Load", "load"]

_LENGTH = re.compile(rb"\r\ncontent-length: (\d+)\r\n", re.IGNORECASE)


@dataclass(frozen=True, kw_only=True)
class Asked:
    """A request as it goes over the wire, and how many rows it holds."""

    rows: int
    message: bytes

    @staticmethod
    def of(path: str, kind: str, body: bytes, *, rows: int) -> Asked:
        head = f"POST {path} HTTP/1.1\r\nhost: x\r\ncontent-type: {kind}\r\ncontent-length: {len(body)}\r\n\r\n"
        return Asked(rows=rows, message=head.encode() + body)


@dataclass(kw_only=True)
class Load:
    """What was answered so far."""

    statuses: Counter[int] = field(default_factory=Counter)
    rows: int = 0
    lost: int = 0
    """Requests whose connection ended before their answer did."""

    @property
    def requests(self) -> int:
        return sum(self.statuses.values())


class _Client(asyncio.Protocol):
    def __init__(self, counted: Load, asked: Sequence[Asked], stopping: asyncio.Event) -> None:
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._counted, self._asked, self._stopping = counted, itertools.cycle(asked), stopping
        self._found = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._ask()

    def data_received(self, data: bytes) -> None:
        self._found += data
        head, ended, body = self._found.partition(b"\r\n\r\n")
        length = _LENGTH.search(head + b"\r\n") if ended else None
        if length is None or len(body) < int(length[1]):
            return
        self._counted.statuses[int(head[9:12])] += 1
        self._counted.rows += self._current.rows if head.startswith(b"HTTP/1.1 200 ") else 0
        self._found = b""
        if self._stopping.is_set():
            self.done.set_result(None)
            self._transport.close()
        else:
            self._ask()

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.done.done():
            self._counted.lost += 1
            self.done.set_result(None)

    def _ask(self) -> None:
        self._current = next(self._asked)
        self._transport.write(self._current.message)


def load(
    port: int, asked: Sequence[Asked], *, connections: int, seconds: float, every_second: Callable[[Load], None]
) -> Load:
    """Ask over and over for so long; every answer that was asked for is waited for, and counted."""
    return asyncio.run(_load(port, asked, connections, seconds, every_second))


async def _load(
    port: int, asked: Sequence[Asked], connections: int, seconds: float, every_second: Callable[[Load], None]
) -> Load:
    loop, counted, stopping = asyncio.get_running_loop(), Load(), asyncio.Event()
    clients = []
    for number in range(connections):
        turned = [*asked[number % len(asked) :], *asked[: number % len(asked)]]
        _, client = await loop.create_connection(
            lambda each=turned: _Client(counted, each, stopping), "127.0.0.1", port
        )  # type: ignore[misc]
        clients.append(client)
    deadline = loop.time() + seconds
    while (left := deadline - loop.time()) > 0:
        await asyncio.sleep(min(1.0, left))
        every_second(counted)
    stopping.set()
    await asyncio.wait_for(asyncio.gather(*(client.done for client in clients)), 30)
    return counted
