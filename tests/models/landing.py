"""What the tests of the models that land their own partitions share: the real files, the landers, a review."""

from __future__ import annotations

import importlib.util
import os
from pathlib import Path
from types import ModuleType

import pandas as pd

from flightworthy.adapters.array_metrics import ArrayMetrics
from flightworthy.adapters.model_code import ModelFolders
from flightworthy.adapters.single_feature import SingleFeature
from flightworthy.adapters.spec_files import load
from flightworthy.dataset import Split, split_of
from flightworthy.packaging import model_artifacts
from flightworthy.review import Examiners, Review, review
from flightworthy.spec import Spec
from flightworthy.training import Frames
from tests.training_material import make_order

ROOT = Path(__file__).parents[2]
MODELS = ROOT / "include" / "models"
DATA = Path(os.environ.get("FLIGHTWORTHY_DATA_DIR", ROOT / "data"))


def lander(model: str) -> ModuleType:
    """The model's land.py, loaded by path as it is run."""
    spec = importlib.util.spec_from_file_location(f"land_{model}", MODELS / model / "land.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def sides_of(spec: Spec, frame: pd.DataFrame) -> dict[Split, pd.DataFrame]:
    """As the line splits them."""
    sides = frame[spec.entity].map(
        lambda entity: split_of(entity, holdout=spec.dataset.holdout, validation=spec.dataset.validation)
    )
    return {side: frame[sides == side].reset_index(drop=True) for side in Split}


def reviewed(model: str, frame: pd.DataFrame, folder: Path) -> Review:
    """Train the first trial, package it, and ask the model's own gates, as the line does without a champion."""
    spec = load(MODELS / model, {})
    sides = sides_of(spec, frame)
    order = make_order(spec, params=spec.training.trials[0])
    frames = Frames(training=sides[Split.TRAIN], validation=sides[Split.VALIDATION])
    artifacts = model_artifacts()
    artifacts.write(folder, order, ModelFolders(models=MODELS).fit(order, frames.training), frames)
    return review(
        spec,
        holdout=sides[Split.HOLDOUT],
        frames=frames,
        challenger=folder,
        opponent=None,
        examiners=Examiners(artifacts=artifacts, metrics=ArrayMetrics(), baselines=SingleFeature()),
    )
