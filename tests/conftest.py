"""Airflow reads where it lives when it is first imported: a folder of its own, before any test."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from drill.mlflow_server import running_mlflow
from tests.postgres import Postgres, running_postgres

ROOT = Path(__file__).resolve().parents[1]
AIRFLOW = Path(tempfile.mkdtemp(prefix="flightworthy-tests-airflow-"))

os.environ.update(
    {
        "AIRFLOW_HOME": str(AIRFLOW),
        "AIRFLOW__CORE__DAGS_FOLDER": str(ROOT / "dags"),
        "AIRFLOW__CORE__PLUGINS_FOLDER": str(ROOT / "plugins"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__UNIT_TEST_MODE": "False",
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{AIRFLOW / 'airflow.db'}?timeout=60",
        "AIRFLOW__API_AUTH__JWT_SECRET": "for the tests of this machine only, long enough to sign with",
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": "admin:admin,viewer:viewer",
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(AIRFLOW / "passwords.json"),
        "FLIGHTWORTHY_MODELS": str(ROOT / "include" / "models"),
    }
)


SHARED = ("tests/stack", "tests/scenarios")
"""Folders whose tests share what is costly to start, and the environment that leads to it."""


@pytest.hookimpl(optionalhook=True, tryfirst=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Where tests run side by side, each file has one process; a `SHARED` folder has one to itself, which then ends."""
    from xdist.scheduler import LoadScopeScheduling

    class ByPlace(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            return _place_of(nodeid)

        def _reschedule(self, node: Any) -> None:
            if any(place in SHARED for place in self.assigned_work[node]):
                node.shutdown()
            else:
                super()._reschedule(node)

    return ByPlace(config, log)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """What takes longest begins first, where tests run side by side."""
    if hasattr(config, "workerinput"):
        items.sort(key=lambda item: _place_of(item.nodeid) not in SHARED)


def _place_of(nodeid: str) -> str:
    file = nodeid.partition("::")[0]
    return next((folder for folder in SHARED if file.startswith(f"{folder}/")), file)


def pytest_sessionfinish() -> None:
    """Leave nothing behind."""
    shutil.rmtree(AIRFLOW, ignore_errors=True)


@pytest.fixture(scope="session")
def mlflow_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A real MLflow server for all tests that want one; its address."""
    with running_mlflow(tmp_path_factory.mktemp("mlflow")) as address:
        yield address


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """A real PostgreSQL server for all tests that want one."""
    with running_postgres() as server:
        yield server


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def new_database(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[], str]:
    """Gives URLs of new empty databases; each test that uses it runs on SQLite and on PostgreSQL."""
    if request.param == "postgresql":
        server: Postgres = request.getfixturevalue("postgres")
        return server.new_database
    return lambda: f"sqlite:///{tmp_path / 'flightworthy.db'}"
