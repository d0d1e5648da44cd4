"""A model author's train.py: loaded by path, called once, its failures told apart from ours."""

from __future__ import annotations

import hashlib
import importlib.util
import sys
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from flightworthy.errors import ModelCodeError
from flightworthy.spec import Spec
from flightworthy.training import TrainingOrder

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["ModelFolders"]

_FILE = "train.py"


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelFolders:
    """Implements ``training.ModelCode`` over a folder of models, ``<models>/<name>/train.py``."""

    models: Path

    def digest(self, model: str) -> str:
        """sha256 over the model's Python files but its tests. What model.yaml says counts by its own digest."""
        folder = self.models / model
        files = sorted(path for path in folder.rglob("*.py") if not path.name.startswith(("test_", "conftest")))
        if folder / _FILE not in files:
            raise _missing(folder)
        digest = hashlib.sha256()
        for path in files:
            content = path.read_bytes()
            digest.update(f"{path.relative_to(folder).as_posix()}\0{len(content)}\0".encode() + content)
        return digest.hexdigest()

    def fit(self, order: TrainingOrder, frame: pd.DataFrame) -> Any:
        """Call ``train(frame, params, seed)``; the author gets a copy of features and target.

        Raises ModelCodeError where train.py cannot be loaded, fails, or returns something that does not classify.
        """
        spec = order.spec
        path = self.models / spec.model / _FILE
        train = _train_of(path)
        own = frame[[*spec.features, spec.target]].copy()
        fitted = _called(path, lambda: train(own, dict(order.params), spec.training.seed))
        problem = _problem(fitted, spec)
        if problem:
            raise ModelCodeError(
                f"{path}: train() returned {type(fitted).__name__}, which {problem}. Return a fitted scikit-learn "
                f"classifier of {spec.target} on the features of model.yaml, in their order.",
                file=str(path),
                returned=type(fitted).__name__,
                problem=problem,
            )
        return fitted


def _train_of(path: Path) -> Callable[..., Any]:
    if not path.is_file():
        raise _missing(path.parent)
    spec = importlib.util.spec_from_file_location(f"flightworthy_model_{path.parent.name}", path)
    if spec is None or spec.loader is None:
        raise _missing(path.parent)
    module = importlib.util.module_from_spec(spec)
    # A dataclass in the author's code looks its module up by name.
    sys.modules[module.__name__] = module
    loader = spec.loader
    _called(path, lambda: loader.exec_module(module))
    return _function(module, path)


def _function(module: ModuleType, path: Path) -> Callable[..., Any]:
    train = getattr(module, "train", None)
    if not callable(train):
        raise ModelCodeError(
            f"{path} has no function train. Define train(frame, params, seed) that returns a fitted classifier.",
            file=str(path),
        )
    found: Callable[..., Any] = train
    return found


def _called(path: Path, call: Callable[[], Any]) -> Any:
    """Run the author's code; whatever it raises becomes one error that names their file and line."""
    try:
        return call()
    except (Exception, SystemExit) as error:
        line = _line(path, error)
        told = "".join(traceback.format_exception(error)).rstrip()
        raise ModelCodeError(
            f"{path}:{line}: {type(error).__name__}: {error}. This is the model's own code; mend it there. "
            f"Its traceback:\n{told}",
            file=str(path),
            line=line,
            exception=type(error).__name__,
        ) from error


def _line(path: Path, error: BaseException) -> int:
    """The innermost line of the author's folder, or the line that does not parse."""
    if isinstance(error, SyntaxError) and error.filename == str(path):
        return error.lineno or 1
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame.lineno or 1 for frame in frames if Path(frame.filename).is_relative_to(path.parent)]
    return own[-1] if own else 1


def _problem(fitted: Any, spec: Spec) -> str:
    import numpy as np  # here, so that a digest of the code costs no second

    if not callable(getattr(fitted, "predict_proba", None)):
        return "has no predict_proba"
    classes: Sequence[Any] = np.asarray(getattr(fitted, "classes_", ())).tolist()
    if len(classes) != 2:
        return f"knows {len(classes)} classes ({classes}) where two are needed"
    if spec.positive not in classes:
        return f"knows the classes {classes} but not the positive one of model.yaml ({spec.positive!r})"
    columns = getattr(fitted, "n_features_in_", len(spec.features))
    if columns != len(spec.features):
        return f"was fitted on {columns} columns where model.yaml has {len(spec.features)} features"
    names = list(getattr(fitted, "feature_names_in_", spec.features))
    if names != list(spec.features):
        return f"was fitted on the columns {names}, which is not the order of model.yaml"
    return ""


def _missing(folder: Path) -> ModelCodeError:
    return ModelCodeError(
        f"{folder / _FILE} does not exist. A model's folder holds model.yaml, suite.yaml and {_FILE}.",
        file=str(folder / _FILE),
    )
