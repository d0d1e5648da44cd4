from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import pytest

from flightworthy.adapters.model_code import ModelFolders
from flightworthy.errors import ModelCodeError
from tests.training_material import NUMBERS, TRAIN, make_frame, make_model_folder, make_order, make_spec

ORDER = make_order(make_spec(features=NUMBERS))


def fit(tmp_path: Path, code: str = TRAIN) -> Any:
    make_model_folder(tmp_path, code=code)
    return ModelFolders(models=tmp_path).fit(ORDER, make_frame())


def refused(tmp_path: Path, code: str) -> ModelCodeError:
    with pytest.raises(ModelCodeError) as caught:
        fit(tmp_path, code)
    return caught.value


def test_the_authors_train_is_called_with_features_and_target_params_and_seed(tmp_path: Path) -> None:
    """The entity is not among the columns, and changing the frame changes only the author's copy."""
    code = TRAIN.replace(
        "def train(frame, params, seed):\n",
        "def train(frame, params, seed):\n    assert list(frame.columns) == ['age', 'income', 'bought']\n"
        "    assert (params, seed) == ({'C': 1.0}, 7)\n    frame['age'] = frame['age'] * 1.0\n",
    )
    make_model_folder(tmp_path, code=code)
    frame = make_frame()
    fitted = ModelFolders(models=tmp_path).fit(ORDER, frame)
    assert fitted.classes_.tolist() == [0, 1]
    assert frame.equals(make_frame())


def test_the_authors_failure_names_file_line_and_exception_and_keeps_the_traceback(tmp_path: Path) -> None:
    """The reader sees whose bug it is and where; the error survives the way between processes."""
    error = refused(tmp_path, "def train(frame, params, seed):\n    return frame['nope']\n")
    path = tmp_path / "shop" / "train.py"
    assert str(error).startswith(f"{path}:2: KeyError: 'nope'. This is the model's own code")
    assert "return frame['nope']" in str(error)
    assert error.facts == {"file": str(path), "line": 2, "exception": "KeyError"}
    assert pickle.loads(pickle.dumps(error)).facts == error.facts


@pytest.mark.parametrize(
    "code, line, exception",
    [
        ("import nothing_of_that_name\n", 1, "ModuleNotFoundError"),
        ("x = 1\ndef train(:\n", 2, "SyntaxError"),
        ("import sys\ndef train(frame, params, seed):\n\n    sys.exit(3)\n", 4, "SystemExit"),
        ("def train():\n    pass\n", 1, "TypeError"),
    ],
)
def test_code_that_cannot_be_loaded_or_called_is_the_authors_failure_too(
    tmp_path: Path, code: str, line: int, exception: str
) -> None:
    """A missing import, a typo, an exit: none of them takes our process down."""
    error = refused(tmp_path, code)
    assert (error.facts["line"], error.facts["exception"]) == (line, exception)


@pytest.mark.parametrize(
    "returned, problem",
    [
        ("None", "has no predict_proba"),
        ("LinearRegression().fit(frame[['age', 'income']].fillna(0), frame['bought'])", "has no predict_proba"),
        ("LogisticRegression()", "knows 0 classes"),
        (
            "DecisionTreeClassifier().fit(frame[['age', 'income']], frame['age'] // 20)",
            "where two are needed",
        ),
        ("LogisticRegression().fit(frame[['age']], frame['bought'])", "was fitted on 1 columns"),
        ("LogisticRegression().fit(frame[['age', 'bought']], frame['bought'])", "not the order of model.yaml"),
        ("LogisticRegression().fit(frame[['income', 'age']].fillna(0), frame['bought'])", "not the order"),
        (
            "LogisticRegression().fit(frame[['age', 'income']].fillna(0), frame['bought'].astype(str))",
            "but not the positive one of model.yaml (1)",
        ),
    ],
)
def test_a_return_that_does_not_classify_is_refused_with_what_is_wrong(
    tmp_path: Path, returned: str, problem: str
) -> None:
    """What is not a fitted two-class classifier on the spec's features cannot be served."""
    code = (
        "from sklearn.linear_model import LinearRegression, LogisticRegression\n"
        "from sklearn.tree import DecisionTreeClassifier\n"
        f"def train(frame, params, seed):\n    return {returned}\n"
    )
    assert problem in str(refused(tmp_path, code))


def test_a_folder_without_train_py_or_without_train_is_refused(tmp_path: Path) -> None:
    """The message says what belongs there."""
    assert "has no function train" in str(refused(tmp_path, "trian = 1\n"))
    with pytest.raises(ModelCodeError, match="does not exist"):
        ModelFolders(models=tmp_path / "elsewhere").fit(ORDER, make_frame())


def test_a_dataclass_in_the_authors_file_works(tmp_path: Path) -> None:
    """Dataclasses with postponed annotations look their module up by name."""
    head = "from __future__ import annotations\nfrom dataclasses import dataclass\n"
    assert fit(tmp_path, f"{head}@dataclass\nclass Setting:\n    depth: int = 3\n{TRAIN}") is not None


def test_the_code_digest_follows_the_code_and_nothing_else(tmp_path: Path) -> None:
    """Another file of the model counts; its tests, caches and model.yaml, which has its own digest, do not."""
    folder = make_model_folder(tmp_path)
    models = ModelFolders(models=tmp_path)
    first = models.digest("shop")
    for name in ("test_train.py", "model.yaml", "notes.md"):
        (folder / name).write_text("anything")
    assert models.digest("shop") == first
    (folder / "features.py").write_text("X = 1\n")
    second = models.digest("shop")
    (folder / "features.py").rename(folder / "renamed.py")
    assert len({first, second, models.digest("shop")}) == 3
    with pytest.raises(ModelCodeError, match="does not exist"):
        models.digest("nothing")
