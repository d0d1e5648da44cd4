"""LightGBM's boosters in LightGBM's own text format, asked through its C interface."""

from __future__ import annotations

from flightworthy.adapters.lightgbm_models.reader import LightgbmModel, load_model

__all__ = ["LightgbmModel", "load_model"]
