from __future__ import annotations

import functools
import json
import os
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import skops.io
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import ColumnTransformer, make_column_selector, make_column_transformer
from sklearn.ensemble import (
    GradientBoostingClassifier,
    HistGradientBoostingClassifier,
    RandomForestClassifier,
    VotingClassifier,
)
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, OrdinalEncoder, StandardScaler

from flightworthy.adapters.model_artifacts import ModelArtifacts
from flightworthy.adapters.model_artifacts.rows import rows_of
from flightworthy.adapters.model_artifacts.writer import PREDICTION
from flightworthy.adapters.skops_models import load_model
from flightworthy.adapters.skops_models.writer import SkopsPackager
from flightworthy.artifact import CONTRACT, GOLDEN, MODEL, REFERENCE, seal
from flightworthy.errors import ArtifactRefused, ModelCodeError, Refused
from flightworthy.serving.scoring import load_predictor
from flightworthy.spec import Spec
from tests.training_material import FEATURES, NUMBERS, frames_of, make_frame, make_order, make_spec

ARTIFACTS = ModelArtifacts(packagers=(SkopsPackager(),), load=load_predictor)
MIXED = make_spec(features=FEATURES)
ONLY_NUMBERS = make_spec(features=NUMBERS)
ONE_HOT = OneHotEncoder(handle_unknown="ignore")
ORDINAL = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=np.nan, encoded_missing_value=np.nan)


class FromDtype:
    """HistGradientBoosting that takes pandas categories as they come; fitted on a frame with the category dtype."""

    def fit(self, features: pd.DataFrame, target: pd.Series[Any]) -> Any:
        features = features.assign(colour=features["colour"].astype("category"))
        return HistGradientBoostingClassifier(max_iter=8, random_state=7).fit(features, target)


ESTIMATORS: dict[str, tuple[Spec, Callable[[], Any]]] = {
    "logistic": (
        ONLY_NUMBERS,
        lambda: make_pipeline(SimpleImputer(), StandardScaler(), LogisticRegression()),
    ),
    "forest": (ONLY_NUMBERS, lambda: RandomForestClassifier(12, random_state=7)),
    "boosting": (
        ONLY_NUMBERS,
        lambda: make_pipeline(SimpleImputer(), GradientBoostingClassifier(n_estimators=8, random_state=7)),
    ),
    "calibrated": (
        ONLY_NUMBERS,
        lambda: CalibratedClassifierCV(RandomForestClassifier(4, random_state=7), cv=2),
    ),
    "voting": (
        ONLY_NUMBERS,
        lambda: VotingClassifier(
            [("f", RandomForestClassifier(4, random_state=7)), ("h", HistGradientBoostingClassifier(max_iter=4))],
            voting="soft",
        ),
    ),
    "one-hot by name": (
        MIXED,
        lambda: make_pipeline(
            ColumnTransformer(
                [("c", ONE_HOT, ["colour"]), ("n", make_pipeline(SimpleImputer(), StandardScaler()), ["income", "age"])]
            ),
            LogisticRegression(),
        ),
    ),
    "ordinal by selector": (
        MIXED,
        lambda: make_pipeline(
            make_column_transformer((ORDINAL, make_column_selector(dtype_exclude=["number", "bool"]))),
            HistGradientBoostingClassifier(categorical_features=[0], max_iter=8, random_state=7),
        ),
    ),
    "ordinal with remainder": (
        MIXED,
        lambda: make_pipeline(
            make_column_transformer((ORDINAL, ["colour"]), remainder="passthrough"),
            HistGradientBoostingClassifier(categorical_features=[0], max_iter=8, random_state=7),
        ),
    ),
    "pandas inside": (
        MIXED,
        lambda: make_pipeline(
            make_column_transformer(
                (ORDINAL, ["colour"]), remainder="passthrough", verbose_feature_names_out=False
            ).set_output(transform="pandas"),
            make_column_transformer((SimpleImputer(), ["income", "colour"]), remainder="drop"),
            LogisticRegression(),
        ),
    ),
    "slice and mask": (
        MIXED,
        lambda: make_pipeline(
            ColumnTransformer([("n", SimpleImputer(), slice("age", "income")), ("b", "passthrough", [3])]),
            LogisticRegression(),
        ),
    ),
    "categories by dtype": (MIXED, FromDtype),
}


def features_of(spec: Spec, name: str) -> pd.DataFrame:
    frame = make_frame()
    if name == "categories by dtype":
        frame["colour"] = frame["colour"].astype("category")
    return frame.fillna({"income": 0.0}) if name in {"forest", "calibrated"} else frame


