"""One model version, ready to answer: rows in, probabilities out, neither side allowed to break its contract."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from flightworthy.adapters.skops_models import load_model
from flightworthy.artifact import GOLDEN, read_json
from flightworthy.errors import ArtifactRefused
from flightworthy.serving.contract import Contract, Row, parse_contract
from flightworthy.serving.outputs import OutputRefused, checked

__all__ = ["TOLERANCE", "Golden", "OutputRefused", "Predictor", "Scorer", "load_scorer"]

TOLERANCE = 1e-6
"""Between training and serving lie two processors' ways of summing the same floats, and nothing else."""


class Predictor(Protocol):
    """What a runtime offers: P(positive) of each row."""

    def predict(self, rows: NDArray[Any], /) -> NDArray[np.float64]: ...


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


def load_scorer(folder: Path, *, digest: str | None = None) -> Scorer:
    """Verify the artifact in ``folder`` and load what serving needs of it. Raises ArtifactRefused."""
    model = load_model(folder, digest=digest)
    contract = parse_contract(model.contract)
    return Scorer(
        predictor=model,
        contract=contract,
        golden=_golden(folder, contract),
        digest=model.digest,
        mlflow_version=_mlflow_version(folder),
    )


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
