"""Models of every kind, packaged by the first runtime that is proven equal, and served as they were fitted."""

from __future__ import annotations

import json
import os
import pickle
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from lightgbm import LGBMClassifier
from onnx import TensorProto, helper
from sklearn.compose import make_column_transformer
from sklearn.ensemble import GradientBoostingClassifier, HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler, OneHotEncoder, OrdinalEncoder, StandardScaler, TargetEncoder
from xgboost import XGBClassifier

from flightworthy.adapters.model_artifacts.rows import golden_of, rows_of
from flightworthy.artifact import read_contract, seal
from flightworthy.errors import ArtifactRefused, ModelCodeError
from flightworthy.image import server_modules
from flightworthy.packaging import model_artifacts
from flightworthy.runtime import Candidate, Parity, choice_in, choose_runtime, server_extras
from flightworthy.serving.dialect import MlflowDialect, Question
from flightworthy.serving.scoring import OutputRefused, load_predictor, load_scorer
from flightworthy.spec import Spec
from flightworthy.training import Frames
from tests.training_material import FEATURES, NUMBERS, frames_of, make_frame, make_order, make_spec

PACKAGE = Path(__file__).parents[3] / "include" / "flightworthy"
ONLY_NUMBERS = make_spec(features=NUMBERS)
MIXED = make_spec(features=FEATURES)
TOLERANCE = 1e-6
PIPELINES = int(os.environ.get("FLIGHTWORTHY_PIPELINES", "40"))
"""How many are generated; each is trained, packaged, proven and asked."""
NULLABLE = {"type": "number", "nullable": True}


def lightgbm(**options: Any) -> LGBMClassifier:
    return LGBMClassifier(**{"n_estimators": 12, "verbose": -1, "random_state": 3, "n_jobs": 1, **options})


def xgboost(**options: Any) -> XGBClassifier:
    return XGBClassifier(**{"n_estimators": 12, "random_state": 3, "n_jobs": 1, **options})


def prepared(*, encoder: Any, model: Any) -> Any:
    numbers = make_pipeline(SimpleImputer(), StandardScaler())
    return make_pipeline(make_column_transformer((encoder, ["colour"]), (numbers, ["income", "age"])), model)


ONE_HOT = OneHotEncoder(handle_unknown="ignore")
ORDINAL = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1, encoded_missing_value=-2)
FILLED = make_pipeline(SimpleImputer(strategy="most_frequent"), OneHotEncoder(handle_unknown="ignore"))
RARE = OneHotEncoder(handle_unknown="infrequent_if_exist", min_frequency=30)
KINDS: dict[str, tuple[Spec, Callable[[], Any], set[str]]] = {
    "logistic": (
        ONLY_NUMBERS,
        lambda: make_pipeline(SimpleImputer(), StandardScaler(), LogisticRegression()),
        {"onnx"},
    ),
    "forest": (
        ONLY_NUMBERS,
        lambda: make_pipeline(SimpleImputer(), RandomForestClassifier(11, max_depth=4, random_state=3)),
        {"onnx"},
    ),
    "forest whose votes are even": (
        ONLY_NUMBERS,
        lambda: make_pipeline(SimpleImputer(), RandomForestClassifier(100, min_samples_leaf=20, random_state=1)),
        {"onnx"},
    ),
    "gradient boosting": (
        ONLY_NUMBERS,
        lambda: make_pipeline(SimpleImputer(), GradientBoostingClassifier(n_estimators=8, random_state=3)),
        {"onnx"},
    ),
    "histogram gradient boosting": (ONLY_NUMBERS, lambda: HistGradientBoostingClassifier(max_iter=8), {"onnx"}),
    "lightgbm": (ONLY_NUMBERS, lightgbm, {"onnx"}),
    "xgboost": (ONLY_NUMBERS, xgboost, {"onnx"}),
    "one-hot and logistic": (
        MIXED, lambda: prepared(encoder=ONE_HOT, model=LogisticRegression()), {"onnx"},
    ),
    "ordinal and forest": (
        MIXED,
        lambda: prepared(encoder=ORDINAL, model=RandomForestClassifier(11, max_depth=4, random_state=3)),
        {"onnx"},
    ),
    "one-hot and lightgbm": (
        MIXED, lambda: prepared(encoder=ONE_HOT, model=lightgbm()), {"onnx"},
    ),
    "ordinal and xgboost": (
        MIXED, lambda: prepared(encoder=ORDINAL, model=xgboost()), {"onnx"},
    ),
    "filled, one-hot and gradient boosting": (
        MIXED, lambda: prepared(encoder=FILLED, model=GradientBoostingClassifier(n_estimators=8)), {"onnx"},
    ),
    "target-encoded and histogram gradient boosting": (
        MIXED,
        lambda: prepared(encoder=TargetEncoder(random_state=0), model=HistGradientBoostingClassifier(max_iter=8)),
        {"onnx"},
    ),
    "rare categories and logistic": (MIXED, lambda: prepared(encoder=RARE, model=LogisticRegression()), {"skops"}),
    "rare categories and lightgbm": (MIXED, lambda: prepared(encoder=RARE, model=lightgbm()), {"skops+lightgbm"}),
    "rare categories and xgboost": (MIXED, lambda: prepared(encoder=RARE, model=xgboost()), {"skops+xgboost"}),
    "categories in trees": (
        MIXED, lambda: HistGradientBoostingClassifier(max_iter=8, categorical_features=["colour"]), {"skops"},
    ),
}  # fmt: skip


