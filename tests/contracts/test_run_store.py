"""What a run store promises, asked of the stand-in and of a real MLflow server alike."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from flightworthy.adapters.mlflow_tracking.connection import MlflowConnection
from flightworthy.adapters.mlflow_tracking.runs import MlflowRuns
from flightworthy.artifact import CONTRACT, verify
from flightworthy.errors import ArtifactRefused
from flightworthy.runtime import RUNTIME
from flightworthy.serving.scoring import load_predictor
from flightworthy.testing import MemoryRuns
from flightworthy.training import RunStore, TrainingOrder
from tests.contracts.writing import write_artifact
from tests.training_material import NUMBERS, make_order, make_spec

NAMES = (f"shop-{number}" for number in itertools.count())


@pytest.fixture(params=["memory", "mlflow"])
def runs(request: pytest.FixtureRequest, tmp_path: Path) -> RunStore:
    if request.param == "memory":
        return MemoryRuns(folder=tmp_path / "kept")
    return MlflowRuns(connection=MlflowConnection(uri=request.getfixturevalue("mlflow_server")))


@pytest.fixture
def order() -> TrainingOrder:
    """An order of a model that no other test uses."""
    return make_order(make_spec(next(NAMES), features=NUMBERS))


@pytest.fixture
def write(tmp_path: Path) -> Callable[[TrainingOrder], Path]:
    """Train an order and leave the folder that a run store is given."""
    return lambda order: write_artifact(tmp_path / order.spec.model, order)


def test_a_logged_run_is_found_by_its_key_with_everything_it_was_logged_with(
    runs: RunStore, order: TrainingOrder, write: Callable[[TrainingOrder], Path]
) -> None:
    """What was trained now and what is found later are the same run."""
    logged = runs.log(order, {"log_loss": 0.25, "roc_auc": 0.9}, write(order))
    found = runs.find(order.spec.model, order.key)
    assert found == logged
    assert (logged.reused, found is not None and found.reused) == (False, True)
    assert logged.params == order.params
    assert logged.metrics == {"log_loss": 0.25, "roc_auc": 0.9}
    assert (logged.lineage, logged.seed, logged.model) == (order.lineage, 7, order.spec.model)


def test_params_keep_their_types(runs: RunStore, order: TrainingOrder, write: Callable[[TrainingOrder], Path]) -> None:
    """A retry and a rollback read the same parameters, not their text."""
    folder = write(order)
    typed = replace(order, params={"C": 1.0, "max_iter": 500, "penalty": None, "warm_start": True, "solver": "lbfgs"})
    runs.log(typed, {"log_loss": 0.5}, folder)
    found = runs.find(typed.spec.model, typed.key)
    assert found is not None
    assert found.params == typed.params
    assert [type(value) for value in found.params.values()] == [type(typed.params[name]) for name in found.params]


def test_an_unknown_key_or_model_is_found_as_none(runs: RunStore, order: TrainingOrder) -> None:
    """Never trained is no error."""
    assert runs.find(order.spec.model, order.key) is None
    assert runs.find(order.spec.model, order.key) is None


def test_the_artifact_comes_back_as_it_was_sealed_and_predicts(
    runs: RunStore, order: TrainingOrder, write: Callable[[TrainingOrder], Path], tmp_path: Path
) -> None:
    """Verified against the digest; fetching again into the same folder is harmless."""
    logged = runs.log(order, {"log_loss": 0.5}, write(order))
    for _ in range(2):
        folder = runs.download(logged, tmp_path / "fetched" / "model")
        assert verify(folder, digest=logged.artifact_digest) == logged.artifact_digest
    assert {RUNTIME, CONTRACT} <= {path.name for path in folder.iterdir()}
    assert load_predictor(folder, digest=logged.artifact_digest).contract["model"] == order.spec.model


def test_an_artifact_that_is_not_the_runs_is_refused(
    runs: RunStore, order: TrainingOrder, write: Callable[[TrainingOrder], Path], tmp_path: Path
) -> None:
    """A digest that does not match leaves nothing in the folder."""
    logged = runs.log(order, {"log_loss": 0.5}, write(order))
    with pytest.raises(ArtifactRefused, match="expected ffffffffffff"):
        runs.download(replace(logged, artifact_digest="f" * 64), tmp_path / "fetched")
    assert not (tmp_path / "fetched").exists()


def test_trials_of_a_search_are_logged_at_once(runs: RunStore, order: TrainingOrder, tmp_path: Path) -> None:
    """Mapped tasks end together; none is lost or kept under another's name."""
    trials = [replace(order, params={"C": float(number)}) for number in range(1, 5)]
    folders = [write_artifact(tmp_path / f"trial-{number}", trial) for number, trial in enumerate(trials)]
    with ThreadPoolExecutor(len(trials)) as pool:
        logged = list(pool.map(lambda trial, folder: runs.log(trial, {"log_loss": 0.5}, folder), trials, folders))
    found = [runs.find(trial.spec.model, trial.key) for trial in trials]
    assert [run and run.params for run in found] == [trial.params for trial in trials]
    assert found == logged


def test_logging_the_same_work_twice_leaves_one_run(
    runs: RunStore, order: TrainingOrder, write: Callable[[TrainingOrder], Path]
) -> None:
    """Two zombies at once train the same twice; both get the run that was finished first."""
    folder = write(order)
    first = runs.log(order, {"log_loss": 0.5}, folder)
    second = runs.log(order, {"log_loss": 0.5}, folder)
    assert second == first
    assert second.reused
    assert runs.find(order.spec.model, order.key) == first
