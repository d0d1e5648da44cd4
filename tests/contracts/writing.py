"""A trained artifact, as ``train`` hands it to a run store."""

from __future__ import annotations

from pathlib import Path

from flightworthy.adapters.model_code import ModelFolders
from flightworthy.packaging import model_artifacts
from flightworthy.training import TrainingOrder
from tests.training_material import frames_of, make_frame, make_model_folder


def write_artifact(scratch: Path, order: TrainingOrder) -> Path:
    make_model_folder(scratch, order.spec.model)
    fitted = ModelFolders(models=scratch).fit(order, make_frame())
    folder = scratch / "artifact"
    folder.mkdir()
    model_artifacts().write(folder, order, fitted, frames_of(make_frame()))
    return folder
