"""The files that make a folder an MLflow model: MLmodel with scikit-learn's flavour, and requirements.txt.

``mlflow.sklearn.save_model`` would write the model a second time and read it again for its requirements; the files
here are those it writes, for a model.skops that is there already.
"""

from __future__ import annotations

from importlib.metadata import version
from pathlib import Path

import mlflow.pyfunc
import skops.io
from mlflow.entities import LoggedModel
from mlflow.models import Model, ModelSignature
from mlflow.types import ColSpec, DataType, Schema

from flightworthy.artifact import MODEL
from flightworthy.spec import Feature, Spec

__all__ = ["write_model_files"]

_REQUIREMENTS = ("mlflow", "numpy", "pandas", "scikit-learn", "scipy", "skops")


def write_model_files(folder: Path, spec: Spec, logged: LoggedModel) -> None:
    """Complete ``folder``, which holds model.skops, so that MLflow's own tools can read it."""
    model = Model(
        artifact_path=logged.artifact_location,
        run_id=logged.source_run_id,
        model_uuid=logged.model_id,
        model_id=logged.model_id,
        signature=ModelSignature(inputs=_schema(spec)),
    )
    mlflow.pyfunc.add_to_model(model, loader_module="mlflow.sklearn", data=MODEL, predict_fn="predict_proba")
    model.add_flavor(
        "sklearn",
        pickled_model=MODEL,
        serialization_format="skops",
        sklearn_version=version("scikit-learn"),
        # What was written was audited against our own list; MLflow's loader wants to know what of it to let pass.
        skops_trusted_types=skops.io.get_untrusted_types(file=folder / MODEL),
        code=None,
    )
    model.save(str(folder / "MLmodel"))
    lines = [f"{name}=={version(name)}\n" for name in _REQUIREMENTS]
    (folder / "requirements.txt").write_text("".join(lines))


def _schema(spec: Spec) -> Schema:
    return Schema(
        [ColSpec(_type_of(feature), name, required=not feature.nullable) for name, feature in spec.features.items()]
    )


def _type_of(feature: Feature) -> DataType:
    # A column of integers with a gap is a column of floats to pandas.
    if feature.type == "integer":
        return DataType.double if feature.nullable else DataType.long
    return {"number": DataType.double, "category": DataType.string, "boolean": DataType.boolean}[feature.type]
