"""XGBoost's boosters in XGBoost's own UBJSON, asked through its C interface."""

from __future__ import annotations

from flightworthy.adapters.xgboost_models.reader import XgboostModel, load_model

__all__ = ["XgboostModel", "load_model"]
