"""The output contract: one probability for each row, or nothing is sent."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["OutputRefused", "checked"]


@dataclass(frozen=True, slots=True, kw_only=True)
class OutputRefused:
    """The model answered what is not a probability for each row; nothing of it is sent."""

    why: str


def checked(predictions: NDArray[Any], rows: int) -> NDArray[Any] | OutputRefused:
    """``predictions`` of so many ``rows``, if every one is a probability."""
    predictions = np.asarray(predictions)
    if predictions.shape != (rows,):
        return OutputRefused(why=f"expected {rows} predictions, got shape {predictions.shape}")
    if rows == 1:  # to let NumPy find out that one number is its own least and greatest takes two microseconds
        lowest = highest = predictions.item()
    else:
        lowest, highest = predictions.min(), predictions.max()
    # Written so that NaN, which compares false with everything, is refused.
    if not (lowest >= 0.0 and highest <= 1.0):
        return OutputRefused(why="a prediction is not between 0 and 1")
    return predictions
