"""What Flightworthy answers below ``/flightworthy`` of Airflow's web server; each route says who may ask."""

from __future__ import annotations

from fastapi import FastAPI

from flightworthy_airflow.web import reports, webhooks

__all__ = ["application"]


def application() -> FastAPI:
    """Reports for who is logged in, webhooks for who has signed; no documentation pages of its own."""
    app = FastAPI(title="Flightworthy", docs_url=None, redoc_url=None, openapi_url=None)
    app.include_router(reports.router())
    app.include_router(webhooks.router())
    return app
