"""The hot route: one scoring request from its head to its last byte, without a framework in between."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from datetime import UTC, datetime
from time import perf_counter
from typing import Any

import msgspec

from flightworthy.serving.dialect import Dialect, Headers, Question
from flightworthy.serving.events import say
from flightworthy.serving.observed import request_id_of
from flightworthy.serving.prediction_log import Answer
from flightworthy.serving.problem import Problem
from flightworthy.serving.replies import Reply, refusal
from flightworthy.serving.service import AccessLog, Readiness, Service

__all__ = ["Endpoint"]

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

_SANE_ENTITY = re.compile(rb"[\x21-\x7e]{1,256}")
_CLOSE = (b"connection", b"close")


class _Scored(msgspec.Struct, frozen=True):
    """A question, and the predictions that answer it."""

    question: Question
    predictions: Any


class Endpoint:
    """Answers scoring requests. Counts, logs and closes connections as the service wants it."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._identity = service.identity.headers()
        self._body_limit = service.limits.body_bytes

    async def __call__(self, dialect: Dialect, scope: Mapping[str, Any], receive: Receive, send: Send) -> None:
        """Answer one request, whatever happens, and remember the answer once it is on its way."""
        started = perf_counter()
        service, headers = self._service, dict(scope["headers"])
        request_id = request_id_of(headers)
        service.metrics.in_flight += 1
        reply, scored = None, None
        try:
            reply, scored = await self._answer(dialect, headers, receive, request_id)
            await self._send(send, reply, request_id)
        except Exception as error:  # noqa: BLE001 - the last line of defence: a trace belongs into the log, not the answer
            say("request_failed", error=error, request_id=request_id)
            if reply is None:
                problem = Problem(status=500, detail="The server failed; its log knows more under the request id")
                reply = refusal(problem, request_id)
                await self._send(send, reply, request_id)
        finally:
            seconds = perf_counter() - started
            service.metrics.in_flight -= 1
            service.metrics.observe(500 if reply is None else reply.status, seconds)
        if scored is not None:
            self._remember(scored, headers, request_id, seconds)
        if reply.status >= 400 or service.access_log is AccessLog.ALL:
            self._tell(scope, reply, request_id, seconds)

    async def _answer(
        self, dialect: Dialect, headers: Headers, receive: Receive, request_id: str
    ) -> tuple[Reply, _Scored | None]:
        found = self._service.absence() or await self._read(headers, receive)
        if isinstance(found, bytes):
            question = dialect.read(headers, found)
            if isinstance(question, Question):
                predictions = self._service.score(question.batch, request_id)
                if not isinstance(predictions, Problem):
                    return question.reply(predictions), _Scored(question, predictions)
                question = predictions
            found = question
        return refusal(found, request_id), None

    async def _read(self, headers: Headers, receive: Receive) -> bytes | Problem:
        """The whole body. What is too long, too slow or packed is not waited for."""
        too_large = Problem(status=413, detail=f"At most {self._body_limit} bytes a request; send fewer rows at once")
        length = headers.get(b"content-length", b"")
        if length.isdigit() and int(length) > self._body_limit:
            return too_large
        if headers.get(b"content-encoding", b"identity") != b"identity":
            return Problem(status=415, detail="Send the body without compression", field="content-encoding")
        message = await receive()
        if message["type"] == "http.request" and not message.get("more_body", False):
            whole: bytes = message.get("body", b"")
            return whole if len(whole) <= self._body_limit else too_large
        try:
            async with asyncio.timeout(self._service.limits.body_seconds):
                body = await _rest(message, receive, self._body_limit)
        except TimeoutError:
            return Problem(status=408, detail="The body did not arrive in time")
        return too_large if body is None else body

    async def _send(self, send: Send, reply: Reply, request_id: str) -> None:
        headers = [
            (b"content-type", reply.content_type),
            (b"content-length", b"%d" % len(reply.body)),
            *reply.headers,
            *self._identity,
            (b"x-request-id", request_id.encode()),
        ]
        if self._service.readiness is Readiness.DRAINING:
            headers.append(_CLOSE)
        await send({"type": "http.response.start", "status": reply.status, "headers": headers})
        await send({"type": "http.response.body", "body": reply.body})

    def _remember(self, scored: _Scored, headers: Headers, request_id: str, seconds: float) -> None:
        batch, log = scored.question.batch, self._service.log
        if batch.flagged:
            self._service.metrics.flag(batch.flagged)
        # The deployer's golden requests are no traffic; a client cannot say so, the router takes such headers off.
        if log is None or b"x-flightworthy-rehearsal" in headers:
            return
        entity = headers.get(b"x-entity-id")
        named = None if entity is None or not _SANE_ENTITY.fullmatch(entity) else entity.decode()
        log.append(Answer(request_id, named, datetime.now(UTC), batch.rows, scored.predictions, seconds * 1000))

    def _tell(self, scope: Mapping[str, Any], reply: Reply, request_id: str, seconds: float) -> None:
        """One line of the access log. No value of the client's is in it but the path."""
        say(
            "answered",
            request_id=request_id,
            path=scope["path"][:200],
            status=reply.status,
            latency_ms=round(seconds * 1000, 3),
            release=self._service.identity.release,
        )


async def _rest(message: Message, receive: Receive, limit: int) -> bytes | Problem | None:
    """What arrives piece by piece, counted as it comes since a chunked body names no length; None if it is too much."""
    body = bytearray()
    while message["type"] == "http.request":
        body += message.get("body", b"")
        if len(body) > limit:
            return None
        if not message.get("more_body", False):
            return bytes(body)
        message = await receive()
    return Problem(status=400, detail="The client went away before its body was complete")
