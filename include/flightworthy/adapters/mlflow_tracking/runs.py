"""Training runs in MLflow: one run per trial, its model beside it; finished once, whatever is killed in between."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

from mlflow.entities import (
    Dataset,
    DatasetInput,
    InputTag,
    LoggedModel,
    LoggedModelOutput,
    Metric,
    Param,
    Run,
    RunTag,
)
from mlflow.exceptions import MlflowException

from flightworthy.adapters.mlflow_tracking.connection import TAG, MlflowConnection, answering, error_code, insist
from flightworthy.adapters.mlflow_tracking.model_files import write_model_files
from flightworthy.artifact import canonical, seal
from flightworthy.errors import Refused
from flightworthy.runtime import choice_in
from flightworthy.training import Lineage, TrainingOrder, TrainingRun

__all__ = ["MlflowRuns"]

_LONGEST_DATASET_DIGEST = 36
"""Characters that MLflow's database keeps of a dataset's digest; the whole digest is a tag."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MlflowRuns:
    """Implements ``training.RunStore``; a model's runs are in the experiment of its name.

    The order of writes carries the promise: a run is FINISHED by its very last write, and only finished runs are found.
    """

    connection: MlflowConnection
    experiments: dict[str, str] = field(default_factory=dict, init=False)
    """Ids of experiments that were looked up."""

    def find(self, model: str, key: str) -> TrainingRun | None:
        """The finished run with this key; of several, which two zombies at once may leave, the one finished first."""
        with answering(self.connection.uri):
            found = self._first_finished(self._experiment(model), key)
        return None if found is None else replace(_training_run(found), reused=True)

    def log(self, order: TrainingOrder, metrics: Mapping[str, float], folder: Path) -> TrainingRun:
        """Record a run with its model and finish it; then see that it is the only finished one with its key."""
        client = self.connection.client
        with answering(self.connection.uri):
            experiment = self._experiment(order.spec.model)
            self._end_unfinished(experiment, order.key)
            name = f"{order.spec.model} {order.lineage.partition_key}"
            run = client.create_run(experiment, tags=_tags(order), run_name=name)
            run_id = run.info.run_id
            logged = client.create_logged_model(experiment, order.spec.model, source_run_id=run_id)
            write_model_files(folder, order.spec, logged)
            digest = seal(folder)
            client.log_model_artifacts(logged.model_id, str(folder))
            served = {"artifact_digest": digest, **choice_in(folder).facts()}
            self._log_values(run_id, order, metrics, logged, served)
            # Trials of one search name the same dataset at the same moment.
            insist(lambda: client.log_inputs(run_id, datasets=[_dataset(order)]))
            client.log_outputs(run_id, models=[LoggedModelOutput(logged.model_id, step=0)])
            client.finalize_logged_model(logged.model_id, "READY")
            client.set_terminated(run_id, "FINISHED")
            return self._only_finished(experiment, order.key, run_id)

    def download(self, run: TrainingRun, folder: Path) -> Path:
        """The run's artifact in ``folder``, verified. Raises ArtifactRefused."""
        return self.connection.fetch(run.artifact_uri, folder, digest=run.artifact_digest)

    def _log_values(
        self,
        run_id: str,
        order: TrainingOrder,
        metrics: Mapping[str, float],
        logged: LoggedModel,
        served: Mapping[str, str],
    ) -> None:
        now = int(time.time() * 1000)
        self.connection.client.log_batch(
            run_id,
            params=[Param(name, str(value)) for name, value in order.params.items()],
            metrics=[
                Metric(name, value, now, 0, model_id=logged.model_id, run_id=run_id) for name, value in metrics.items()
            ],
            tags=[
                RunTag(f"{TAG}artifact_uri", f"models:/{logged.model_id}"),
                RunTag(f"{TAG}metrics", canonical(dict(metrics)).decode()),
                *(RunTag(f"{TAG}{name}", value) for name, value in served.items()),
            ],
        )

    def _experiment(self, model: str) -> str:
        if model not in self.experiments:
            self.experiments[model] = self._find_experiment(model) or self._create_experiment(model)
        return self.experiments[model]

    def _find_experiment(self, model: str) -> str | None:
        found = self.connection.client.get_experiment_by_name(model)
        if found is not None and found.lifecycle_stage != "active":
            raise Refused(
                f"The MLflow experiment {model} was deleted, and MLflow keeps its name taken. Restore it with "
                f"`mlflow experiments restore -x {found.experiment_id}`, or remove it for good with `mlflow gc`.",
                model=model,
                experiment_id=found.experiment_id,
            )
        return None if found is None else str(found.experiment_id)

    def _create_experiment(self, model: str) -> str:
        try:
            return self.connection.client.create_experiment(model)
        except MlflowException as error:
            # Trials start at once: another one was faster.
            found = self._find_experiment(model) if error_code(error) == "RESOURCE_ALREADY_EXISTS" else None
            if found is None:
                raise
            return found

    def _end_unfinished(self, experiment: str, key: str) -> None:
        """Mark what a killed process left; it stays for whoever asks what happened, and is never found as a result."""
        client = self.connection.client
        for run in client.search_runs([experiment], _with_key(key, "RUNNING")):
            for logged in client.search_logged_models(
                [experiment], filter_string=f"source_run_id = '{run.info.run_id}'"
            ):
                client.finalize_logged_model(logged.model_id, "FAILED")
            client.set_terminated(run.info.run_id, "KILLED")

    def _first_finished(self, experiment: str, key: str) -> Run | None:
        order = ["attributes.end_time ASC", "attributes.run_id ASC"]
        found = self.connection.client.search_runs(
            [experiment], _with_key(key, "FINISHED"), max_results=1, order_by=order
        )
        return found[0] if found else None

    def _only_finished(self, experiment: str, key: str, run_id: str) -> TrainingRun:
        first = self._first_finished(experiment, key)
        if first is not None and first.info.run_id != run_id:
            self.connection.client.set_terminated(run_id, "KILLED")
            return replace(_training_run(first), reused=True)
        return _training_run(first or self.connection.client.get_run(run_id))


