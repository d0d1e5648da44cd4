"""Write a fitted classifier as a folder from which a server without pandas predicts the same, and prove that."""

from __future__ import annotations

import json
import warnings
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import skops.io
from numpy.typing import NDArray

from flightworthy.adapters.skops_models.positions import by_position
from flightworthy.adapters.skops_models.reader import TRUSTED_TYPES, SkopsModel, load_model
from flightworthy.artifact import CONTRACT, GOLDEN, MODEL, REFERENCE, canonical, seal
from flightworthy.errors import ModelCodeError, Refused
from flightworthy.evaluation import Scored
from flightworthy.spec import Spec
from flightworthy.training import TrainingOrder, contract_of

__all__ = ["PREDICTION", "SkopsArtifacts"]

PREDICTION = "prediction"
"""Column of reference.parquet that holds the predictions of the training rows, beside the features."""

_TOLERANCE = 1e-9
_MISSING = "(missing)"


@dataclass(frozen=True, slots=True, kw_only=True)
class SkopsArtifacts:
    """Implements ``training.Artifacts`` for scikit-learn classifiers."""

    def write(self, folder: Path, order: TrainingOrder, fitted: Any, frame: pd.DataFrame) -> None:
        """Write model, contract, golden requests and drift reference, then seal ``folder``.

        Raises ModelCodeError where the model holds types that the server does not trust, or where it predicts
        otherwise on a plain array, which is all that a server has, than on the DataFrame it was fitted on.
        """
        spec = order.spec
        _write_model(folder, spec, fitted)
        contract = contract_of(spec)
        contract["output"]["classes"] = np.asarray(fitted.classes_).tolist()
        (folder / CONTRACT).write_bytes(canonical(contract))
        seal(folder)
        predictions = _prove_parity(load_model(folder), spec, fitted, frame)
        (folder / GOLDEN).write_bytes(canonical(_golden(spec, frame, predictions)))
        reference = frame[list(spec.features)].assign(**{PREDICTION: predictions})
        reference.to_parquet(folder / REFERENCE, index=False)
        seal(folder)

    def score(self, folder: Path, spec: Spec, frame: pd.DataFrame) -> Scored:
        """Predict ``frame`` with the artifact in ``folder``, as its server would. Raises ArtifactRefused, Refused."""
        unlabelled = int(frame[spec.target].isna().sum())
        if unlabelled:
            raise Refused(
                f"{spec.model}: {unlabelled} of {len(frame)} rows have no {spec.target}, so predictions cannot be held "
                "against it. Let suite.yaml refuse rows without a label, or leave them out of the source.",
                model=spec.model,
                rows=len(frame),
                unlabelled=unlabelled,
            )
        return Scored(
            labels=(frame[spec.target] == spec.positive).astype(int).tolist(),
            predictions=load_model(folder).predict(rows_of(spec, frame)).tolist(),
            slices={name: _as_text(frame[name]) for name in spec.evaluation.slices},
        )


def rows_of(spec: Spec, frame: pd.DataFrame) -> NDArray[Any]:
    """Features of ``frame`` as a server's request parser makes them: float if all are numbers, else object."""
    features = frame[list(spec.features)]
    if all(feature.type in {"number", "integer"} for feature in spec.features.values()):
        return features.to_numpy(dtype=np.float64, na_value=np.nan)
    objects = features.astype(object)
    return objects.where(objects.notna(), np.nan).to_numpy(dtype=object)


def _write_model(folder: Path, spec: Spec, fitted: Any) -> None:
    try:
        skops.io.dump(by_position(fitted), folder / MODEL, compression=zipfile.ZIP_DEFLATED)
    except Exception as error:
        raise _refusal(spec, f"cannot be written by skops ({type(error).__name__}: {error})") from error
    untrusted = sorted(set(skops.io.get_untrusted_types(file=folder / MODEL)) - set(TRUSTED_TYPES))
    if untrusted:
        raise _refusal(spec, f"holds types that a server does not load: {', '.join(untrusted)}")


def _prove_parity(model: SkopsModel, spec: Spec, fitted: Any, frame: pd.DataFrame) -> NDArray[np.float64]:
    with warnings.catch_warnings():
        # A model fitted on arrays warns about the column names of a DataFrame; both are fine here.
        warnings.simplefilter("ignore", UserWarning)
        expected = np.asarray(fitted.predict_proba(frame[list(spec.features)]))[:, model.positive_column]
    try:
        found = model.predict(rows_of(spec, frame))
    except Exception as error:
        raise _refusal(spec, f"does not predict on a plain array ({type(error).__name__}: {error})") from error
    difference = float(np.max(np.abs(found - expected), initial=0.0))
    threshold = spec.evaluation.threshold
    flipped = int(np.sum((found >= threshold) != (expected >= threshold)))
    if flipped or not difference <= _TOLERANCE:
        why = f"predicts otherwise on a plain array than on a DataFrame: {flipped} labels flip, by up to {difference:g}"
        raise _refusal(spec, why)
    return found


def _golden(spec: Spec, frame: pd.DataFrame, predictions: NDArray[np.float64]) -> dict[str, Any]:
    picked = np.unique(np.linspace(0, len(frame) - 1, min(spec.release.golden_requests, len(frame))).astype(int))
    rows = frame[list(spec.features)].iloc[picked]
    # Through JSON, since these rows are sent as requests: a missing value is null, a number is no numpy scalar.
    return {
        "rows": json.loads(rows.to_json(orient="records", double_precision=15)),
        "predictions": predictions[picked].tolist(),
    }


def _as_text(values: pd.Series[Any]) -> list[str]:
    return [_MISSING if missing else str(value) for value, missing in zip(values, values.isna(), strict=True)]


def _refusal(spec: Spec, why: str) -> ModelCodeError:
    return ModelCodeError(
        f"{spec.model}: the model that train.py returned {why}. It would not serve what was evaluated; build it from "
        "scikit-learn's own transformers and classifiers (ColumnTransformer, encoders, scalers, ...).",
        model=spec.model,
        why=why,
    )
