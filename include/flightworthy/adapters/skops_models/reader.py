"""Load a sealed artifact and predict on plain arrays; needs only numpy, scikit-learn and skops, being in the server."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import scipy.sparse
import skops.io
from numpy.typing import NDArray
from skops.io.exceptions import UnsupportedTypeException, UntrustedTypesFoundException

from flightworthy.artifact import CONTRACT, MODEL, read_contract, verify
from flightworthy.errors import ArtifactRefused

__all__ = ["STEPS", "TRUSTED_TYPES", "SkopsModel", "SkopsSteps", "load_model", "load_steps"]

STEPS = "steps.skops"

TRUSTED_TYPES: Final[tuple[str, ...]] = (
    # skops audits what a partial calls; HistGradientBoosting keeps a partial of check_array.
    "functools.partial",
    "numpy.dtype",
    "sklearn.calibration._CalibratedClassifier",
    "sklearn.calibration._SigmoidCalibration",
    "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor",
    "sklearn.tree._tree.Tree",
    "sklearn.utils._bunch.Bunch",
    "sklearn.utils.validation.check_array",
)
"""What may be in a model besides what skops itself trusts (scikit-learn's public estimators, numpy and scipy types)."""


_UNREADABLE = (
    *(UnsupportedTypeException, zipfile.BadZipFile, OSError),
    *(AttributeError, ImportError, KeyError, RecursionError, TypeError, ValueError),
)
_is_none = np.frompyfunc(lambda value: value is None, 1, 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class SkopsModel:
    """A model that was verified before it was loaded. ``contract`` is the parsed contract.json."""

    contract: Mapping[str, Any]
    digest: str
    estimator: Any
    positive_column: int

    def predict(self, rows: NDArray[Any]) -> NDArray[np.float64]:
        """P(positive) of each row.

        ``rows`` is 2-D with the features in the contract's order: float if all are numbers, else object, where
        None and NaN both mean missing.
        """
        probabilities = self.estimator.predict_proba(_without_none(rows))
        return np.asarray(probabilities[:, self.positive_column], dtype=np.float64)


@dataclass(frozen=True, slots=True, kw_only=True)
class SkopsSteps:
    """What prepares rows for a model of another runtime; verified before it was loaded."""

    steps: Any

    def transform(self, rows: NDArray[Any], *, absent: float) -> NDArray[Any]:
        """The rows as the model takes them. ``absent`` is what it takes for a value that sparse rows leave out."""
        prepared = self.steps.transform(_without_none(rows))
        if not scipy.sparse.issparse(prepared):
            return np.asarray(prepared)
        written = prepared.tocoo()
        dense = np.full(written.shape, absent)
        dense[written.row, written.col] = written.data
        return dense


def load_model(folder: Path, *, digest: str | None = None) -> SkopsModel:
    """Verify ``folder`` against its manifest (and ``digest``), then load its model without running code from it.

    Raises ArtifactRefused when a file was changed, added or removed, or when the model holds a type that is not in
    TRUSTED_TYPES.
    """
    found = verify(folder, digest=digest)
    contract = read_contract(folder)
    estimator = _load(folder / MODEL)
    return SkopsModel(
        contract=contract,
        digest=found,
        estimator=estimator,
        positive_column=_positive_column(folder, contract, estimator),
    )


def load_steps(folder: Path, *, digest: str | None = None) -> SkopsSteps:
    """As ``load_model``, for the steps before a model that another runtime serves."""
    verify(folder, digest=digest)
    return SkopsSteps(steps=_load(folder / STEPS))


def _without_none(rows: NDArray[Any]) -> NDArray[Any]:
    return np.where(_is_none(rows).astype(bool), np.nan, rows) if rows.dtype == object else rows


def _load(path: Path) -> Any:
    try:
        return skops.io.load(path, trusted=list(TRUSTED_TYPES))
    except UntrustedTypesFoundException as error:
        raise _refusal(path, f"holds types that are not trusted ({error})") from error
    except _UNREADABLE as error:
        raise _refusal(path, f"cannot be read as a skops file ({type(error).__name__}: {error})") from error


def _positive_column(folder: Path, contract: Mapping[str, Any], estimator: Any) -> int:
    classes: list[Any] = np.asarray(getattr(estimator, "classes_", ())).tolist()
    output = contract.get("output")
    positive = output.get("positive") if isinstance(output, Mapping) else None
    if positive not in classes:
        raise _refusal(folder / CONTRACT, f"names the positive class {positive!r}; the model knows {classes}")
    return classes.index(positive)


def _refusal(path: Path, why: str) -> ArtifactRefused:
    return ArtifactRefused(
        f"{path} {why}. It was not loaded; train the model again with estimators that the server trusts.",
        folder=str(path.parent),
        file=path.name,
        why=why,
    )
