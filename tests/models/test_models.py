"""The models that ship: their own train.py, on real data, through the artifact that would be served."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import load_breast_cancer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score

from flightworthy.adapters.array_metrics import ArrayMetrics
from flightworthy.adapters.model_code import ModelFolders
from flightworthy.adapters.spec_files import load
from flightworthy.dataset import Split, split_of
from flightworthy.evaluation import Scored
from flightworthy.packaging import model_artifacts
from flightworthy.spec import Spec
from tests.training_material import frames_of, make_order

ROOT = Path(__file__).parents[2]
MODELS = ROOT / "include" / "models"
CLAIMS = Path(os.environ.get("FLIGHTWORTHY_DATA_DIR", ROOT / "data")) / "vehicle_claims.csv"


def scored(spec: Spec, frame: pd.DataFrame, folder: Path) -> Scored:
    """Train on the training rows with the first trial's parameters; score the holdout."""
    sides = frame[spec.entity].map(
        lambda entity: split_of(entity, holdout=spec.dataset.holdout, validation=spec.dataset.validation)
    )
    training = frame[sides == Split.TRAIN].reset_index(drop=True)
    order = make_order(spec, params=spec.training.trials[0])
    fitted = ModelFolders(models=MODELS).fit(order, training)
    model_artifacts().write(folder, order, fitted, frames_of(training))
    return model_artifacts().score(folder, spec, frame[sides == Split.HOLDOUT].reset_index(drop=True))


def test_diagnosis_tells_malignant_from_benign(tmp_path: Path) -> None:
    """Far above its own gate, on records it never saw."""
    spec = load(MODELS / "diagnosis", {})
    records = load_breast_cancer(as_frame=True)
    frame = records.data.set_axis(list(spec.features), axis="columns")
    frame = frame.assign(record_id=np.arange(len(frame)), malignant=1 - records.target)
    found = scored(spec, frame, tmp_path)
    assert ArrayMetrics().measure(found.labels, found.predictions, threshold=0.5)["roc_auc"] > 0.97


@pytest.mark.skipif(not CLAIMS.exists(), reason=f"no vehicle_claims.csv in FLIGHTWORTHY_DATA_DIR ({CLAIMS.parent})")
def test_claims_beats_a_plain_model_on_real_claims(tmp_path: Path) -> None:
    """A logistic regression on the numbers alone knows little; categories carry the signal."""
    spec = load(MODELS / "claims", {"FLIGHTWORTHY_DATA_DIR": str(CLAIMS.parent)})
    frame = pd.read_csv(CLAIMS, encoding="utf-8-sig")
    found = scored(spec, frame, tmp_path)
    metrics = ArrayMetrics().measure(found.labels, found.predictions, threshold=spec.evaluation.threshold)
    numbers = [name for name, feature in spec.features.items() if feature.type == "integer"]
    plain = LogisticRegression(max_iter=2000).fit(frame[numbers] / frame[numbers].max(), frame[spec.target])
    share = roc_auc_score(frame[spec.target], plain.predict_proba(frame[numbers] / frame[numbers].max())[:, 1])
    assert metrics["roc_auc"] > max(0.75, share + 0.05)
    assert metrics["average_precision"] > 2.5 * sum(found.labels) / len(found.labels)
