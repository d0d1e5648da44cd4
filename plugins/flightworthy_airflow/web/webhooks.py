"""What MLflow's webhooks tell: a tag ``flightworthy.partition`` on a model version says that a partition has landed.

It goes the way of a landed file: it is looked for in the source and noted, and the watcher announces it.
"""

from __future__ import annotations

import json
import logging
from contextlib import closing
from typing import Any, Final

from fastapi import APIRouter, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import JSONResponse

from flightworthy.errors import Refused, SpecError, Unavailable
from flightworthy_airflow.hooks.arrivals import note_named
from flightworthy_airflow.hooks.flightworthy import FlightworthyHook
from flightworthy_airflow.web.signed import is_signed

__all__ = ["TAG", "router"]

log = logging.getLogger(__name__)

TAG: Final = "flightworthy.partition"
_LARGEST: Final = 64 * 1024


def router() -> APIRouter:
    """One route. Whoever has not signed learns nothing: 401, whatever was asked."""
    routes = APIRouter()

    @routes.post("/webhooks/mlflow")
    async def told(request: Request) -> JSONResponse:
        body = await _body(request)
        hook = FlightworthyHook()
        secret = await run_in_threadpool(lambda: hook.places.webhook_secret)
        if body is None or not is_signed(request.headers, body, secret=secret or "", now=hook.now()):
            return JSONResponse({"detail": "This delivery is not signed with the secret of this installation."}, 401)
        return await run_in_threadpool(_answer, hook, body)

    return routes


async def _body(request: Request) -> bytes | None:
    """All of it; None where it is longer than any event of MLflow's."""
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > _LARGEST:
            return None
    return bytes(body)


def _answer(hook: FlightworthyHook, body: bytes) -> JSONResponse:
    try:
        named = _named(json.loads(body))
    except ValueError as error:
        return JSONResponse({"detail": f"This is no event of MLflow's: {error}."}, 400)
    if named is None:
        return JSONResponse({"ignored": f"it sets no tag {TAG}"}, 200)
    model, key = named
    try:
        return JSONResponse(_noted(hook, model, key), 202)
    except SpecError as error:
        log.warning("webhook_refused model=%s partition=%s reason=%s", model, key, error)
        return JSONResponse({"detail": f"There is no model {model} that can be read here."}, 404)
    except Refused as error:
        log.warning("webhook_refused model=%s partition=%s reason=%s", model, key, error)
        return JSONResponse({"detail": error.message}, 422)
    except Unavailable as error:
        # MLflow sends it again.
        return JSONResponse({"detail": error.message}, 503)


def _named(event: Any) -> tuple[str, str] | None:
    """The model and the partition key that an event names; `ValueError` where it is none."""
    match event:
        case {
            "entity": "model_version_tag",
            "action": "set",
            "data": {"name": str(model), "key": str(tag), "value": str(key)},
        }:
            return (model, key) if tag == TAG else None
        case {"entity": "model_version", "action": "created", "data": {"name": str(model), "tags": dict(tags)}}:
            return (model, str(tags[TAG])) if TAG in tags else None
        case {"entity": str(), "action": str(), "data": dict()}:
            return None
    raise ValueError("it has not the fields entity, action and data")


def _noted(hook: FlightworthyHook, model: str, key: str) -> dict[str, Any]:
    if model not in {path.parent.name for path in hook.places.models.glob("[!._]*/model.yaml")}:
        raise SpecError(f"{model} has no folder", model=model)
    spec = hook.spec(model)
    with closing(hook.arrivals()) as store:
        note_named(hook, store, spec, [key])
        newest = [each for each in store.of(model) if each.key == key][-1]
    return {"model": model, "partition": key, "kind": newest.kind, "stage": newest.stage}
