"""What training needs of the outside: the author's code, frames, and who writes a fitted model and reads it back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from flightworthy.evaluation import Metrics, Scored
from flightworthy.spec import Feature, Spec
from flightworthy.training.order import TrainingOrder
from flightworthy.training.runs import RunStore

__all__ = ["Artifacts", "Frames", "ModelCode", "Packager", "Workshop"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Frames:
    """The rows of a dataset version that train, and those by which trials are compared. Holdout rows are not here."""

    training: Any
    validation: Any


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Workshop:
    """What training needs of the outside."""

    code: ModelCode
    artifacts: Artifacts
    metrics: Metrics
    runs: RunStore
