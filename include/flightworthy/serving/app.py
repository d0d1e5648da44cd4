"""The HTTP application of one model version: POST /invocations, and what an operator and a router ask it."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

import msgspec
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from flightworthy.serving.contract import Row
from flightworthy.serving.events import say
from flightworthy.serving.metrics import Metrics
from flightworthy.serving.observed import SCORING_PATH, Identity, Observed
from flightworthy.serving.prediction_log import Answer, PredictionLog
from flightworthy.serving.problem import Problem
from flightworthy.serving.protocol import Protocol
from flightworthy.serving.scoring import OutputRefused, Scorer

__all__ = ["Limits", "Readiness", "Service", "create_app"]

_SANE_ENTITY = re.compile(r"[\x21-\x7e]{1,256}")
_ROUTES = "POST /invocations scores rows; GET /healthz, /ping, /version and /metrics tell about the server"


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """The largest request that is read."""

    body_bytes: int = 1 << 20
    rows: int = 10_000


class Readiness(StrEnum):
    """Where a server is in its life. Only READY answers /healthz with 200; DRAINING still scores."""

    STARTING = "starting"
    READY = "ready"
    REFUSED = "refused"
    DRAINING = "draining"


class Service:
    """The endpoints, and the state they share."""

    def __init__(self, scorer: Scorer, identity: Identity, *, log: PredictionLog | None, limits: Limits) -> None:
        self.scorer = scorer
        self.identity = identity
        self.log = log
        self.limits = limits
        self.readiness = Readiness.STARTING
        self.reason: str | None = None
        labels = {"model": identity.model, "version": identity.version, "release": identity.release}
        self.metrics = Metrics({**labels, "arm": identity.arm or ""})
        self._protocol = Protocol(scorer.contract, max_rows=limits.rows)

    def warm_up(self) -> None:
        """Answer the golden requests; READY if the answers are those of training, else REFUSED and why."""
        self.reason = self.scorer.warm_up()
        self.readiness = Readiness.READY if self.reason is None else Readiness.REFUSED
        say("warmed_up", readiness=self.readiness, reason=self.reason, release=self.identity.release)

    def drain(self) -> None:
        """Ask the router to go elsewhere, while what still comes is answered."""
        self.readiness = Readiness.DRAINING
        self.reason = "stopping"

    async def invocations(self, request: Request) -> Response:
        """Score rows."""
        request_id: str = request.scope["state"]["request_id"]
        answer = await self._answer(request, request_id)
        if isinstance(answer, Problem):
            response = answer.response(request_id)
        else:
            response = Response(msgspec.json.encode({"predictions": answer}), media_type="application/json")
        if self.readiness is Readiness.DRAINING or response.status_code == 413:
            response.headers["connection"] = "close"
        return response

    async def _answer(self, request: Request, request_id: str) -> list[float] | Problem:
        if self.readiness in {Readiness.STARTING, Readiness.REFUSED}:
            return Problem(status=503, detail=f"This server is {self.readiness}: {self.reason or 'warming up'}")
        body = await _read(request, self.limits.body_bytes)
        if isinstance(body, Problem):
            return body
        rows = self._protocol.read(request.headers.get("content-type", ""), body)
        if isinstance(rows, Problem):
            return rows
        predictions = self._score(rows, request_id)
        if not isinstance(predictions, Problem):
            self._record(request, request_id, rows, predictions)
        return predictions

    def _score(self, rows: Sequence[Row], request_id: str) -> list[float] | Problem:
        try:
            predictions = self.scorer.score(rows)
        except Exception as error:  # noqa: BLE001 - an estimator may raise anything
            say("model_failed", error=error, request_id=request_id)
            return Problem(status=500, detail="The model failed on these rows; the server's log knows more")
        if isinstance(predictions, OutputRefused):
            self.metrics.outputs_refused += 1
            say("output_refused", why=predictions.why, request_id=request_id)
            return Problem(status=500, detail="The model's answer is not a probability for each row; it was not sent")
        return predictions

    def _record(self, request: Request, request_id: str, rows: Sequence[Row], predictions: Sequence[float]) -> None:
        self.metrics.rows += len(rows)
        # The deployer's golden requests are no traffic; a client cannot say so, the router takes such headers off.
        if self.log is None or "x-flightworthy-rehearsal" in request.headers:
            return
        entity = request.headers.get("x-entity-id")
        if entity is not None and not _SANE_ENTITY.fullmatch(entity):
            entity = None
        self.log.append(Answer(request_id, entity, datetime.now(UTC), rows, predictions))

    async def healthz(self, request: Request) -> Response:
        """Whether to send traffic here, and what would answer it."""
        return self._health(
            {
                "status": self.readiness,
                "model": self.identity.model,
                "version": self.identity.version,
                "release": self.identity.release,
                "arm": self.identity.arm,
                "artifact_digest": self.scorer.digest,
                "reason": self.reason,
            }
        )

    async def ping(self, request: Request) -> Response:
        """The same as MLflow's own server says it."""
        return self._health(None)

    def _health(self, body: Mapping[str, Any] | None) -> Response:
        status = 200 if self.readiness is Readiness.READY else 503
        content = b"\n" if body is None else msgspec.json.encode(body)
        return Response(content, status, media_type="application/json")

    async def version(self, request: Request) -> Response:
        """The MLflow version whose protocol this is."""
        return Response(self.scorer.mlflow_version, media_type="application/json")

    async def exposition(self, request: Request) -> Response:
        """Prometheus' page."""
        text = self.metrics.exposition(
            ready=self.readiness is Readiness.READY,
            log_rows=0 if self.log is None else self.log.written,
            log_dropped=0 if self.log is None else self.log.dropped,
        )
        return Response(text, media_type="text/plain; version=0.0.4")

    @asynccontextmanager
    async def lifespan(self, _: Starlette) -> AsyncIterator[None]:
        """Warm up before the port opens; after the last answer write what the log still holds."""
        self.warm_up()
        yield
        if self.log is not None:
            self.log.close()
            say("stopped", log_rows=self.log.written, log_dropped=self.log.dropped)


def create_app(service: Service) -> Starlette:
    """The ASGI application of ``service``."""
    return Starlette(
        routes=[
            Route(SCORING_PATH, service.invocations, methods=["POST"]),
            Route("/healthz", service.healthz),
            Route("/health", service.ping),
            Route("/ping", service.ping),
            Route("/version", service.version),
            Route("/metrics", service.exposition),
        ],
        middleware=[Middleware(Observed, identity=service.identity, metrics=service.metrics)],
        exception_handlers={HTTPException: _http_problem},
        lifespan=service.lifespan,
    )


async def _http_problem(request: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else 500
    headers = error.headers if isinstance(error, HTTPException) and error.headers else {}
    response = Problem(status=status, detail=_ROUTES).response(request.scope["state"]["request_id"])
    response.headers.update(headers)
    return response


async def _read(request: Request, limit: int) -> bytes | Problem:
    too_large = Problem(status=413, detail=f"At most {limit} bytes a request; send fewer rows at once")
    length = request.headers.get("content-length", "")
    if length.isdecimal() and int(length) > limit:
        return too_large
    # A chunked body names no length: count what arrives.
    body = bytearray()
    try:
        async for chunk in request.stream():
            body += chunk
            if len(body) > limit:
                return too_large
    except ClientDisconnect:
        return Problem(status=400, detail="The client went away before its body was complete")
    return bytes(body)
