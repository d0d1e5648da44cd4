"""The real processes, started once for all the tests of this folder."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from demo.stack import Stack


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Airflow, MLflow, the deployer and its router, in a home of their own, with this checkout's DAGs and plugins."""
    with Stack(tmp_path_factory.mktemp("stack") / "home") as up:
        yield up