@pytest.fixture(params=ESTIMATORS)
def written(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[Path, Spec, pd.DataFrame, Any]:
    spec, make = ESTIMATORS[request.param]
    frame = features_of(spec, request.param)
    fitted = make().fit(frame[list(spec.features)], frame[spec.target])
    ARTIFACTS.write(tmp_path, make_order(spec), fitted, frames_of(frame))
    return tmp_path, spec, frame, fitted


def test_an_estimator_fitted_on_a_frame_predicts_the_same_on_a_plain_array(
    written: tuple[Path, Spec, pd.DataFrame, Any],
) -> None:
    """Whatever selects its columns, and without a warning about names."""
    folder, spec, frame, fitted = written
    found = load_model(folder).predict(rows_of(spec, frame))
    expected = fitted.predict_proba(frame[list(spec.features)])[:, 1]
    assert found.dtype == np.float64
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-12)


def test_golden_rows_sent_as_json_get_the_predictions_of_training_time(
    written: tuple[Path, Spec, pd.DataFrame, Any],
) -> None:
    """A missing value is null; None in an array of objects counts as missing."""
    folder, spec, _, _ = written
    golden = json.loads((folder / GOLDEN).read_bytes())
    assert len(golden["rows"]) == spec.release.golden_requests
    kind = float if spec is ONLY_NUMBERS else object
    rows = np.array([[row[name] for name in spec.features] for row in golden["rows"]], dtype=kind)
    np.testing.assert_allclose(load_model(folder).predict(rows), golden["predictions"], rtol=0, atol=1e-12)


def test_the_drift_reference_holds_the_training_rows_and_their_predictions(
    written: tuple[Path, Spec, pd.DataFrame, Any],
) -> None:
    """Features in the spec's order, and what the model says to each row."""
    folder, spec, frame, _ = written
    reference = pd.read_parquet(folder / REFERENCE)
    assert list(reference.columns) == [*spec.features, PREDICTION]
    assert len(reference) == len(frame)


@pytest.fixture
def artifact(tmp_path: Path) -> Path:
    frame = make_frame()
    fitted = ESTIMATORS["logistic"][1]().fit(frame[list(NUMBERS)], frame["bought"])
    ARTIFACTS.write(tmp_path, make_order(ONLY_NUMBERS), fitted, frames_of(frame))
    return tmp_path


def test_the_contract_is_the_specs_with_the_classes_the_model_learnt(artifact: Path) -> None:
    """A server reads which column of predict_proba is the positive one from nothing else."""
    contract = json.loads((artifact / CONTRACT).read_bytes())
    assert contract["output"] == {"kind": "probability", "positive": 1, "threshold": 0.5, "classes": [0, 1]}
    assert [feature["name"] for feature in contract["features"]] == list(NUMBERS)
    assert load_model(artifact).contract == contract


