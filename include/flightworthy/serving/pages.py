"""What an operator, a router and a client's library ask the server about itself; all but scoring."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import msgspec
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from flightworthy.serving.events import say
from flightworthy.serving.observed import Observed, problem_response
from flightworthy.serving.open_inference import metadata
from flightworthy.serving.openapi import document
from flightworthy.serving.problem import Problem
from flightworthy.serving.service import Readiness, Service

__all__ = ["pages"]

_ROUTES = "POST /invocations scores rows, as does POST /v2/models/<name>/infer; GET /openapi.json tells the rest"


class _Pages:
    """The endpoints that a GET reaches."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._document = msgspec.json.encode(document(service.scorer, service.identity, service.limits))

    async def healthz(self, request: Request) -> Response:
        """Whether to send traffic here, and what would answer it."""
        identity = self._service.identity
        return self._health(
            {
                "status": self._service.readiness,
                "model": identity.model,
                "version": identity.version,
                "release": identity.release,
                "arm": identity.arm,
                "artifact_digest": self._service.scorer.digest,
                "reason": self._service.reason,
            }
        )

    async def ping(self, request: Request) -> Response:
        """The same as MLflow's own server says it."""
        return self._health(None)

    def _health(self, body: Mapping[str, Any] | None) -> Response:
        status = 200 if self._service.readiness is Readiness.READY else 503
        content = b"\n" if body is None else msgspec.json.encode(body)
        return Response(content, status, media_type="application/json")

    async def version(self, request: Request) -> Response:
        """The MLflow version whose protocol this is."""
        return Response(self._service.scorer.mlflow_version, media_type="text/plain")

    async def exposition(self, request: Request) -> Response:
        """Prometheus' page."""
        service = self._service
        text = service.metrics.exposition(
            ready=service.readiness is Readiness.READY,
            log_rows=0 if service.log is None else service.log.written,
            log_dropped=0 if service.log is None else service.log.dropped,
        )
        return Response(text, media_type="text/plain; version=0.0.4")

    async def openapi(self, request: Request) -> Response:
        """This model's own schema."""
        return Response(self._document, media_type="application/json")

    async def server(self, request: Request) -> Response:
        """The Open Inference Protocol's first question."""
        body = {"name": "flightworthy", "version": "2", "extensions": ["binary_tensor_data"]}
        return Response(msgspec.json.encode(body), media_type="application/json")

    async def live(self, request: Request) -> Response:
        """Whoever can answer lives."""
        return Response(msgspec.json.encode({"live": True}), media_type="application/json")

    async def ready(self, request: Request) -> Response:
        """The same as /healthz, in the Open Inference Protocol's words."""
        self._check_model(request)
        return self._health({"ready": self._service.readiness is Readiness.READY})

    async def model(self, request: Request) -> Response:
        """The names, types and shapes of the model's tensors."""
        self._check_model(request)
        body = metadata(self._service.scorer.contract, self._service.identity)
        return Response(msgspec.json.encode(body), media_type="application/json")

    def _check_model(self, request: Request) -> None:
        identity, asked = self._service.identity, request.path_params
        if asked.get("name", identity.model) != identity.model or asked.get("version", identity.version) != (
            identity.version
        ):
            raise HTTPException(
                404, f"This server has model {identity.model}, version {identity.version}, and no other"
            )

    @asynccontextmanager
    async def lifespan(self, _: Starlette) -> AsyncIterator[None]:
        """Warm up before the port opens; after the last answer write what the log still holds."""
        self._service.warm_up()
        yield
        if (log := self._service.log) is not None:
            log.close()
            say("stopped", log_rows=log.written, log_dropped=log.dropped)


def pages(service: Service, scoring: Mapping[str, Any]) -> Starlette:
    """The application of everything but ``scoring``, whose paths are known here only to say which method they take."""
    shown = _Pages(service)
    model = "/v2/models/{name}"
    version = model + "/versions/{version}"
    gets = {
        "/healthz": shown.healthz,
        "/health": shown.ping,
        "/ping": shown.ping,
        "/version": shown.version,
        "/metrics": shown.exposition,
        "/openapi.json": shown.openapi,
        "/v2": shown.server,
        "/v2/health/live": shown.live,
        "/v2/health/ready": shown.ready,
        model: shown.model,
        version: shown.model,
        f"{model}/ready": shown.ready,
        f"{version}/ready": shown.ready,
    }
    posts = [Route(path, _never, methods=["POST"]) for path in scoring]
    others = [Route(f"{place}/infer", _other_model, methods=["POST"]) for place in (model, version)]
    app = Starlette(
        routes=[*(Route(path, page) for path, page in gets.items()), *posts, *others],
        middleware=[Middleware(Observed, identity=service.identity)],
        exception_handlers={HTTPException: _http_problem},
        lifespan=shown.lifespan,
    )
    # A redirect to the path without its slash would lead wherever the request's own host header says.
    app.router.redirect_slashes = False
    return app


async def _never(_: Request) -> Response:
    raise AssertionError("a scoring request reached the pages")


async def _other_model(_: Request) -> Response:
    raise HTTPException(404, "This server has no model or no version of that name; GET /healthz says which it has")


async def _http_problem(request: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else 500
    headers = error.headers if isinstance(error, HTTPException) and error.headers else {}
    said = error.detail if isinstance(error, HTTPException) else ""
    # Starlette's own words are the status' name; ours tell more.
    detail = said if said.startswith("This server") else _ROUTES
    response = problem_response(Problem(status=status, detail=detail), request.scope["state"]["request_id"])
    response.headers.update(headers)
    return response