def packaged(folder: Path, spec: Spec, model: Any, frame: pd.DataFrame) -> Any:
    fitted = model.fit(frame[list(spec.features)], frame[spec.target])
    folder.mkdir(exist_ok=True)
    model_artifacts().write(folder, make_order(spec), fitted, frames_of(frame))
    return fitted


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_model_is_packaged_and_answers_as_it_was_fitted(kind: str, tmp_path: Path) -> None:
    """All rows at once and one by one; what was chosen and why is kept beside it."""
    spec, make, allowed = KINDS[kind]
    frame = make_frame()
    fitted = packaged(tmp_path / "model", spec, make(), frame)
    choice = choice_in(tmp_path / "model")
    assert choice.runtime in allowed, choice.rejected
    rows, expected = rows_of(spec, frame), fitted.predict_proba(frame[list(spec.features)])[:, 1]
    model = load_predictor(tmp_path / "model")
    alone = np.concatenate([model.predict(rows[at : at + 1]) for at in range(20)])
    assert np.max(np.abs(model.predict(rows) - expected)) <= TOLERANCE
    assert np.max(np.abs(alone - expected[:20])) <= TOLERANCE
    assert choice.facts()["runtime_why"].startswith("equal to the fitted model on")
    assert [each["why"] for each in choice.rejected if not each["why"]] == []
    if choice.runtime == "onnx":
        domains = [each.domain for each in onnx.load(tmp_path / "model" / "model.onnx").opset_import]
        assert domains == sorted(domains), "the same model would be another file in another process"


