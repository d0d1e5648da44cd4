"""Around every request: an id, who answered, and an answer even when the code below fails."""

from __future__ import annotations

import itertools
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass

from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from flightworthy.serving.events import say
from flightworthy.serving.problem import Problem

__all__ = ["Identity", "Observed", "problem_response", "request_id_of"]

_SANE_ID = re.compile(rb"[A-Za-z0-9._:/+=-]{1,128}")
_PROCESS = secrets.token_hex(8)
_REQUESTS = itertools.count()


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
    """ASGI middleware of the pages. Puts ``request_id`` into the scope's state, for them and their problems."""

    def __init__(self, app: ASGIApp, *, identity: Identity) -> None:
        self._app = app
        self._headers = identity.headers()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, whatever happens."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request_id = request_id_of(dict(scope["headers"]))
        scope.setdefault("state", {})["request_id"] = request_id
        headers = [*self._headers, (b"x-request-id", request_id.encode())]
        is_begun = False

        async def stamped(message: Message) -> None:
            nonlocal is_begun
            if message["type"] == "http.response.start":
                is_begun = True
                message["headers"] = [*message["headers"], *headers]
            await send(message)

        try:
            await self._app(scope, receive, stamped)
        except Exception as error:  # noqa: BLE001 - the last line of defence: a trace belongs into the log, not the answer
            say("request_failed", error=error, request_id=request_id)
            if not is_begun:
                problem = Problem(status=500, detail="The server failed; its log knows more under the request id")
                await problem_response(problem, request_id)(scope, receive, stamped)


def problem_response(problem: Problem, request_id: str) -> Response:
    """A problem as Starlette sends it."""
    return Response(problem.content(request_id), problem.status, media_type="application/problem+json")


def request_id_of(headers: Mapping[bytes, bytes]) -> str:
    """The client's own id if it is fit for logs and headers, else a new one: this process, and a number."""
    given = headers.get(b"x-request-id")
    if given is not None and _SANE_ID.fullmatch(given):
        return given.decode()
    return f"{_PROCESS}{next(_REQUESTS):016x}"
