"""Small artifacts to serve, made in milliseconds the way training seals them."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import skops.io
from sklearn.compose import ColumnTransformer
from sklearn.datasets import load_breast_cancer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from flightworthy.artifact import CONTRACT, GOLDEN, MODEL, canonical, seal

__all__ = ["NAMES", "golden_rows", "make_diagnosis", "make_fraud", "with_requests", "write_artifact"]

NAMES = tuple(str(name).replace(" ", "_") for name in load_breast_cancer().feature_names)


def make_diagnosis(folder: Path) -> str:
    """Thirty numbers, logistic regression. Returns the artifact digest."""
    data = load_breast_cancer()
    estimator = make_pipeline(StandardScaler(), LogisticRegression(max_iter=500)).fit(data.data, data.target)
    features = [{"name": name, "type": "number", "nullable": False} for name in NAMES]
    rows = [dict(zip(NAMES, row, strict=True)) for row in data.data[:20].tolist()]
    return write_artifact(folder, "diagnosis", estimator, features, rows)


def make_fraud(folder: Path) -> str:
    """One feature of each type, with a closed category, a range and a nullable. Returns the artifact digest."""
    rows = [
        {"amount": float(i % 7), "items": i % 5, "country": "NLDE"[i % 2 * 2 :][:2], "is_new": i % 3 == 0}
        for i in range(60)
    ]
    matrix = np.array([list(row.values()) for row in rows], dtype=object)
    columns = [("numbers", "passthrough", [0, 1, 3]), ("words", OneHotEncoder(handle_unknown="ignore"), [2])]
    estimator = make_pipeline(ColumnTransformer(columns), LogisticRegression())
    estimator.fit(matrix, np.array([i % 7 > 3 for i in range(60)], dtype=int))
    features = [
        {"name": "amount", "type": "number", "nullable": False, "minimum": 0, "maximum": 1000},
        {"name": "items", "type": "integer", "nullable": False},
        {"name": "country", "type": "category", "nullable": True, "values": ["NL", "DE"]},
        {"name": "is_new", "type": "boolean", "nullable": False},
    ]
    return write_artifact(folder, "fraud", estimator, features, rows[:10])


def write_artifact(
    folder: Path, model: str, estimator: Any, features: list[dict[str, Any]], rows: list[dict[str, Any]]
) -> str:
    """Write and seal an artifact as training does. Returns its digest."""
    folder.mkdir(parents=True)
    numeric = all(feature["type"] == "number" for feature in features)
    matrix = np.array([list(row.values()) for row in rows], dtype=float if numeric else object)
    predictions = estimator.predict_proba(matrix)[:, 1].tolist()
    output = {"kind": "probability", "classes": [0, 1], "positive": 1, "threshold": 0.5}
    contract = {"model": model, "entity": "id", "features": features, "output": output, "runtime": "skops"}
    (folder / CONTRACT).write_bytes(canonical(contract))
    (folder / GOLDEN).write_bytes(canonical({"rows": rows, "predictions": predictions}))
    (folder / "MLmodel").write_text("mlflow_version: 3.17.2\n")
    skops.io.dump(estimator, folder / MODEL)
    return seal(folder)


SEEN = {
    "amount": {"minimum": 0.0, "maximum": 6.0},
    "items": {"minimum": 0.0, "maximum": 4.0},
    "country": {"values": ["DE", "NL"]},
}
"""What the rows of ``make_fraud`` hold."""


def with_requests(fraud: Path, folder: Path, **policy: str) -> Path:
    """The fraud model with its country left open, what its rows held, and what becomes of requests that do not."""
    shutil.copytree(fraud, folder)
    contract = json.loads((folder / CONTRACT).read_bytes())
    for feature in contract["features"]:
        feature.pop("values", None)
        feature.update({"seen": SEEN[feature["name"]]} if feature["name"] in SEEN else {})
    (folder / CONTRACT).write_bytes(canonical({**contract, "requests": policy}))
    seal(folder)
    return folder


def golden_rows(folder: Path) -> tuple[list[dict[str, Any]], list[float]]:
    """The rows and predictions that are sealed in ``folder``."""
    golden = json.loads((folder / GOLDEN).read_bytes())
    return golden["rows"], golden["predictions"]
