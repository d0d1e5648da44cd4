"""The fitted model as the yardstick: what it answers to each row, and which rows it refuses."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from flightworthy.errors import ModelCodeError
from flightworthy.spec import Spec

__all__ = ["FittedModel", "answers_or_nan", "calmly"]


@dataclass(frozen=True, slots=True, kw_only=True)
class FittedModel:
    """What the author's ``train`` returned, asked by DataFrames, as it was fitted."""

    spec: Spec
    estimator: Any

    def predict(self, frame: pd.DataFrame) -> NDArray[np.float64]:
        """P(positive) of each row. Raises whatever the estimator raises."""
        positive = np.asarray(self.estimator.classes_).tolist().index(self.spec.positive)
        probabilities = calmly(lambda: self.estimator.predict_proba(frame[list(self.spec.features)]))
        return np.asarray(probabilities, dtype=np.float64)[:, positive]

    def predict_all(self, frame: pd.DataFrame) -> NDArray[np.float64]:
        """As ``predict``, where there is no excuse. Raises ModelCodeError."""
        try:
            found = self.predict(frame)
        except Exception as error:
            raise self._refusal(f"fails ({type(error).__name__}: {error})") from error
        if not bool(np.all((found >= 0.0) & (found <= 1.0))):
            raise self._refusal("answers what is no probability")
        return found

    def answers(self, frame: pd.DataFrame) -> NDArray[np.float64]:
        """As ``predict``, NaN for a row that the model refuses or answers with no probability."""
        return answers_or_nan(self.predict, frame, lambda rows, at: rows.iloc[at : at + 1])

    def _refusal(self, what: str) -> ModelCodeError:
        return ModelCodeError(
            f"{self.spec.model}: the model that train.py returned {what} on the rows it is given as they are: a "
            "DataFrame of the features of model.yaml. Let it take them so; what prepares them belongs in its pipeline.",
            model=self.spec.model,
            why=what,
        )


def answers_or_nan(
    predict: Callable[[Any], NDArray[np.float64]], rows: Any, one: Callable[[Any, int], Any]
) -> NDArray[np.float64]:
    """Ask for all rows, or, where one of them makes it fail, for each; NaN where there is no probability."""
    try:
        found = calmly(lambda: predict(rows))
    # Whatever a model raises is a refusal to answer, also what its libraries raise in its name.
    except Exception:  # noqa: BLE001
        if len(rows) == 1:
            return np.array([np.nan])
        return np.concatenate([answers_or_nan(predict, one(rows, at), one) for at in range(len(rows))])
    return np.where((found >= 0.0) & (found <= 1.0), found, np.nan)


def calmly(ask: Callable[[], Any]) -> Any:
    """Without warnings: of column names that an array lacks, of categories that a probe makes up."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return ask()
