"""The components of a stack: what each is started with, and the question whose answer shows that it works."""

from __future__ import annotations

import socket
import sys
from collections.abc import Callable
from typing import Any

import requests

from demo.processes import Component
from demo.settings import Settings

AIRFLOW_PARTS = {
    "airflow-api-server": ("api-server",),
    "airflow-scheduler": ("scheduler", "--skip-serve-logs"),
    "airflow-dag-processor": ("dag-processor",),
    "airflow-triggerer": ("triggerer", "--skip-serve-logs"),
}
"""Airflow's processes and their commands. Task logs are read from the disk they share, so nobody serves them."""


def mlflow_component(settings: Settings) -> Component:
    """MLflow's server with its own users, on SQLite, handing out artifacts itself."""
    places, port = settings.places, settings.places.ports().mlflow
    words = {
        "--app-name": "basic-auth",
        "--backend-store-uri": f"sqlite:///{places.mlflow / 'mlflow.db'}",
        "--artifacts-destination": str(places.mlflow / "artifacts"),
        "--host": "127.0.0.1",
        "--port": str(port),
        "--workers": "1",
        "--allowed-hosts": f"127.0.0.1:{port},localhost:{port}",
    }
    flat = [part for pair in words.items() for part in pair]
    return Component(
        name="mlflow",
        command=(sys.executable, "-m", "mlflow", "server", *flat),
        environment=settings.surroundings() | settings.mlflow_server(),
        healthy=lambda: _answer(f"{settings.mlflow_url}/health") is not None,
    )


def deployer_component(settings: Settings) -> Component:
    """The daemon that owns the model servers and the router."""
    port = settings.places.ports().router
    return Component(
        name="deployer",
        command=(sys.executable, "-m", "flightworthy.cli.main", "deployer"),
        environment=settings.surroundings() | settings.flightworthy() | settings.mlflow_client(),
        healthy=lambda: _listens(port),
    )


def airflow_components(settings: Settings) -> list[Component]:
    """The API server, the scheduler with its executor, the DAG processor and the triggerer."""
    environment = settings.surroundings() | settings.flightworthy() | settings.airflow()
    return [
        Component(
            name=name,
            command=(sys.executable, "-m", "airflow", *words),
            environment=environment,
            healthy=_says_healthy(settings, name),
        )
        for name, words in AIRFLOW_PARTS.items()
    ]


def _says_healthy(settings: Settings, name: str) -> Callable[[], bool]:
    """What Airflow's own monitor says; of the API server, that it answers clients, and tasks too.

    The application for tasks is put together at its first request, for seconds in which the server answers nobody:
    better now than under the first task.
    """
    part = name.removeprefix("airflow-").replace("-", "_")

    def healthy() -> bool:
        health = _answer(f"{settings.airflow_url}/api/v2/monitor/health")
        if health is None:
            return False
        if part == "api_server":
            return _answer(f"{settings.airflow_url}/execution/health", within=60) is not None
        return bool(health.get(part, {}).get("status") == "healthy")

    return healthy


def _answer(url: str, *, within: float = 2) -> dict[str, Any] | None:
    """The JSON at that address, ``{}`` for an answer that is none, None without a good answer."""
    with requests.Session() as session:
        session.trust_env = False
        try:
            answer = session.get(url, timeout=within)
        except requests.RequestException:
            return None
    if not answer.ok:
        return None
    return dict(answer.json()) if "json" in answer.headers.get("content-type", "") else {}


def _listens(port: int) -> bool:
    with socket.socket() as client:
        client.settimeout(1)
        return client.connect_ex(("127.0.0.1", port)) == 0
