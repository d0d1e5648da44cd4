"""The HTTP application of one model version: scoring on the hot route, everything else on the pages."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flightworthy.serving.dialect import Dialect, MlflowDialect
from flightworthy.serving.endpoint import Endpoint, Receive, Send
from flightworthy.serving.open_inference import OpenInferenceDialect
from flightworthy.serving.pages import pages
from flightworthy.serving.service import AccessLog, Limits, Readiness, Service

__all__ = ["AccessLog", "Application", "Limits", "Readiness", "Service", "create_app"]


class Application:
    """The ASGI application of ``service``."""

    def __init__(self, service: Service) -> None:
        contract, identity, most = service.scorer.contract, service.identity, service.limits.rows
        inference = OpenInferenceDialect(contract, identity, max_rows=most)
        self._scoring: Mapping[str, Dialect] = {
            "/invocations": MlflowDialect(contract, max_rows=most),
            f"/v2/models/{identity.model}/infer": inference,
            f"/v2/models/{identity.model}/versions/{identity.version}/infer": inference,
        }
        self._endpoint = Endpoint(service)
        self._pages = pages(service, self._scoring)

    async def __call__(self, scope: Mapping[str, Any], receive: Receive, send: Send) -> None:
        """Tell scoring from the rest by one look-up: a router costs more than the request."""
        if scope["type"] == "http" and scope["method"] == "POST":
            dialect = self._scoring.get(scope["path"])
            if dialect is not None:
                await self._endpoint(dialect, scope, receive, send)
                return
        await self._pages(scope, receive, send)  # type: ignore[arg-type] # Starlette wants a mutable mapping


def create_app(service: Service) -> Application:
    """The ASGI application of ``service``."""
    return Application(service)
