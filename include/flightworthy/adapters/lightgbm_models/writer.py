"""Keep a fitted LGBMClassifier as LightGBM's own text."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from flightworthy.adapters.lightgbm_models.reader import MODEL
from flightworthy.spec import Feature

__all__ = ["LightgbmPackager"]


@dataclass(frozen=True, slots=True, kw_only=True)
class LightgbmPackager:
    """Implements ``training.Packager``."""

    runtime: str = "lightgbm"
    tolerance: float = 0.0
    """The same library on the same numbers."""
    forms: tuple[str, ...] = ("",)

    def write(self, folder: Path, features: Mapping[str, Feature], estimator: Any, form: str) -> str:
        """Write the booster, as many rounds of it as the classifier predicts with; empty, or why it cannot."""
        kind = type(estimator)
        if kind.__name__ != "LGBMClassifier" or not kind.__module__.startswith("lightgbm."):
            return "is no LGBMClassifier"
        # Rounds after the best one, where training stopped early, are left out of the file.
        text = estimator.booster_.model_to_string(num_iteration=estimator.best_iteration_ or -1)
        (folder / MODEL).write_text(text, encoding="utf-8")
        return ""
