"""Training, addressed by content: the same data, code, parameters and environment are never trained twice."""

from __future__ import annotations

import math
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Protocol, Self

from flightworthy.artifact import digest_of
from flightworthy.errors import ModelCodeError, Refused
from flightworthy.evaluation import Metrics, Scored
from flightworthy.personal import Treatment
from flightworthy.spec import LOWER_IS_BETTER, Feature, Spec

__all__ = [
    "Artifacts",
    "Frames",
    "Lineage",
    "ModelCode",
    "Packager",
    "Param",
    "RunStore",
    "TrainingOrder",
    "TrainingRun",
    "Workshop",
    "choose",
    "content_key",
    "contract_of",
    "train",
]

Param = bool | int | float | str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Lineage:
    """What a training run is made from, and why it was asked for. Digests are hex sha256.

    ``partition_key``, ``intent``, ``airflow_run_id`` and ``code_commit`` say who asked and from where; two runs that
    differ only in these are the same work.
    """

    dataset_digest: str
    partition_key: str
    code_commit: str
    code_digest: str
    lock_digest: str
    config_digest: str
    intent: str
    airflow_run_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingOrder:
    """One trial (a point of the spec's search) to be trained: what, from what, and why."""

    spec: Spec
    params: Mapping[str, Param]
    lineage: Lineage

    @property
    def key(self) -> str:
        """The content key of this work."""
        spec = self.spec
        return content_key(
            dataset_digest=self.lineage.dataset_digest,
            code_digest=self.lineage.code_digest,
            params=self.params,
            seed=spec.training.seed,
            lock_digest=self.lineage.lock_digest,
            config={
                "contract": contract_of(spec),
                "target": spec.target,
                "validation": spec.dataset.validation,
                "holdout": spec.dataset.holdout,
            },
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingRun:
    """A finished, recorded training. ``metrics`` are those of the validation rows, with the model as it is served."""

    model: str
    run_id: str
    key: str
    params: Mapping[str, Param]
    seed: int
    metrics: Mapping[str, float]
    lineage: Lineage
    artifact_uri: str
    artifact_digest: str
    runtime: Mapping[str, str]
    """What serves it and why, as tags: ``runtime.Choice.facts``."""
    reused: bool = field(default=False, compare=False)
    """Whether it was found rather than trained. Says nothing about the run itself."""

    def pack(self) -> dict[str, Any]:
        """As JSON types, for the way between processes."""
        return asdict(self)

    @classmethod
    def unpack(cls, packed: Mapping[str, Any]) -> Self:
        """What ``pack`` made. Raises TypeError on a missing or unknown field."""
        return cls(**{**packed, "lineage": Lineage(**packed["lineage"])})


class ModelCode(Protocol):
    """A model author's folder."""

    def digest(self, model: str) -> str:
        """sha256 over the files that decide what training does."""
        ...

    def fit(self, order: TrainingOrder, frame: Any) -> Any:
        """Call the author's ``train`` and return a fitted classifier. Raises ModelCodeError."""
        ...


class Artifacts(Protocol):
    """Writes fitted models as folders, and predicts with such folders."""

    def write(self, folder: Path, order: TrainingOrder, fitted: Any, frames: Frames) -> None:
        """Write all files but those of the run store. Raises ModelCodeError if it could not be served as trained."""
        ...

    def score(self, folder: Path, spec: Spec, frame: Any) -> Scored:
        """Labels and predictions of ``frame``, predicted as the server would."""
        ...


class Packager(Protocol):
    """Writes models in the form, or the forms, of one runtime."""

    @property
    def runtime(self) -> str:
        """Its name, each part of which is one of ``runtime.PARTS``."""
        ...

    @property
    def tolerance(self) -> float:
        """By how much an answer may differ from the fitted model's, for what the runtime does to numbers."""
        ...

    @property
    def forms(self) -> tuple[str, ...]:
        """The ways in which a model can be written, the best first."""
        ...

    def write(self, folder: Path, features: Mapping[str, Feature], estimator: Any, form: str) -> str:
        """Write the model's files into ``folder``; empty, or why this runtime cannot have this model.

        ``estimator`` selects its columns by position, in the order of ``features``.
        """
        ...


class RunStore(Protocol):
    """Where training runs are recorded. A run counts once it is finished, and one finished run remains per key."""

    def find(self, model: str, key: str) -> TrainingRun | None:
        """The finished run with this key, or None. Raises Unavailable."""
        ...

    def log(self, order: TrainingOrder, metrics: Mapping[str, float], folder: Path) -> TrainingRun:
        """Seal ``folder`` as the run's artifact and record the run; killed anywhere, calling again repairs.

        Unfinished runs with the same key are marked as killed. Raises Unavailable.
        """
        ...

    def download(self, run: TrainingRun, folder: Path) -> Path:
        """The run's artifact, verified against its digest. Raises ArtifactRefused, Unavailable."""
        ...


def content_key(
    *,
    dataset_digest: str,
    code_digest: str,
    params: Mapping[str, Param],
    seed: int,
    lock_digest: str,
    config: Mapping[str, Any],
) -> str:
    """sha256 that names a piece of training work: equal keys, equal results. The order of mappings is of no account."""
    return digest_of(
        {
            "dataset": dataset_digest,
            "code": code_digest,
            "params": dict(params),
            "seed": seed,
            "lock": lock_digest,
            "config": dict(config),
        }
    )


def contract_of(spec: Spec) -> dict[str, Any]:
    """What a request to the model must hold and what it answers; becomes contract.json.

    What the training rows say is added there: the classes, and of each feature what was seen.
    """
    return {
        "model": spec.model,
        "entity": spec.entity,
        "entity_is_personal": spec.treatment(spec.entity) is not None,
        "features": [
            {"name": name, **feature.model_dump(mode="json", exclude_none=True), **_treated(spec.treatment(name))}
            for name, feature in spec.features.items()
        ],
        "requests": spec.requests.model_dump(mode="json"),
        "output": {
            "kind": "probability",
            "positive": spec.positive,
            "threshold": spec.evaluation.threshold,
        },
    }


def _treated(treatment: Treatment | None) -> dict[str, Any]:
    return {} if treatment is None else {"personal": treatment.tell()}


def choose(runs: Iterable[TrainingRun], metric: str) -> TrainingRun:
    """The run with the best ``metric``; of equals the one with the smallest key. A run without a number never wins.

    Raises Refused when no run has a finite value.
    """
    known = list(runs)
    sign = 1.0 if metric in LOWER_IS_BETTER else -1.0
    measured = [run for run in known if math.isfinite(run.metrics.get(metric, math.nan))]
    if not measured:
        raise Refused(
            f"None of {len(known)} trials has a finite {metric} on the validation rows, so none can be chosen. "
            "Look at the runs in MLflow; then change the search or the model's train.py.",
            metric=metric,
            runs=[run.run_id for run in known],
        )
    return min(measured, key=lambda run: (sign * run.metrics[metric], run.key))


@dataclass(frozen=True, slots=True, kw_only=True)
class Frames:
    """The rows of a dataset version that train, and those by which trials are compared. Holdout rows are not here."""

    training: Any
    validation: Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Workshop:
    """What training needs of the outside."""

    code: ModelCode
    artifacts: Artifacts
    metrics: Metrics
    runs: RunStore


def train(order: TrainingOrder, frames: Frames, workshop: Workshop) -> TrainingRun:
    """Train one trial and record it, or return the recorded run of the same work.

    Idempotent: killed anywhere and called again it leaves one finished run. Raises ModelCodeError where the author's
    code fails or its model does not predict; Unavailable where the run store does not answer.
    """
    found = workshop.runs.find(order.spec.model, order.key)
    if found is not None:
        return found
    fitted = workshop.code.fit(order, frames.training)
    with tempfile.TemporaryDirectory(prefix="flightworthy-train-") as scratch:
        folder = Path(scratch) / "model"
        folder.mkdir()
        workshop.artifacts.write(folder, order, fitted, frames)
        scored = workshop.artifacts.score(folder, order.spec, frames.validation)
        measured = _measure(order, scored, workshop.metrics)
        return workshop.runs.log(order, measured, folder)


def _measure(order: TrainingOrder, scored: Scored, metrics: Metrics) -> dict[str, float]:
    measured = dict(metrics.measure(scored.labels, scored.predictions, threshold=order.spec.evaluation.threshold))
    select = order.spec.training.select
    if not math.isfinite(measured.get(select, math.nan)):
        raise ModelCodeError(
            f"{order.spec.model}: {select} on {len(scored.labels)} validation rows is not a number "
            f"({sum(scored.labels)} of them positive). Trials are chosen by it (training.select); "
            "widen dataset.window or dataset.validation, or select by another metric.",
            model=order.spec.model,
            metric=select,
        )
    return {name: value for name, value in measured.items() if math.isfinite(value)}
