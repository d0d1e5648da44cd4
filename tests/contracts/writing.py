"""A trained artifact, as ``train`` hands it to a run store."""

from __future__ import annotations

from pathlib import Path

from flightworthy.adapters.model_code import ModelFolders
from flightworthy.adapters.skops_models.writer import SkopsArtifacts
from flightworthy.training import TrainingOrder
from tests.training_material import make_frame, make_model_folder


def write_artifact(scratch: Path, order: TrainingOrder) -> Path:
    make_model_folder(scratch, order.spec.model)
    fitted = ModelFolders(models=scratch).fit(order, make_frame())
    folder = scratch / "artifact"
    folder.mkdir()
    SkopsArtifacts().write(folder, order, fitted, make_frame())
    return folder
