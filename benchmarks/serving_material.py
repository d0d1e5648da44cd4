"""The models that every server of ``benchmarks.serving`` answers with: fitted once, saved as each of them reads it.

``python -m benchmarks.serving_material FOLDER SEED MODEL…`` runs in a process of its own, so that nothing of training
is left in the one that measures. It leaves in ``FOLDER/<model>/``::

    artifact/         as Flightworthy's own training writes it; refused.txt instead, where it does not package it
    mlflow/           an MLflow model in the library's own flavour, with a signature
    model.joblib      the fitted estimator
    model.bst         LightGBM's own file, for LightGBM
    rows.json         rows that it was not fitted on, and the answers of the fitted estimator
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.result import ROOT

if TYPE_CHECKING:
    import pandas as pd

    from flightworthy.spec import Spec
    from flightworthy.training import Artifacts, TrainingOrder

MODELS = ("lightgbm", "logistic_regression", "random_forest")
FEATURES = tuple(f"measure_{number:02}" for number in range(30))
_TARGET, _ENTITY = "late", "parcel"
_FITTED_ON, _ASKED = 10_000, 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Material:
    """One model as every server needs it."""

    model: str
    folder: Path

    @property
    def artifact(self) -> Path:
        """The sealed artifact of our own server."""
        return self.folder / "artifact"

    @property
    def refusal(self) -> str | None:
        """Why there is no artifact, if there is none."""
        refused = self.folder / "refused.txt"
        return refused.read_text(encoding="utf-8") if refused.is_file() else None

    def asked(self, rows: int) -> tuple[list[list[float]], list[float]]:
        """The first rows to ask for, and what the fitted estimator answers to them."""
        found = json.loads((self.folder / "rows.json").read_text(encoding="utf-8"))
        return found["rows"][:rows], found["answers"][:rows]


def prepare(folder: Path, models: Sequence[str], *, seed: int = 7) -> dict[str, Material]:
    """Fit and save ``models`` in a process of its own; another seed makes other data, and so other versions of them."""
    command = [sys.executable, "-m", "benchmarks.serving_material", str(folder), str(seed), *models]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"the models were not made:\n{done.stderr[-4000:]}")
    return {model: Material(model=model, folder=folder / model) for model in models}


def main(folder: Path, seed: int, models: Sequence[str]) -> None:
    """Fit each model and save it for everybody."""
    known = _frame(_FITTED_ON + _ASKED, seed)
    fitting, asked = known[:_FITTED_ON], known[_FITTED_ON:].reset_index(drop=True)
    artifacts = _artifacts()
    for model in models:
        target = folder / model
        target.mkdir(parents=True)
        fitted = _estimator(model).fit(fitting[list(FEATURES)], fitting[_TARGET])
        answers = fitted.predict_proba(asked[list(FEATURES)])[:, 1]
        told = {"rows": asked[list(FEATURES)].to_numpy().tolist(), "answers": answers.tolist()}
        (target / "rows.json").write_text(json.dumps(told), encoding="utf-8")
        _save_for_peers(target, fitted, asked[list(FEATURES)])
        _package(target, artifacts, _order(model), fitted, fitting)


def _estimator(model: str) -> Any:
    """One thread each: a server answers one row at a time, and its neighbours want the other cores."""
    from lightgbm import LGBMClassifier
    from sklearn.ensemble import RandomForestClassifier
    from sklearn.linear_model import LogisticRegression

    known: dict[str, Any] = {
        "logistic_regression": LogisticRegression(max_iter=1000),
        "lightgbm": LGBMClassifier(n_estimators=200, random_state=7, n_jobs=1, verbose=-1),
        "random_forest": RandomForestClassifier(n_estimators=100, random_state=7, n_jobs=1),
    }
    return known[model]


def _frame(rows: int, seed: int) -> pd.DataFrame:
    """Measurements with six decimals, as files have them, and a target that depends on some of them, not by a line."""
    import numpy as np
    import pandas as pd

    generator = np.random.default_rng(seed)
    values = generator.normal(0.0, 1.0, (rows, len(FEATURES))).round(6)
    score = values[:, 0] + values[:, 1] * values[:, 2] + np.sin(2 * values[:, 3]) + generator.normal(0, 0.5, rows)
    frame = pd.DataFrame(values, columns=list(FEATURES))
    return frame.assign(**{_TARGET: (score > 0).astype(int), _ENTITY: np.arange(rows)})


def _save_for_peers(folder: Path, fitted: Any, rows: pd.DataFrame) -> None:
    import joblib  # type: ignore[import-untyped]
    import mlflow.lightgbm
    import mlflow.sklearn
    from mlflow.models import infer_signature

    joblib.dump(fitted, folder / "model.joblib")
    target = str(folder / "mlflow")
    if (booster := getattr(fitted, "booster_", None)) is not None:
        booster.save_model(folder / "model.bst")
        signature = infer_signature(rows, booster.predict(rows))
        mlflow.lightgbm.save_model(booster, target, signature=signature, pip_requirements=[])
        return
    mlflow.sklearn.save_model(
        fitted,
        target,
        signature=infer_signature(rows, fitted.predict_proba(rows)),
        pyfunc_predict_fn="predict_proba",
        pip_requirements=[],
        # Its flavour refuses every tree without this line.
        skops_trusted_types=["sklearn.tree._tree.Tree"],
    )


def _package(folder: Path, artifacts: Artifacts, order: TrainingOrder, fitted: Any, frame: pd.DataFrame) -> None:
    from flightworthy.errors import ModelCodeError
    from flightworthy.training import Frames

    target = folder / "artifact"
    target.mkdir()
    try:
        artifacts.write(target, order, fitted, Frames(training=frame, validation=frame))
    except ModelCodeError as error:
        (folder / "refused.txt").write_text(str(error), encoding="utf-8")


def _artifacts() -> Artifacts:
    """Whatever the tasks of a deployment write their artifacts with."""
    from flightworthy_airflow.hooks.flightworthy import FlightworthyHook
    from flightworthy_airflow.hooks.mlflow import MlflowHook
    from flightworthy_airflow.hooks.workshop import workshop_of

    # A workshop records runs too; nobody asks this one to, so nothing needs to answer at its address.
    os.environ.setdefault("AIRFLOW_CONN_MLFLOW_DEFAULT", "http://127.0.0.1:1")
    return workshop_of(FlightworthyHook(), MlflowHook()).artifacts


def _order(model: str) -> TrainingOrder:
    from flightworthy.training import Lineage, TrainingOrder

    lineage = Lineage(
        dataset_digest="d" * 64,
        partition_key="2025-01-06",
        code_commit="benchmark",
        code_digest="a" * 64,
        lock_digest="b" * 64,
        config_digest="e" * 64,
        intent="manual",
        airflow_run_id="benchmark",
    )
    return TrainingOrder(spec=_spec(model), params={}, lineage=lineage)


def _spec(model: str) -> Spec:
    from flightworthy.spec import Spec

    return Spec.model_validate(
        {
            "model": model,
            "owner": "benchmarks",
            "entity": _ENTITY,
            "target": _TARGET,
            "features": {name: {"type": "number"} for name in FEATURES},
            "source": {"uri": "landing/{partition}.csv", "partition": "%Y-%m-%d"},
            "schedule": {"cron": "0 0 * * *", "start_at": "2025-01-01"},
            "gates": [{"metric": "roc_auc", "at_least": 0.5}],
        }
    )


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3:])
