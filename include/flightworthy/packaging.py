"""How a fitted model becomes what is served: every runtime there is, in the order in which they are preferred."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from flightworthy.adapters.model_artifacts import ModelArtifacts

__all__ = ["model_artifacts"]


def model_artifacts() -> ModelArtifacts:
    """Models in the form of the first runtime that is proven equal, loaded as their server loads them."""
    from flightworthy.adapters.lightgbm_models.writer import LightgbmPackager
    from flightworthy.adapters.model_artifacts import ModelArtifacts
    from flightworthy.adapters.onnx_models.writer import OnnxPackager
    from flightworthy.adapters.skops_models.writer import SkopsPackager, SkopsStepsPackager
    from flightworthy.adapters.xgboost_models.writer import XgboostPackager
    from flightworthy.serving.scoring import load_predictor

    lightgbm, xgboost = LightgbmPackager(), XgboostPackager()
    return ModelArtifacts(
        packagers=(
            OnnxPackager(),
            lightgbm,
            xgboost,
            SkopsStepsPackager(last=lightgbm),
            SkopsStepsPackager(last=xgboost),
            SkopsPackager(),
        ),
        load=load_predictor,
    )
