"""What the training rows hold of each feature, for the contract: the range of a number, the values of a category."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from flightworthy.spec import Feature

__all__ = ["seen_of"]


def seen_of(feature: Feature, values: pd.Series[Any]) -> dict[str, Any] | None:
    """As contract.json holds it; None of what has no range or is missing throughout."""
    present = values.dropna()
    if feature.type == "boolean" or present.empty:
        return None
    if feature.type == "category":
        return {"values": sorted(set(present.astype(str)))}
    numbers = present.to_numpy(dtype=np.float64)
    return {"minimum": float(numbers.min()), "maximum": float(numbers.max())}
