"""The files that make a folder an MLflow model: MLmodel with the flavour of its runtime, and requirements.txt.

MLflow's own ``save_model`` would write the model a second time and read it again for its requirements; the files here
are those it writes, for a model that is there already. A model in two parts has no flavour: MLflow knows nothing that
reads both, and its own tools show such a version without being able to load it.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final, NamedTuple

import mlflow.pyfunc
import skops.io
from mlflow.entities import LoggedModel
from mlflow.models import Model, ModelSignature
from mlflow.types import ColSpec, DataType, Schema

from flightworthy.artifact import MODEL
from flightworthy.runtime import choice_in
from flightworthy.spec import Feature, Spec

__all__ = ["write_model_files"]


class _Flavour(NamedTuple):
    """How MLflow names what can read one file."""

    name: str
    file: str
    packages: tuple[str, ...]
    facts: Mapping[str, Any]


_FLAVOURS: Final[Mapping[str, _Flavour]] = {
    "onnx": _Flavour(
        "onnx",
        "model.onnx",
        ("onnx", "onnxruntime"),
        {"onnx_version": version("onnx"), "data": "model.onnx", "providers": ["CPUExecutionProvider"]},
    ),
    "lightgbm": _Flavour(
        "lightgbm",
        "model.lightgbm.txt",
        ("lightgbm",),
        {
            "lgb_version": version("lightgbm"),
            "data": "model.lightgbm.txt",
            "model_class": "lightgbm.basic.Booster",
        },
    ),
    "xgboost": _Flavour(
        "xgboost",
        "model.ubj",
        ("xgboost-cpu",),
        {
            "xgb_version": version("xgboost-cpu"),
            "data": "model.ubj",
            "model_class": "xgboost.core.Booster",
            "model_format": "ubj",
        },
    ),
    "skops": _Flavour(
        "sklearn",
        MODEL,
        ("scikit-learn", "scipy", "skops"),
        {"pickled_model": MODEL, "serialization_format": "skops", "sklearn_version": version("scikit-learn")},
    ),
}


def write_model_files(folder: Path, spec: Spec, logged: LoggedModel) -> None:
    """Complete ``folder``, which holds a packaged model, so that MLflow's own tools can read it."""
    model = Model(
        artifact_path=logged.artifact_location,
        run_id=logged.source_run_id,
        model_uuid=logged.model_id,
        model_id=logged.model_id,
        signature=ModelSignature(inputs=_schema(spec)),
    )
    runtime = choice_in(folder).runtime
    if (flavour := _FLAVOURS.get(runtime)) is not None:
        _add(model, folder, flavour)
    model.save(str(folder / "MLmodel"))
    packages = [name for part in runtime.split("+") for name in _FLAVOURS[part].packages]
    lines = [f"{name}=={version(name)}\n" for name in ("mlflow", "numpy", "pandas", *packages)]
    (folder / "requirements.txt").write_text("".join(lines))


def _add(model: Model, folder: Path, flavour: _Flavour) -> None:
    facts = dict(flavour.facts)
    if flavour.name == "sklearn":
        mlflow.pyfunc.add_to_model(model, loader_module="mlflow.sklearn", data=MODEL, predict_fn="predict_proba")
        # What was written was audited against our own list; MLflow's loader wants to know what of it to let pass.
        facts["skops_trusted_types"] = skops.io.get_untrusted_types(file=folder / MODEL)
    else:
        mlflow.pyfunc.add_to_model(model, loader_module=f"mlflow.{flavour.name}", data=flavour.file)
    model.add_flavor(flavour.name, code=None, **facts)


def _schema(spec: Spec) -> Schema:
    return Schema(
        [ColSpec(_type_of(feature), name, required=not feature.nullable) for name, feature in spec.features.items()]
    )


def _type_of(feature: Feature) -> DataType:
    # A column of integers with a gap is a column of floats to pandas.
    if feature.type == "integer":
        return DataType.double if feature.nullable else DataType.long
    return {"number": DataType.double, "category": DataType.string, "boolean": DataType.boolean}[feature.type]
