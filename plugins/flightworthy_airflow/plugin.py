"""What Flightworthy adds to Airflow; registered by the ``airflow.plugins`` entry point.

Airflow loads this module in every process, twice in each task: it imports nothing heavy, and the web application is
built only where it is asked for.
"""

from __future__ import annotations

from typing import Any

from airflow.plugins_manager import AirflowPlugin

from flightworthy_airflow import pool

__all__ = ["FlightworthyPlugin"]


class _Lazily:
    """Builds the web application on first access, so that task processes never import FastAPI for it."""

    def __get__(self, instance: object, owner: type) -> list[dict[str, Any]]:
        from flightworthy_airflow.web.application import application

        return [{"app": application(), "url_prefix": "/flightworthy", "name": "Flightworthy"}]


class FlightworthyPlugin(AirflowPlugin):
    """The report pages, behind Airflow's login; and the backfills' pool, made when Airflow starts."""

    name = "flightworthy"
    fastapi_apps = _Lazily()
    listeners = [pool]  # noqa: RUF012  an instance variable to Airflow
