"""Requests as they come: a steady flow through the router, every answer counted, every failure kept.

Plain sockets and threads of the standard library: at fifty requests a second it takes a few percent of a core, so
that what is measured is the line and not its audience.
"""

from __future__ import annotations

import http.client
import json
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

Row = Mapping[str, float | int]

_KEPT = 20
"""How many failures are kept with their detail; all are counted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """One request that was not answered with 200, and how it went instead."""

    second: float
    """Since the traffic began."""
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Count:
    """What came of the traffic so far. ``seconds`` maps each second since its beginning to answers by model version."""

    sent: int
    failed: int
    failures: tuple[Failure, ...]
    versions: Mapping[str, int]
    seconds: Mapping[int, Mapping[str, int]]


@dataclass(slots=True)
class _Tally:
    """Counted under a lock, since several connections report."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    began_at: float = field(default_factory=time.monotonic)
    sent: int = 0
    failed: int = 0
    failures: list[Failure] = field(default_factory=list)
    seconds: dict[int, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))


class Traffic:
    """A flow of requests to one model behind a router.

    ``entity`` names the field of a row that goes into the ``x-entity-id`` header, by which the router keeps an entity
    on its arm; the other fields are the features. Nothing is sent before ``start``. While it runs ``rate`` and ``rows``
    may be changed: more requests a second, or others, such as those of a drifted world.
    """

    def __init__(
        self, url: str, *, model: str, rows: Iterator[Row], entity: str, rate: float = 50, connections: int = 4
    ) -> None:
        self.rate = rate
        self.rows = rows
        self._address = url.removeprefix("http://").rstrip("/")
        self._path = f"/{model}/invocations"
        self._entity = entity
        self._tally = _Tally()
        self._turn = threading.Lock()
        self._next_at = 0.0
        self._ended = threading.Event()
        self._threads = [
            threading.Thread(target=self._send_on, name=f"traffic-{number}", daemon=True)
            for number in range(connections)
        ]

    def start(self) -> None:
        """Begin; the seconds count from here."""
        self._tally.began_at = self._next_at = time.monotonic()
        for thread in self._threads:
            thread.start()

    def stop(self) -> Count:
        """Let the requests under way finish, and send no more."""
        self._ended.set()
        for thread in self._threads:
            if thread.ident is not None:
                thread.join(timeout=30)
        return self.count()

    def count(self) -> Count:
        """What came of it so far."""
        tally = self._tally
        with tally.lock:
            total: Counter[str] = sum(tally.seconds.values(), Counter())
            return Count(
                sent=tally.sent,
                failed=tally.failed,
                failures=tuple(tally.failures),
                versions=dict(total),
                seconds={second: dict(answers) for second, answers in tally.seconds.items()},
            )

    def recent(self, *, within: float = 2.0) -> Mapping[str, float]:
        """The share of answers by each version over the last whole seconds; empty if there was none."""
        now = int(time.monotonic() - self._tally.began_at)
        seconds = self.count().seconds
        span = range(now - max(1, int(within)), now)
        answers: Counter[str] = sum((Counter(seconds.get(second, {})) for second in span), Counter())
        return {version: number / answers.total() for version, number in answers.items()}

    # -- one connection ------------------------------------------------------------------------------------------------

    def _send_on(self) -> None:
        connection = http.client.HTTPConnection(self._address, timeout=15)
        while not self._ended.is_set():
            with self._turn:
                row = next(self.rows)
                due_at = self._next_at = max(self._next_at + 1 / self.rate, time.monotonic() - 1.0)
            if self._ended.wait(max(0.0, due_at - time.monotonic())):
                break
            self._send(connection, row)
        connection.close()

    def _send(self, connection: http.client.HTTPConnection, row: Row) -> None:
        features = {name: value for name, value in row.items() if name != self._entity}
        body = json.dumps({"dataframe_records": [features]}).encode()
        headers = {"content-type": "application/json", "x-entity-id": str(row[self._entity])}
        try:
            connection.request("POST", self._path, body, headers)
            answer = connection.getresponse()
            text = answer.read()
        except (OSError, http.client.HTTPException) as error:
            connection.close()
            self._note(None, f"{type(error).__name__}: {error}")
            return
        version = answer.getheader("x-flightworthy-version") or "unnamed"
        self._note(version, None if answer.status == 200 else f"{answer.status} {text[:300].decode(errors='replace')}")

    def _note(self, version: str | None, trouble: str | None) -> None:
        tally = self._tally
        second = time.monotonic() - tally.began_at
        with tally.lock:
            tally.sent += 1
            if trouble is None:
                tally.seconds[int(second)][version or "unnamed"] += 1
                return
            tally.failed += 1
            if len(tally.failures) < _KEPT:
                tally.failures.append(Failure(second=round(second, 2), detail=trouble))
