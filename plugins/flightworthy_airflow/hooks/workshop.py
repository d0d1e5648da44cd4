"""What training and evaluation need of the outside, put together from the two connections."""

from __future__ import annotations

import hashlib
import subprocess
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from flightworthy.review import Opponent, Review
    from flightworthy.spec import Spec
    from flightworthy.training import Frames, Lineage, TrainingRun, Workshop
    from flightworthy_airflow.hooks.flightworthy import FlightworthyHook
    from flightworthy_airflow.hooks.mlflow import MlflowHook
    from flightworthy_airflow.references import DatasetReference
    from flightworthy_airflow.runs import Run

__all__ = ["Reviewed", "frames_of", "lineage_of", "reviewed", "workshop_of"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Reviewed:
    """A review, and the page that a person reads of it."""

    review: Review
    report: Path


def workshop_of(hook: FlightworthyHook, mlflow: MlflowHook) -> Workshop:
    """The author's code, the artifact format, the arithmetic of metrics, and the run store."""
    from flightworthy.adapters.array_metrics import ArrayMetrics
    from flightworthy.adapters.model_code import ModelFolders
    from flightworthy.packaging import model_artifacts
    from flightworthy.training import Workshop

    return Workshop(
        code=ModelFolders(models=hook.places.models),
        artifacts=model_artifacts(),
        metrics=ArrayMetrics(),
        runs=mlflow.runs(),
    )


def lineage_of(hook: FlightworthyHook, spec: Spec, dataset: DatasetReference, run: Run, *, code_digest: str) -> Lineage:
    """What a training of this dataset, now and here, is made from."""
    from flightworthy.training import Lineage

    return Lineage(
        dataset_digest=dataset.dataset_digest,
        partition_key=dataset.partition,
        code_commit=_commit(hook.places.models),
        code_digest=code_digest,
        lock_digest=hashlib.sha256(hook.lock().read_bytes()).hexdigest(),
        config_digest=spec.config_digest,
        intent=run.intent,
        airflow_run_id=run.run_id,
    )


def frames_of(hook: FlightworthyHook, spec: Spec, dataset: DatasetReference) -> Frames:
    """The rows to train on and those to compare trials by."""
    from flightworthy.dataset import Split
    from flightworthy.training import Frames

    splits = _splits(hook, spec, dataset)
    return Frames(training=splits[Split.TRAIN], validation=splits[Split.VALIDATION])


def reviewed(
    hook: FlightworthyHook,
    mlflow: MlflowHook,
    spec: Spec,
    dataset: DatasetReference,
    run: TrainingRun,
    opponent: Callable[[Path], Opponent | None],
) -> Reviewed:
    """Review the run against its opponent, fetched into the folder that it is given, and write the report."""
    from flightworthy.adapters.reports import write_evaluation
    from flightworthy.adapters.single_feature import SingleFeature
    from flightworthy.dataset import Split
    from flightworthy.review import Examiners, review
    from flightworthy.training import Frames

    workshop = workshop_of(hook, mlflow)
    splits = _splits(hook, spec, dataset)
    with tempfile.TemporaryDirectory(prefix="flightworthy-evaluate-") as scratch:
        found = review(
            spec,
            holdout=splits[Split.HOLDOUT],
            frames=Frames(training=splits[Split.TRAIN], validation=splits[Split.VALIDATION]),
            challenger=workshop.runs.download(run, Path(scratch) / "challenger"),
            opponent=opponent(Path(scratch) / "opponent"),
            examiners=Examiners(artifacts=workshop.artifacts, metrics=workshop.metrics, baselines=SingleFeature()),
        )
    report = hook.reports(spec.model, "evaluations") / f"{dataset.partition}-{run.run_id}.html"
    write_evaluation(report, spec=spec, run=run, review=found)
    return Reviewed(review=found, report=report)


def _splits(hook: FlightworthyHook, spec: Spec, dataset: DatasetReference):  # type: ignore[no-untyped-def]
    from flightworthy.quarantine import refuse_frozen

    store = hook.datasets()
    version = store.version(dataset.model, dataset.dataset_digest)
    # Somebody may have refused a partition since the check.
    refuse_frozen(store, version, window=spec.dataset.window)
    return store.splits(
        version,
        entity=spec.entity,
        holdout=spec.dataset.holdout,
        validation=spec.dataset.validation,
    )


def _commit(folder: Path) -> str:
    """The commit of the models' checkout; empty outside one. ``+changed`` tells of edits that no commit holds."""
    try:
        head = subprocess.run(["git", "rev-parse", "HEAD"], cwd=folder, capture_output=True, text=True, check=True)
        changed = subprocess.run(
            ["git", "status", "--porcelain", "--", "."], cwd=folder, capture_output=True, text=True, check=True
        )
    except (OSError, subprocess.CalledProcessError):
        return ""
    return head.stdout.strip() + ("+changed" if changed.stdout.strip() else "")
