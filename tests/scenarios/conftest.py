"""Real MLflow, deployer and router for all the stories of this folder; Airflow runs the DAGs in this process."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from demo.stack import Stack
from demo.world import FIRST, World
from tests.postgres import Postgres
from tests.quick_models import quick_models
from tests.scenarios.playing import Played, dag_of, play


@dataclass(frozen=True, slots=True, kw_only=True)
class Story:
    """What the stories share."""

    stack: Stack
    world: World

    def deploy(self, **said: Any) -> Played:
        return play(dag_of("dags/deploy.py", "diagnosis.deploy"), **said)

    @property
    def router_url(self) -> str:
        return self.stack.settings.router_url


@pytest.fixture(scope="session")
def release_database(request: pytest.FixtureRequest) -> str | None:
    """None for SQLite; with FLIGHTWORTHY_TEST_DATABASE=postgresql the same stories are played on a PostgreSQL."""
    if os.environ.get("FLIGHTWORTHY_TEST_DATABASE") != "postgresql":
        return None
    server: Postgres = request.getfixturevalue("postgres")
    return server.new_database()


@pytest.fixture(scope="session")
def story(tmp_path_factory: pytest.TempPathFactory, release_database: str | None) -> Iterator[Story]:
    """The ground: Airflow's tables, the servers, and the connections that lead to them."""
    folder = tmp_path_factory.mktemp("scenarios")
    migrate = [sys.executable, "-m", "airflow", "db", "migrate"]
    if release_database is not None:
        (folder / "home" / "secrets").mkdir(parents=True)
        (folder / "home" / "secrets" / "release_database").write_text(release_database)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FLIGHTWORTHY_MODELS", str(quick_models(folder)))
        migrating = subprocess.Popen(migrate, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        with Stack(folder / "home", parts=("mlflow", "deployer")) as stack:
            told = stack.settings.flightworthy() | stack.settings.airflow()
            for name, value in told.items():
                if name.startswith(("FLIGHTWORTHY_", "AIRFLOW_CONN_")):
                    patch.setenv(name, value)
            _, trouble = migrating.communicate(timeout=300)
            assert migrating.returncode == 0, trouble
            assert os.environ["FLIGHTWORTHY_HOME"] == str(stack.places.home)
            yield Story(stack=stack, world=World(landing=stack.landing))


@pytest.fixture(scope="session")
def first_release(story: Story) -> Played:
    """The run that the first partition's arrival started."""
    story.world.first()
    return story.deploy(arrived=FIRST)
