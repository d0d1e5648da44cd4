from __future__ import annotations

import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest

from flightworthy.serving.app import Limits, Service, create_app
from flightworthy.serving.observed import Identity
from flightworthy.serving.scoring import load_scorer
from tests.flightworthy.serving.making import make_diagnosis, make_fraud

with warnings.catch_warnings():
    # Starlette would rather have httpx2, which nothing else here needs.
    warnings.simplefilter("ignore")
    from starlette.testclient import TestClient


@pytest.fixture(scope="session")
def diagnosis(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("artifacts") / "diagnosis"
    make_diagnosis(folder)
    return folder


@pytest.fixture(scope="session")
def fraud(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("artifacts") / "fraud"
    make_fraud(folder)
    return folder


@pytest.fixture
def service(fraud: Path) -> Service:
    """The fraud model, small limits, no prediction log."""
    identity = Identity(model="fraud", version="3", release="fraud-3-abcdef01", arm="a")
    return Service(load_scorer(fraud), identity, log=None, limits=Limits(body_bytes=4096, rows=5))


@pytest.fixture
def client(service: Service) -> Iterator[TestClient]:
    with TestClient(create_app(service)) as client:
        yield client
