"""The reports of the line (Data Docs, evaluations, drift), served behind Airflow's login.

A report is a document made from data that nobody vetted: it is shown in a sandbox without the login's origin, so that
a script that found its way into it can read neither the session nor any other page.
"""

from __future__ import annotations

import mimetypes
import os
from pathlib import Path

from airflow.api_fastapi.core_api.security import requires_authenticated
from fastapi import APIRouter, Depends, HTTPException
from starlette.responses import FileResponse

__all__ = ["resolve", "router"]

_HEADERS = {
    "Content-Security-Policy": (
        "sandbox allow-scripts allow-popups; default-src 'self' 'unsafe-inline' 'unsafe-eval' data: blob:"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "private, no-store",
}


def resolve(root: Path, path: str) -> Path | None:
    """The report at ``path`` below ``root``; None where there is none, or where the path leads outside."""
    found = (root / path).resolve()
    return found if found.is_relative_to(root.resolve()) and found.is_file() else None


def router() -> APIRouter:
    """One authenticated route."""
    routes = APIRouter()

    @routes.get("/reports/{path:path}", dependencies=[Depends(requires_authenticated())])
    def report(path: str) -> FileResponse:
        found = resolve(Path(os.environ.get("FLIGHTWORTHY_HOME", ".flightworthy")) / "reports", path)
        if found is None:
            raise HTTPException(404, "There is no such report. It may have been removed; run the task again.")
        kind = mimetypes.guess_type(found.name)[0] or "application/octet-stream"
        return FileResponse(found, media_type=kind, headers=_HEADERS)

    return routes