@pytest.mark.parametrize("name", [MODEL, CONTRACT, GOLDEN, REFERENCE])
def test_a_changed_file_is_refused_before_anything_is_loaded(artifact: Path, name: str) -> None:
    """The error names the file."""
    content = bytearray((artifact / name).read_bytes())
    content[len(content) // 2] ^= 1
    (artifact / name).write_bytes(content)
    with pytest.raises(ArtifactRefused) as caught:
        load_model(artifact)
    assert caught.value.facts["file"] == name


def _touch(path: str) -> str:
    Path(path).touch()
    return path


@pytest.mark.parametrize(
    "function", [os.system, functools.partial(os.system, "true"), _touch], ids=["system", "partial", "own"]
)
def test_a_model_that_calls_functions_of_its_own_is_refused_by_the_reader(artifact: Path, function: Any) -> None:
    """Sealed properly or not: the manifest proves who it is, not that it is harmless."""
    skops.io.dump(make_pipeline(FunctionTransformer(function), LogisticRegression()), artifact / MODEL)
    seal(artifact)
    with pytest.raises(ArtifactRefused, match="not trusted"):
        load_model(artifact)


def test_a_model_that_calls_functions_of_its_own_is_refused_by_the_writer(tmp_path: Path) -> None:
    """The author learns it when training, not when releasing."""
    frame = make_frame().fillna({"income": 0.0})
    fitted = make_pipeline(FunctionTransformer(_double), LogisticRegression()).fit(
        frame[list(NUMBERS)], frame["bought"]
    )
    with pytest.raises(ModelCodeError, match="holds types that a server does not load"):
        ARTIFACTS.write(tmp_path, make_order(ONLY_NUMBERS), fitted, frames_of(frame))


def _double(values: Any) -> Any:
    return values * 2


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 cut off", b"no zip at all"])
def test_a_model_file_that_is_no_skops_file_is_refused(artifact: Path, content: bytes) -> None:
    """Truncated, empty or something else."""
    (artifact / MODEL).write_bytes(content)
    seal(artifact)
    with pytest.raises(ArtifactRefused, match="cannot be read as a skops file"):
        load_model(artifact)


def test_a_skops_file_with_a_broken_schema_is_refused(artifact: Path) -> None:
    """A zip that holds something else than a model."""
    with zipfile.ZipFile(artifact / MODEL, "w") as file:
        file.writestr("schema.json", json.dumps({"__class__": "str", "__module__": "builtins", "__loader__": "None"}))
    seal(artifact)
    with pytest.raises(ArtifactRefused):
        load_model(artifact)


def test_a_contract_whose_positive_class_the_model_does_not_know_is_refused(artifact: Path) -> None:
    """Otherwise the wrong column would be served."""
    contract = json.loads((artifact / CONTRACT).read_bytes())
    contract["output"]["positive"] = "yes"
    (artifact / CONTRACT).write_text(json.dumps(contract))
    seal(artifact)
    with pytest.raises(ArtifactRefused, match="positive class 'yes'; the model knows"):
        load_model(artifact)


class NamesOnly(LogisticRegression):
    """Predicts by the name of a column, which an array does not have."""

    def predict_proba(self, X: Any) -> Any:  # noqa: N803 scikit-learn's name
        share = X["age"].to_numpy() / 100
        return np.column_stack([1 - share, share])


class TypeSensitive(LogisticRegression):
    """Predicts otherwise on an array."""

    def predict_proba(self, X: Any) -> Any:  # noqa: N803 scikit-learn's name
        share = np.full(len(X), 0.9 if hasattr(X, "columns") else 0.2)
        return np.column_stack([1 - share, share])


@pytest.mark.parametrize("kind, problem", [(NamesOnly, "skops does not predict"), (TypeSensitive, "labels flip")])
def test_a_model_that_predicts_otherwise_on_an_array_is_refused(
    tmp_path: Path, kind: type[LogisticRegression], problem: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It would not serve what was evaluated."""
    trusted = ("tests.flightworthy.adapters.test_skops_models.NamesOnly", f"{kind.__module__}.{kind.__qualname__}")
    for module in ("reader", "writer"):
        monkeypatch.setattr(f"flightworthy.adapters.skops_models.{module}.TRUSTED_TYPES", trusted)
    frame = make_frame().fillna({"income": 0.0})
    fitted = kind().fit(frame[list(NUMBERS)], frame["bought"])
    with pytest.raises(ModelCodeError, match=problem):
        ARTIFACTS.write(tmp_path, make_order(ONLY_NUMBERS), fitted, frames_of(frame))


def test_rows_without_a_label_are_not_scored(artifact: Path) -> None:
    """A missing label would count as a no."""
    frame = make_frame().astype({"bought": float})
    frame.loc[5, "bought"] = np.nan
    with pytest.raises(Refused, match="1 of 240 rows have no bought"):
        ARTIFACTS.score(artifact, ONLY_NUMBERS, frame)


def test_rows_are_scored_with_their_labels_and_the_values_they_are_sliced_by(artifact: Path) -> None:
    """A missing value of a slice is a value of its own."""
    spec = ONLY_NUMBERS.model_copy(
        update={"evaluation": ONLY_NUMBERS.evaluation.model_copy(update={"slices": ("colour",)})}
    )
    scored = ARTIFACTS.score(artifact, spec, make_frame())
    assert set(scored.slices["colour"]) == {"red", "green", "blue", "(missing)"}
    assert set(scored.labels) == {0, 1}
    assert len(scored.predictions) == 240


ABSENT = """
import sys


class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {"pandas", "mlflow", "pyarrow", "pydantic", "sqlalchemy"}:
            raise ModuleNotFoundError(name)


sys.meta_path.insert(0, Absent())
"""


def test_the_reader_needs_neither_pandas_nor_mlflow(artifact: Path) -> None:
    """It runs in a container that has neither; what scikit-learn uses where it is there is no need."""
    code = (
        f"{ABSENT}\nimport numpy, pathlib\nfrom flightworthy.adapters.skops_models import load_model\n"
        f"model = load_model(pathlib.Path({str(artifact)!r}))\n"
        "assert 0 <= model.predict(numpy.array([[40.0, 3.0]]))[0] <= 1\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
