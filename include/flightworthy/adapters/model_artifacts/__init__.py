"""A fitted classifier as a sealed artifact, in the form of the runtime that is proven to answer as it does."""

from __future__ import annotations

from flightworthy.adapters.model_artifacts.positions import by_position
from flightworthy.adapters.model_artifacts.rows import rows_of
from flightworthy.adapters.model_artifacts.writer import PREDICTION, ModelArtifacts

__all__ = ["PREDICTION", "ModelArtifacts", "by_position", "rows_of"]
