"""Keep a fitted XGBClassifier as XGBoost's own UBJSON."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from flightworthy.adapters.xgboost_models.reader import MODEL
from flightworthy.spec import Feature

__all__ = ["XgboostPackager"]


@dataclass(frozen=True, slots=True, kw_only=True)
class XgboostPackager:
    """Implements ``training.Packager``."""

    runtime: str = "xgboost"
    tolerance: float = 0.0
    """The same library on the same numbers."""
    forms: tuple[str, ...] = ("",)

    def write(self, folder: Path, features: Mapping[str, Feature], estimator: Any, form: str) -> str:
        """Write the booster, as many rounds of it as the classifier predicts with; empty, or why it cannot."""
        kind = type(estimator)
        if kind.__name__ != "XGBClassifier" or not kind.__module__.startswith("xgboost."):
            return "is no XGBClassifier"
        if not math.isnan(estimator.missing):
            return f"counts {estimator.missing} as missing, which its file does not say"
        booster = estimator.get_booster()
        best = getattr(estimator, "best_iteration", None)
        if best is not None:
            # Rounds after the best one, where training stopped early, are left out of the file.
            booster = booster[: best + 1]
        booster.save_model(folder / MODEL)
        return ""
