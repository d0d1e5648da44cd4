"""Models as ONNX graphs: run by the server with ONNX Runtime alone, converted by training."""

from __future__ import annotations

from flightworthy.adapters.onnx_models.reader import OnnxModel, load_model

__all__ = ["OnnxModel", "load_model"]
