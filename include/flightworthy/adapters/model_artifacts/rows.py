"""Rows of a DataFrame as they reach a model: as a server's matrix, and as the JSON of a request."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from flightworthy.spec import Spec

__all__ = ["as_text", "golden_of", "rows_of"]

_MISSING = "(missing)"


def rows_of(spec: Spec, frame: pd.DataFrame) -> NDArray[Any]:
    """Features of ``frame`` as a server's request parser makes them: float if all are numbers, else object."""
    features = frame[list(spec.features)]
    if all(feature.type in {"number", "integer"} for feature in spec.features.values()):
        return features.to_numpy(dtype=np.float64, na_value=np.nan)
    objects = features.astype(object)
    return objects.where(objects.notna(), np.nan).to_numpy(dtype=object)


def golden_of(spec: Spec, frame: pd.DataFrame, predictions: NDArray[np.float64]) -> dict[str, Any]:
    """Rows spread over ``frame``, and what the model that will be served says to them."""
    picked = np.unique(np.linspace(0, len(frame) - 1, min(spec.release.golden_requests, len(frame))).astype(int))
    rows = frame[list(spec.features)].iloc[picked]
    objects = rows.astype(object)
    # These rows are sent as requests: a missing value is null, a number is no numpy scalar and keeps all its digits.
    return {
        "rows": objects.where(objects.notna(), None).to_dict(orient="records"),
        "predictions": predictions[picked].tolist(),
    }


def as_text(values: pd.Series[Any]) -> list[str]:
    """The values of a slice; a missing one is a value of its own."""
    return [_MISSING if missing else str(value) for value, missing in zip(values, values.isna(), strict=True)]
