"""A small model to train in tests: its spec, its rows, an order for it, and the author's folder."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from flightworthy.spec import Spec
from flightworthy.training import Frames, Lineage, Param, TrainingOrder

FEATURES: Mapping[str, Any] = {
    "age": {"type": "integer"},
    "income": {"type": "number", "nullable": True},
    "colour": {"type": "category", "nullable": True},
    "is_new": {"type": "boolean"},
}
NUMBERS: Mapping[str, Any] = {"age": {"type": "integer"}, "income": {"type": "number"}}

TRAIN = """
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline


def train(frame, params, seed):
    model = make_pipeline(SimpleImputer(), LogisticRegression(random_state=seed, **params))
    return model.fit(frame[["age", "income"]], frame["bought"])
"""


def make_spec(model: str = "shop", *, features: Mapping[str, Any] = FEATURES, **changes: Any) -> Spec:
    said = {
        "model": model,
        "owner": "tests",
        "entity": "customer",
        "target": "bought",
        "features": dict(features),
        "source": {"uri": "data/{partition}.csv", "partition": "%Y-%m-%d"},
        "schedule": {"cron": "0 0 * * *", "start_at": "2025-01-01"},
        "gates": [{"metric": "roc_auc", "at_least": 0.6}],
        **changes,
    }
    return Spec.model_validate(said)


def make_frame(rows: int = 240, *, seed: int = 5) -> pd.DataFrame:
    generator = np.random.default_rng(seed)
    age = generator.integers(18, 80, rows)
    income = generator.normal(3.0, 1.0, rows)
    colour = generator.choice(["red", "green", "blue"], rows).astype(object)
    score = (age - 50) / 12 + income - 3 + (colour == "red") + generator.normal(0, 1, rows)
    frame = pd.DataFrame(
        {
            "customer": np.arange(rows),
            "age": age,
            "income": income,
            "colour": pd.Series(colour, dtype="str"),
            "is_new": generator.random(rows) < 0.5,
            "bought": (score > 0).astype(int),
        }
    )
    frame.loc[[3, 17], "income"] = np.nan
    frame.loc[[4, 90], "colour"] = None
    return frame


def make_frames(rows: int = 240) -> Frames:
    frame = make_frame(rows)
    cut = rows * 2 // 3
    return Frames(training=frame[:cut].reset_index(drop=True), validation=frame[cut:].reset_index(drop=True))


def make_order(
    spec: Spec | None = None, *, params: Mapping[str, Param] | None = None, dataset: str = "d", **lineage: str
) -> TrainingOrder:
    said = {
        "dataset_digest": (dataset * 64)[:64],
        "partition_key": "2025-01-06",
        "code_commit": "c0ffee",
        "code_digest": "a" * 64,
        "lock_digest": "b" * 64,
        "config_digest": "e" * 64,
        "intent": "new_data",
        "airflow_run_id": "manual__1",
        **lineage,
    }
    return TrainingOrder(spec=spec or make_spec(), params=params or {"C": 1.0}, lineage=Lineage(**said))


def make_model_folder(models: Path, model: str = "shop", code: str = TRAIN) -> Path:
    folder = models / model
    folder.mkdir(parents=True)
    (folder / "train.py").write_text(code)
    return folder


def frames_of(frame: pd.DataFrame) -> Frames:
    """All rows to train on, and the same ones held."""
    return Frames(training=frame, validation=frame)