def test_the_contract_tells_what_the_training_rows_held_and_what_becomes_of_the_rest(tmp_path: Path) -> None:
    """Ranges and categories of the rows that were trained on, not of held ones, and of nothing that names a person."""
    word = {"type": "category", "nullable": True}
    features = {**FEATURES, "colour": word, "shade": word, "gone": NULLABLE}
    private = {"columns": {"colour": "pseudonym"}}
    spec = make_spec(features=features, requests={"out_of_range": "refuse"}, personal=private)
    frame = make_frame().assign(shade=lambda frame: frame["colour"], gone=np.nan)
    frames = Frames(training=frame[frame["age"] < 60], validation=frame)
    model = prepared(encoder=ONE_HOT, model=LogisticRegression())
    fitted = model.fit(frames.training[list(spec.features)], frames.training["bought"])
    (tmp_path / "model").mkdir()
    model_artifacts().write(tmp_path / "model", make_order(spec), fitted, frames)
    contract = read_contract(tmp_path / "model")
    income = frames.training["income"]
    assert {each["name"]: each.get("seen") for each in contract["features"]} == {
        "age": {"minimum": 18.0, "maximum": 59.0},
        "income": {"minimum": income.min(), "maximum": income.max()},
        "colour": None,
        "is_new": None,
        "shade": {"values": ["blue", "green", "red"]},
        "gone": None,
    }
    assert contract["requests"] == {"extra_features": "refuse", "out_of_range": "refuse", "unseen_category": "flag"}
    scorer = load_scorer(tmp_path / "model")
    assert scorer.warm_up() is None
    golden = [tuple(row[name] for name in scorer.contract.names) for row in scorer.golden.rows]
    assert scorer.contract.watch.strange(golden) == ()
    assert [each.maximum for each in scorer.contract.features][:2] == [59.0, income.max()]


def test_golden_requests_keep_all_digits(tmp_path: Path) -> None:
    """Rounded ones may lie beyond what training saw, and are other rows than those that were scored."""
    frame = make_frame().assign(income=lambda frame: frame["income"] / 3)
    golden = golden_of(MIXED, frame, np.zeros(len(frame)))
    assert {row["income"] for row in golden["rows"] if row["income"] is not None} <= set(frame["income"])
    assert all(row["colour"] is None or isinstance(row["colour"], str) for row in golden["rows"])


@st.composite
def models(draw: st.DrawFn) -> tuple[Spec, Any]:
    """A pipeline, and the spec of the columns that it takes: numbers alone, or with a category and a boolean."""
    scaler = draw(st.sampled_from([StandardScaler(), MinMaxScaler(), "passthrough"]))
    filled = SimpleImputer(strategy=draw(st.sampled_from(["mean", "median", "most_frequent"])))
    encoder = draw(st.sampled_from([None, ONE_HOT, ORDINAL]))
    seed = draw(st.integers(0, 99))
    last = draw(
        st.sampled_from([
            LogisticRegression(C=draw(st.sampled_from([0.1, 1.0, 30.0])), max_iter=1000),
            RandomForestClassifier(draw(st.integers(1, 9)), max_depth=draw(st.integers(1, 5)), random_state=seed),
            GradientBoostingClassifier(n_estimators=draw(st.integers(1, 6)), random_state=seed),
            HistGradientBoostingClassifier(max_iter=draw(st.integers(1, 6)), random_state=seed),
            lightgbm(n_estimators=draw(st.integers(1, 8)), min_child_samples=5),
            xgboost(n_estimators=draw(st.integers(1, 8)), max_depth=draw(st.integers(1, 4))),
        ])
    )  # fmt: skip
    numbers = make_pipeline(filled, scaler)
    if encoder is None:
        return make_spec(features={name: FEATURES[name] for name in ("age", "income")}), make_pipeline(numbers, last)
    columns = [(encoder, ["colour"]), (numbers, ["income", "age"]), ("passthrough", ["is_new"])]
    return MIXED, make_pipeline(make_column_transformer(*columns), last)


def served(folder: Path, spec: Spec, frame: pd.DataFrame) -> list[float]:
    """What a client reads that sends ``frame`` as JSON: nothing is left out but the socket."""
    scorer = load_scorer(folder)
    assert scorer.warm_up() is None
    rows = frame[list(spec.features)].astype(object)
    body = json.dumps({"dataframe_split": rows.where(rows.notna(), None).to_dict(orient="split")}).encode()
    question = MlflowDialect(scorer.contract, max_rows=len(frame)).read({b"content-type": b"application/json"}, body)
    assert isinstance(question, Question), question
    predictions = scorer.predict(question.batch.matrix)
    assert not isinstance(predictions, OutputRefused), predictions
    found: list[float] = json.loads(question.reply(predictions).body)["predictions"]
    return found


