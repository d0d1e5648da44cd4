"""scikit-learn models on disk without pickle: read safely by the server, written by training."""

from __future__ import annotations

from flightworthy.adapters.skops_models.reader import TRUSTED_TYPES, SkopsModel, load_model, load_steps

__all__ = ["TRUSTED_TYPES", "SkopsModel", "load_model", "load_steps"]
