"""One model version, ready to answer: rows in, probabilities out, neither side allowed to break its contract."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from flightworthy.artifact import GOLDEN, read_json, verify
from flightworthy.errors import ArtifactRefused
from flightworthy.runtime import RUNTIME, choice_in, parts_of
from flightworthy.serving.contract import Contract, Row
from flightworthy.serving.contract_file import parse_contract
from flightworthy.serving.outputs import OutputRefused, checked

__all__ = ["TOLERANCE", "Golden", "OutputRefused", "Predictor", "Scorer", "load_predictor", "load_scorer"]

TOLERANCE = 1e-6
"""Between training and serving lie two processors' ways of summing the same floats, and nothing else."""


class Predictor(Protocol):
    """What a runtime offers: P(positive) of each row."""

    def predict(self, rows: NDArray[Any], /) -> NDArray[np.float64]: ...


class LoadedModel(Predictor, Protocol):
    """What an adapter loads: a predictor with the contract that is sealed beside it."""

    @property
    def contract(self) -> Mapping[str, Any]: ...

    @property
    def digest(self) -> str: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class PreparedModel:
    """A booster in its library's own form, behind the transformers of the pipeline that it was the end of."""

    contract: Mapping[str, Any]
    digest: str
    steps: Any
    model: Any

    def predict(self, rows: NDArray[Any], /) -> NDArray[np.float64]:
        """P(positive) of each row."""
        return self.model.predict(self.steps.transform(rows, absent=self.model.absent))  # type: ignore[no-any-return]


@dataclass(frozen=True, slots=True, kw_only=True)
class Golden:
    """Rows as a client sends them, and what the model made of them when it was trained."""

    rows: Sequence[Mapping[str, Any]]
    predictions: Sequence[float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Scorer:
    """A loaded model with its contract, its golden requests and the digest of the artifact it came from."""

    predictor: Predictor
    contract: Contract
    golden: Golden
    digest: str
    mlflow_version: str

    def score(self, rows: Sequence[Row]) -> list[float] | OutputRefused:
        """P(positive) of each row, whose values are in the contract's order."""
        predictions = self.predict(self.contract.matrix(rows))
        if isinstance(predictions, OutputRefused):
            return predictions
        answers: list[float] = predictions.tolist()
        return answers

    def predict(self, matrix: NDArray[Any]) -> NDArray[Any] | OutputRefused:
        """P(positive) of each row of a matrix as ``Contract.matrix`` makes it."""
        return checked(self.predictor.predict(matrix), len(matrix))

    def warm_up(self) -> str | None:
        """Score the golden rows, one by one as clients do and all at once; None, or how the answers differ."""
        rows = [tuple(row[name] for name in self.contract.names) for row in self.golden.rows]
        for batch, expected in [(rows, self.golden.predictions)] + [
            ([row], [prediction]) for row, prediction in zip(rows, self.golden.predictions, strict=True)
        ]:
            found = self.score(batch)
            if isinstance(found, OutputRefused):
                return f"golden rows: {found.why}"
            worst = max(abs(mine - trained) for mine, trained in zip(found, expected, strict=True))
            if not worst <= TOLERANCE:
                return f"golden rows differ from training by {worst:.3g}, more than {TOLERANCE:g}"
        return None


def load_scorer(folder: Path, *, digest: str | None = None, key: bytes | None = None) -> Scorer:
    """Verify the artifact in ``folder`` and load what serving needs of it. Raises ArtifactRefused.

    ``key``: that of the pseudonyms.
    """
    predictor = load_predictor(folder, digest=digest)
    contract = parse_contract(predictor.contract, key=key)
    return Scorer(
        predictor=predictor,
        contract=contract,
        golden=_golden(folder, contract),
        digest=predictor.digest,
        mlflow_version=_mlflow_version(folder),
    )


def load_predictor(folder: Path, *, digest: str | None = None) -> LoadedModel:
    """Verify the artifact in ``folder`` and load its model with the runtime that it names. Raises ArtifactRefused.

    Only that runtime is imported: a model's image holds no other.
    """
    verify(folder, digest=digest)
    *before, last = parts_of(choice_in(folder).runtime)
    model: Any
    if last == "onnx":
        from flightworthy.adapters import onnx_models

        model = onnx_models.load_model(folder, digest=digest)
    elif last == "lightgbm":
        from flightworthy.adapters import lightgbm_models

        model = lightgbm_models.load_model(folder, digest=digest)
    elif last == "xgboost":
        from flightworthy.adapters import xgboost_models

        model = xgboost_models.load_model(folder, digest=digest)
    else:
        from flightworthy.adapters import skops_models

        model = skops_models.load_model(folder, digest=digest)
    if not before:
        return model  # type: ignore[no-any-return]
    return _prepared(folder, before, model)


def _prepared(folder: Path, before: Sequence[str], model: Any) -> PreparedModel:
    if list(before) != ["skops"] or not hasattr(model, "absent"):
        raise ArtifactRefused(
            f"{folder}: {RUNTIME} names {'+'.join(before)} before a model that takes rows as they are. Nothing was "
            "loaded; train and register the model again.",
            folder=str(folder),
            file=RUNTIME,
        )
    from flightworthy.adapters.skops_models import load_steps

    steps = load_steps(folder, digest=model.digest)
    return PreparedModel(contract=model.contract, digest=model.digest, steps=steps, model=model)


def _golden(folder: Path, contract: Contract) -> Golden:
    raw = read_json(folder / GOLDEN)
    rows, predictions = raw.get("rows"), raw.get("predictions")
    if not rows or not predictions or len(rows) != len(predictions):
        raise _golden_refusal(folder, "holds no rows, or not one prediction for each")
    if any(set(row) != set(contract.names) for row in rows):
        raise _golden_refusal(folder, "holds a row whose names are not the contract's")
    return Golden(rows=rows, predictions=predictions)


def _golden_refusal(folder: Path, why: str) -> ArtifactRefused:
    return ArtifactRefused(
        f"{folder}: {GOLDEN} {why}. Without golden requests nothing shows that the server answers as training did; "
        "train and register the model again.",
        folder=str(folder),
        file=GOLDEN,
        why=why,
    )


def _mlflow_version(folder: Path) -> str:
    """The MLflow version that wrote the artifact: what a client of MLflow's own server reads at /version."""
    try:
        lines = (folder / "MLmodel").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    found = [line.partition(":")[2].strip() for line in lines if line.startswith("mlflow_version:")]
    return found[0] if found else "unknown"
