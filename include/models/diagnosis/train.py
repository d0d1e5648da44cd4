"""Tells malignant from benign: a logistic regression on scaled measurements."""

from __future__ import annotations

from typing import Any

import pandas as pd
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler


def train(frame: pd.DataFrame, params: dict[str, Any], seed: int) -> Pipeline:
    """Fit on ``frame``: the features and the target of model.yaml."""
    features = frame.drop(columns="malignant")
    model = make_pipeline(StandardScaler(), LogisticRegression(random_state=seed, **params))
    return model.fit(features, frame["malignant"])
