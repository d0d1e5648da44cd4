"""Around every request: an id, who answered, how long it took, and an answer even when the code below fails."""

from __future__ import annotations

import re
import secrets
from dataclasses import dataclass
from time import perf_counter
from typing import Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from flightworthy.serving.events import say
from flightworthy.serving.metrics import Metrics
from flightworthy.serving.problem import Problem

__all__ = ["SCORING_PATH", "Identity", "Observed"]

SCORING_PATH: Final = "/invocations"
_SANE_ID = re.compile(r"[A-Za-z0-9._:/+=-]{1,128}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """Who answers: a model version in a release, in one of the router's two slots. Requests cannot claim it."""

    model: str
    version: str
    release: str
    arm: str | None

    def headers(self) -> list[tuple[bytes, bytes]]:
        """What every answer carries."""
        names = {"model": self.model, "version": self.version, "release": self.release, "arm": self.arm}
        return [(f"x-flightworthy-{name}".encode(), value.encode()) for name, value in names.items() if value]


class Observed:
    """ASGI middleware. Puts ``request_id`` into the scope's state, for the endpoints and their problems."""

    def __init__(self, app: ASGIApp, *, identity: Identity, metrics: Metrics) -> None:
        self._app = app
        self._metrics = metrics
        self._headers = identity.headers()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, whatever happens."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request_id = _request_id(scope)
        scope.setdefault("state", {})["request_id"] = request_id
        headers = [*self._headers, (b"x-request-id", request_id.encode())]
        status = 0

        async def stamped(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message["headers"], *headers]
            await send(message)

        started = perf_counter()
        is_scoring = scope["path"] == SCORING_PATH
        self._metrics.in_flight += is_scoring
        try:
            await self._app(scope, receive, stamped)
        except Exception as error:  # noqa: BLE001 - the last line of defence: a trace belongs into the log, not the answer
            say("request_failed", error=error, request_id=request_id)
            if not status:
                problem = Problem(status=500, detail="The server failed; its log knows more under the request id")
                await problem.response(request_id)(scope, receive, stamped)
        finally:
            self._metrics.in_flight -= is_scoring
            if is_scoring:
                self._metrics.observe(status, perf_counter() - started)


def _request_id(scope: Scope) -> str:
    for name, value in scope["headers"]:
        if name == b"x-request-id":
            given: str = value.decode("latin-1")
            if _SANE_ID.fullmatch(given):
                return given
    return secrets.token_hex(16)