def _with_key(key: str, status: str) -> str:
    return f"tags.`{TAG}key` = '{key}' and attributes.status = '{status}'"


def _tags(order: TrainingOrder) -> dict[str, str]:
    lineage = {f"{TAG}{name}": str(value) for name, value in asdict(order.lineage).items()}
    return {
        f"{TAG}key": order.key,
        f"{TAG}model": order.spec.model,
        f"{TAG}seed": str(order.spec.training.seed),
        f"{TAG}params": canonical(dict(order.params)).decode(),
        "mlflow.source.git.commit": order.lineage.code_commit,
        **lineage,
    }


def _dataset(order: TrainingOrder) -> DatasetInput:
    digest = order.lineage.dataset_digest
    schema = [{"name": name, "type": feature.type} for name, feature in order.spec.features.items()]
    return DatasetInput(
        dataset=Dataset(
            name=f"{order.spec.model} as of {order.lineage.partition_key}",
            digest=digest[:_LONGEST_DATASET_DIGEST],
            source_type="flightworthy",
            source=json.dumps({"model": order.spec.model, "dataset_digest": digest}),
            schema=json.dumps({"mlflow_colspec": schema}),
        ),
        tags=[InputTag("mlflow.data.context", "training")],
    )


def _training_run(run: Run) -> TrainingRun:
    tags = {name.removeprefix(TAG): value for name, value in run.data.tags.items() if name.startswith(TAG)}
    names = Lineage.__dataclass_fields__
    return TrainingRun(
        model=tags["model"],
        run_id=run.info.run_id,
        key=tags["key"],
        params=json.loads(tags["params"]),
        seed=int(tags["seed"]),
        metrics=json.loads(tags["metrics"]),
        lineage=Lineage(**{name: tags.get(name, "") for name in names}),
        artifact_uri=tags["artifact_uri"],
        artifact_digest=tags["artifact_digest"],
        runtime={name: value for name, value in tags.items() if name.split("_")[0] == "runtime"},
    )
