"""Ranks customers by how likely they are to buy again: boosted trees, which take categories and gaps as they come."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from sklearn.compose import make_column_selector, make_column_transformer
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OrdinalEncoder


def train(frame: pd.DataFrame, params: dict[str, Any], seed: int) -> Pipeline:
    """Fit on ``frame``: the features and the target of model.yaml."""
    features = frame.drop(columns="bought_again")
    # A category never seen in training counts as a missing one.
    encoder = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=np.nan)
    columns = make_column_transformer((encoder, make_column_selector(dtype_exclude="number")), remainder="passthrough")
    categories = range(len(features.select_dtypes(exclude="number").columns))  # the encoder's columns come first
    trees = HistGradientBoostingClassifier(categorical_features=list(categories), random_state=seed, **params)
    return make_pipeline(columns, trees).fit(features, frame["bought_again"])
