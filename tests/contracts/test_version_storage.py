"""Throwing versions away, asked of a real MLflow server."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

from flightworthy.adapters.mlflow_tracking.connection import MlflowConnection
from flightworthy.adapters.mlflow_tracking.registry import MlflowRegistry
from flightworthy.adapters.mlflow_tracking.runs import MlflowRuns
from flightworthy.adapters.mlflow_tracking.storage import MlflowStorage
from tests.contracts.writing import write_artifact
from tests.training_material import NUMBERS, make_order, make_spec


def test_a_version_is_thrown_away_with_its_run_and_its_number_is_never_given_again(
    mlflow_server: str, tmp_path: Path
) -> None:
    """One with an alias stays; the same work is then not found but done, and gets a number of its own."""
    connection = MlflowConnection(uri=mlflow_server)
    runs, registry, storage = (kind(connection=connection) for kind in (MlflowRuns, MlflowRegistry, MlflowStorage))
    assert storage.stored("pruned") == []
    storage.remove("pruned", 1)
    made = []
    for number in (1, 2):
        order = make_order(make_spec("pruned", features=NUMBERS), params={"C": float(number)})
        made.append(runs.log(order, {"log_loss": 0.5}, write_artifact(tmp_path / f"{number}", order)))
        registry.create_once(made[-1], {})
    registry.set_alias("pruned", "champion", 1)
    found = storage.stored("pruned")
    assert sorted((version.number, version.has_alias) for version in found) == [(1, True), (2, False)]
    assert all(abs(datetime.now(UTC) - version.registered_at) < timedelta(minutes=5) for version in found)
    for number in (1, 2, 2):
        storage.remove("pruned", number)
    assert [version.number for version in storage.stored("pruned")] == [1]
    assert registry.version("pruned", 2) is None
    assert runs.find("pruned", made[1].key) is None
    assert runs.find("pruned", made[0].key) is not None
    again = runs.log(order, {"log_loss": 0.5}, write_artifact(tmp_path / "again", order))
    assert registry.create_once(again, {})[0].version == 3
