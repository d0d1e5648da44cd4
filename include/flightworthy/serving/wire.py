"""The first bytes of a connection: a head that is too slow, too long or ambiguous is answered, and the line cut.

uvicorn waits for ever for the end of a request's head and keeps all of it. Everything after the head is the
application's to limit.
"""

from __future__ import annotations

from asyncio import TimerHandle, Transport
from collections.abc import Mapping
from typing import Any, Final

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from flightworthy.serving.observed import request_id_of
from flightworthy.serving.problem import Problem

__all__ = ["GuardedProtocol", "guarded"]

_REASONS: Final[Mapping[int, str]] = {
    400: "Bad Request",
    408: "Request Timeout",
    431: "Request Header Fields Too Large",
}


class GuardedProtocol(HttpToolsProtocol):
    """uvicorn's protocol with a clock and a scale for heads."""

    head_seconds: float = 10.0
    head_bytes: int = 32 << 10

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._head_timer: TimerHandle | None = None
        self._head_size = 0

    def connection_made(self, transport: Transport) -> None:  # type: ignore[override] # as in uvicorn
        """From the first moment: a client that connects and says nothing holds a place as well."""
        super().connection_made(transport)
        self._head_timer = self.loop.call_later(self.head_seconds, self._too_slow)

    def connection_lost(self, exc: Exception | None) -> None:
        """Nobody is waited for any more."""
        self._stop_timer()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Weigh what comes before the end of a head."""
        self._head_size += len(data)
        super().data_received(data)
        if self._head_timer is not None and self._head_size > self.head_bytes:
            self._refuse(431, f"At most {self.head_bytes} bytes of request line and headers")

    def on_message_begin(self) -> None:
        """A head begins; on a connection that is kept, this is where its clock starts."""
        super().on_message_begin()
        if self._head_timer is None:
            self._head_size = 0
            self._head_timer = self.loop.call_later(self.head_seconds, self._too_slow)

    def on_headers_complete(self) -> None:
        """The head is complete."""
        self._stop_timer()
        super().on_headers_complete()

    def send_400_response(self, msg: str) -> None:
        """What no parser takes: no HTTP, or two lengths (Content-Length and Transfer-Encoding) that may differ."""
        self._refuse(400, "This is not HTTP/1.1, or its length is said twice")

    def _stop_timer(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def _too_slow(self) -> None:
        self._head_timer = None
        self._refuse(408, f"The head of the request did not arrive within {self.head_seconds:g} seconds")

    def _refuse(self, status: int, detail: str) -> None:
        self._stop_timer()
        if self.transport.is_closing():
            return
        # An answer that is under way must not be torn in two by another.
        cycle: Any = self.cycle  # None before the first request, whatever its annotation says
        is_under_way = cycle is not None and cycle.response_started and not cycle.response_complete
        if not is_under_way:
            request_id = request_id_of({})
            body = Problem(status=status, detail=detail).content(request_id)
            head = (
                f"HTTP/1.1 {status} {_REASONS[status]}\r\ncontent-type: application/problem+json\r\n"
                f"content-length: {len(body)}\r\nx-request-id: {request_id}\r\nconnection: close\r\n\r\n"
            )
            self.transport.write(head.encode() + body)
        self.transport.close()


def guarded(*, head_seconds: float) -> type[GuardedProtocol]:
    """The protocol with its clock set, as uvicorn takes it: a class."""
    return type("GuardedProtocol", (GuardedProtocol,), {"head_seconds": head_seconds})
