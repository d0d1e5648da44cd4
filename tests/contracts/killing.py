"""Trains and registers against a real MLflow server, killed with SIGKILL before its n-th request, then once more.

A program of its own, started by test_kills.py: MLflow is imported once, and a process is forked for every kill.
Prints one line of JSON: what a never killed training leaves, then for each kill what is left after the second try.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import requests

from flightworthy.adapters.array_metrics import ArrayMetrics
from flightworthy.adapters.mlflow_tracking.connection import MlflowConnection
from flightworthy.adapters.mlflow_tracking.registry import MlflowRegistry
from flightworthy.adapters.mlflow_tracking.runs import MlflowRuns
from flightworthy.adapters.model_code import ModelFolders
from flightworthy.gates import Decision
from flightworthy.packaging import model_artifacts
from flightworthy.registry import register
from flightworthy.training import TrainingOrder, Workshop, train
from tests.forked import in_a_process
from tests.training_material import NUMBERS, make_frames, make_model_folder, make_order, make_spec

APPROVED = Decision(objections=(), notes=())
OF_THIS_RUN = {"key", "run_id", "artifact_uri", "artifact_digest"}


def make_and_register(server: str, order: TrainingOrder, models: Path) -> None:
    connection = MlflowConnection(uri=server)
    workshop = Workshop(
        code=ModelFolders(models=models),
        artifacts=model_artifacts(),
        metrics=ArrayMetrics(),
        runs=MlflowRuns(connection=connection),
    )
    register(MlflowRegistry(connection=connection), train(order, make_frames(), workshop), APPROVED, intent="schedule")


def dying_before(request: int, work: Callable[[], None]) -> Callable[[], None]:
    """``work`` with the process killed before its n-th HTTP request, counted from 1."""

    def killed() -> None:
        send, sent = requests.Session.send, iter(range(1, 10_000))

        def counted(*args: Any, **kwargs: Any) -> Any:
            if next(sent) == request:
                os.kill(os.getpid(), signal.SIGKILL)
            return send(*args, **kwargs)

        requests.Session.send = counted  # type: ignore[method-assign]
        work()

    return killed


def state(server: str, order: TrainingOrder, scratch: Path) -> dict[str, Any]:
    """All that this order left in MLflow, without what differs between any two runs."""
    connection = MlflowConnection(uri=server)
    client, runs, registry = connection.client, MlflowRuns(connection=connection), MlflowRegistry(connection=connection)
    experiment = client.get_experiment_by_name(order.spec.model)
    key = f"tags.`flightworthy.key` = '{order.key}'"
    recorded = client.search_runs([experiment.experiment_id], key)
    finished = [run for run in recorded if run.info.status == "FINISHED"]
    models = {
        model.status.value
        for run in finished
        for model in client.search_logged_models(
            [experiment.experiment_id], filter_string=f"source_run_id = '{run.info.run_id}'"
        )
    }
    found = runs.find(order.spec.model, order.key)
    assert found is not None
    folder = runs.download(found, scratch / order.key)
    versions = [version for version in registry.versions(order.spec.model) if version.key == order.key]
    challenger = registry.aliased(order.spec.model, "challenger")
    return {
        "finished": len(finished),
        "still running": len([run for run in recorded if run.info.status == "RUNNING"]),
        "models of finished runs": sorted(models),
        "params": dict(finished[0].data.params),
        "metrics": dict(finished[0].data.metrics),
        "datasets": [given.dataset.name for given in finished[0].inputs.dataset_inputs],
        "files": sorted(path.name for path in folder.iterdir()),
        "versions": len(versions),
        "version of the finished run": [version.run_id == found.run_id for version in versions],
        "tags": {
            name: value for name, value in versions[0].tags.items() if name not in {*OF_THIS_RUN, "dataset_digest"}
        },
        "is challenger": challenger is not None and challenger.key == order.key,
    }


def tell(left: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(left) + "\n")
    sys.stdout.flush()


def main(server: str) -> None:
    spec = make_spec("killed", features=NUMBERS)
    with tempfile.TemporaryDirectory() as folder:
        models = Path(folder) / "models"
        make_model_folder(models, "killed")
        whole = make_order(spec, dataset="never-")
        in_a_process(lambda: make_and_register(server, whole, models))
        tell(state(server, whole, Path(folder)))
        for request in range(1, 200):
            order = make_order(spec, dataset=f"{request}-")
            work = lambda order=order: make_and_register(server, order, models)  # noqa: E731
            if in_a_process(dying_before(request, work)):
                return
            in_a_process(work)
            tell(state(server, order, Path(folder)))


if __name__ == "__main__":
    main(sys.argv[1])