@settings(max_examples=PIPELINES, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(drawn=models(), seed=st.integers(0, 10_000), scale=st.sampled_from([1e-3, 1.0, 1e6, 1.7e9]))
def test_generated_models_answer_as_they_were_fitted(
    drawn: tuple[Spec, Any], seed: int, scale: float, tmp_path: Path
) -> None:
    """Whatever is drawn, also on numbers as wide as seconds since 1970 and on rows that nobody trained on."""
    spec, model = drawn
    frame, unseen = (make_frame(120, seed=each) for each in (seed, seed + 1))
    for each in (frame, unseen):
        each["income"] = each["income"] * scale + scale
    unseen.loc[[7, 8], "colour"] = "violet"
    folder = tmp_path / "model"
    shutil.rmtree(folder, ignore_errors=True)
    fitted = packaged(folder, spec, model, frame)
    expected = fitted.predict_proba(unseen[list(spec.features)])[:, 1]
    assert np.max(np.abs(np.array(served(folder, spec, unseen)) - expected)) <= TOLERANCE


@pytest.fixture(params=["onnx", "lightgbm", "xgboost", "skops"])
def artifact(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A sealed artifact of each runtime."""
    # What ONNX's trees do not say: linear models in leaves, trees left out by chance, sets of categories.
    kind: dict[str, tuple[Any, pd.DataFrame]] = {
        "onnx": (LogisticRegression(), make_frame().fillna({"income": 0.0})),
        "lightgbm": (lightgbm(linear_tree=True), make_frame()),
        "xgboost": (xgboost(booster="dart", rate_drop=0.5), make_frame()),
        "skops": (
            HistGradientBoostingClassifier(max_iter=4, categorical_features=[0]),
            make_frame().assign(age=lambda frame: frame["age"] // 20),
        ),
    }
    model, frame = kind[request.param]
    packaged(tmp_path / "model", ONLY_NUMBERS, model, frame)
    assert choice_in(tmp_path / "model").runtime == request.param
    return tmp_path / "model"


class Marking:
    """What leaves a file behind if anybody unpickles it."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return (Path.touch, (self.path,))


def test_a_pickle_in_place_of_a_model_is_refused_and_never_run(artifact: Path, tmp_path: Path) -> None:
    """Sealed properly or not: nothing in the serving path runs what a file says."""
    (model,) = [path for path in artifact.iterdir() if path.name.startswith("model.")]
    marker = tmp_path / "marker"
    model.write_bytes(pickle.dumps(Marking(marker)))
    seal(artifact)
    with pytest.raises(ArtifactRefused):
        load_predictor(artifact)
    assert not marker.exists()
    pickle.loads(pickle.dumps(Marking(marker)))
    assert marker.exists()  # the bait is real


def test_a_runtime_that_nobody_knows_is_refused(artifact: Path) -> None:
    """Nor is another one tried."""
    text = (artifact / "runtime.json").read_text()
    (artifact / "runtime.json").write_text(text.replace(f'"runtime":"{choice_in(artifact).runtime}"', '"runtime":"os"'))
    seal(artifact)
    with pytest.raises(ArtifactRefused, match="names the runtime 'os'"):
        load_predictor(artifact)


def graph_with(*, domain: str = "", external: bool = False) -> bytes:
    """An ONNX model that asks for somebody's operators, or for a file beside it."""
    weights = helper.make_tensor("w", TensorProto.FLOAT, [2, 2], [1.0, 0.0, 0.0, 1.0])
    if external:
        weights.ClearField("float_data")
        weights.data_location = TensorProto.EXTERNAL
        weights.external_data.add(key="location", value="/etc/passwd")
    node = helper.make_node("MatMul" if not domain else "Anything", ["x", "w"], ["y"], domain=domain)
    graph = helper.make_graph(
        [node], "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [None, 2])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [None, 2])],
        initializer=[weights],
    )  # fmt: skip
    opsets = [helper.make_opsetid("", 21), *([helper.make_opsetid(domain, 1)] if domain else [])]
    return bytes(helper.make_model(graph, opset_imports=opsets).SerializeToString())


@pytest.mark.parametrize(
    "content, why",
    [(graph_with(domain="somebody"), "operators of somebody"), (graph_with(external=True), "another file")],
    ids=["operators", "external data"],
)
@pytest.mark.parametrize("artifact", ["onnx"], indirect=True)
def test_a_graph_that_reaches_beyond_arithmetic_is_refused(artifact: Path, content: bytes, why: str) -> None:
    """Before ONNX Runtime is shown it."""
    assert onnx.load_from_string(content) is not None
    (artifact / "model.onnx").write_bytes(content)
    seal(artifact)
    with pytest.raises(ArtifactRefused, match=why):
        load_predictor(artifact)


def test_a_server_reaches_its_own_runtime_and_no_other() -> None:
    """What its image holds: modules and packages alike."""
    modules = server_modules(PACKAGE, "onnx")
    assert "adapters/onnx_models/reader.py" in modules
    assert [name for name in modules if name.startswith(("adapters/skops", "adapters/lightgbm", "adapters/xgb"))] == []
    both = server_modules(PACKAGE, "skops+lightgbm")
    assert {"adapters/skops_models/reader.py", "adapters/lightgbm_models/reader.py"} <= set(both)
    assert server_extras("onnx") == "flightworthy[serving,serving-onnx]"
    assert server_extras("skops+lightgbm") == "flightworthy[serving,serving-skops,serving-lightgbm]"


def test_a_model_is_served_where_no_other_runtime_is_installed(artifact: Path) -> None:
    """Nor pandas, nor MLflow. scikit-learn imports joblib and its cloudpickle by itself; nothing of ours asks them."""
    runtime = choice_in(artifact).runtime
    scikit_learn = {"sklearn", "skops", "scipy", "joblib", "cloudpickle"}
    needed = {"skops": scikit_learn, "onnx": {"onnxruntime"}}.get(runtime, {runtime})
    absent = {"onnxruntime", "onnx", "skl2onnx", "lightgbm", "xgboost", "sklearn", "skops", "scipy", "pandas", "mlflow"}
    absent |= {"joblib", "cloudpickle", "pyarrow", "pydantic", "airflow"}
    code = f"""
import sys
class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {sorted(absent - needed)!r}:
            raise ModuleNotFoundError(name)
sys.meta_path.insert(0, Absent())
import numpy, pathlib
from flightworthy.serving.scoring import load_scorer
scorer = load_scorer(pathlib.Path({str(artifact)!r}))
print(scorer.warm_up())
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout.strip()) == (0, "None"), done.stderr[-2000:]


def candidate(runtime: str, difference: float, *, flipped: int = 0, rows: int = 10) -> Candidate:
    parity = Parity(rows=rows, flipped=flipped, worst_difference=difference, unlike="")
    return Candidate(runtime=runtime, form="", tolerance=1e-6, parity=parity, why="")


def test_the_first_runtime_without_an_objection_serves() -> None:
    """A flipped label, a difference, NaN and no evidence at all are objections, each told."""
    tried = [candidate("onnx", 1e-7, flipped=1), candidate("lightgbm", float("nan")), candidate("xgboost", 0.0, rows=0)]
    choice = choose_runtime("churn", [*tried, candidate("skops", 0.0)])
    assert choice.runtime == "skops"
    assert [each["runtime"] for each in choice.rejected] == ["onnx", "lightgbm", "xgboost"]
    assert "1 of 10 labels flip" in choice.rejected[0]["why"]


def test_a_model_that_no_runtime_serves_equal_is_refused_with_every_reason() -> None:
    """Better no release than another model."""
    with pytest.raises(ModelCodeError, match=r"no runtime serves the model.*onnx.*skops") as caught:
        choose_runtime("churn", [candidate("onnx", 0.5), candidate("skops", 0.5)])
    assert len(caught.value.facts["rejected"]) == 2
