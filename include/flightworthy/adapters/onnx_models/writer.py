"""Convert a fitted classifier to an ONNX graph, in 32 bits where that may do and in 64 where it must."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any, Final

import numpy as np
import onnx
from onnxmltools.convert.lightgbm.operator_converters.LightGbm import convert_lightgbm
from onnxmltools.convert.xgboost.operator_converters.XGBoost import convert_xgboost
from skl2onnx import convert_sklearn, update_registered_converter
from skl2onnx.common.data_types import DoubleTensorType, FloatTensorType, StringTensorType
from skl2onnx.sklapi import CastTransformer
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.pipeline import Pipeline

from flightworthy.adapters.onnx_models import imputer, trees
from flightworthy.adapters.onnx_models.reader import MODEL, open_session
from flightworthy.spec import Feature

__all__ = ["OnnxPackager"]

_OPSETS: Final = {"": 21, "ai.onnx.ml": 3}
_BOOSTERS: Final = (
    ("lightgbm", "LGBMClassifier", trees.as_fitted(convert_lightgbm)),
    ("xgboost", "XGBClassifier", convert_xgboost),
)
_OPTIONS: Final = {"nocl": [True, False], "zipmap": [True, False, "columns"]}


@dataclass(frozen=True, slots=True, kw_only=True)
class OnnxPackager:
    """Implements ``training.Packager``.

    ``float32`` computes as most graphs do. ``mixed`` prepares rows in 64 bits and rounds what trees see to 32, as
    scikit-learn's and XGBoost's own do. ``float64`` rounds nothing, where the operators exist.
    """

    runtime: str = "onnx"
    tolerance: float = 1e-6
    """Sums of 32-bit numbers, in another order: a forest's probability is one."""
    forms: tuple[str, ...] = ("float32", "mixed", "float64")

    def write(self, folder: Path, features: Mapping[str, Feature], estimator: Any, form: str) -> str:
        """Write model.onnx; empty, or why the model has no such graph."""
        number = FloatTensorType if form == "float32" else DoubleTensorType
        _know_boosters(estimator)
        try:
            graph = _convert(
                _rounding(estimator) if form == "mixed" else estimator,
                _inputs(features, number, apart=_picks_columns(estimator)),
            )
        # The converters raise whatever comes: KeyError, RuntimeError, AttributeError, errors of their own.
        except Exception as error:  # noqa: BLE001
            return f"does not convert ({_short(error)})"
        if _reads_zeros_as_missing(estimator):
            _zeros_become_missing(graph)
        why = ""
        for content in _with_output_types(graph):
            try:
                open_session(content)
            except Exception as error:  # noqa: BLE001 - ONNX Runtime's errors have no parent in common
                why = why or f"converts to what ONNX Runtime does not load ({_short(error)})"
            else:
                (folder / MODEL).write_bytes(content)
                return ""
        return why


def _inputs(features: Mapping[str, Feature], number: Any, *, apart: bool) -> list[tuple[str, Any]]:
    """One input for each run of columns of one kind, so that together they keep the contract's order.

    ``apart``: one for each column. The converter forgets in which order columns are picked from within an input.
    """
    texts = [feature.type == "category" for feature in features.values()]
    runs = [(is_text, 1) for is_text in texts] if apart else [(kind, len(list(run))) for kind, run in groupby(texts)]
    return [
        (f"columns_{position}", (StringTensorType if is_text else number)([None, width]))
        for position, (is_text, width) in enumerate(runs)
    ]


def _convert(estimator: Any, inputs: list[tuple[str, Any]]) -> onnx.ModelProto:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the converters warn of each other's deprecations
        graph: onnx.ModelProto = convert_sklearn(
            estimator,
            name="model",  # else a random one, and the same model would be another file
            initial_types=inputs,
            options={"zipmap": False},
            custom_conversion_functions={SimpleImputer: imputer.convert, **trees.CONVERTERS},
            custom_shape_calculators={SimpleImputer: imputer.shape, **dict.fromkeys(trees.CONVERTERS, trees.shape)},
            target_opset=_OPSETS,
        )
    # The converter keeps them in a set: the same model would be another file in another process.
    domains = sorted(graph.opset_import, key=lambda each: str(each.domain))
    del graph.opset_import[:]
    graph.opset_import.extend(domains)
    return graph


def _know_boosters(estimator: Any) -> None:
    """Tell the converter of classifiers that are not scikit-learn's. Their libraries are there if the model's are."""
    for part in _estimators(estimator):
        for library, name, convert in _BOOSTERS:
            kind = type(part)
            if kind.__name__ == name and kind.__module__.startswith(f"{library}."):
                update_registered_converter(kind, name, trees.shape, convert, options=_OPTIONS)


def _estimators(value: Any) -> Iterator[Any]:
    """The estimator and those within it, as scikit-learn's own parameters name them."""
    yield value
    for name, part in vars(value).items() if hasattr(value, "__dict__") else ():
        several = part if isinstance(part, list | tuple) else [part]
        for each in several:
            inner = each[1] if isinstance(each, tuple) and len(each) > 1 else each
            if hasattr(inner, "get_params") and not isinstance(inner, type) and not name.startswith("_"):
                yield from _estimators(inner)


def _rounding(estimator: Any) -> Any:
    """The estimator with its rows cast to 32 bits before its last step."""
    steps = list(estimator.steps) if isinstance(estimator, Pipeline) else [("model", estimator)]
    return Pipeline([*steps[:-1], ("round_to_32_bits", CastTransformer(dtype=np.float32)), steps[-1]])


def _picks_columns(estimator: Any) -> bool:
    return any(isinstance(part, ColumnTransformer) for part in _estimators(estimator))


def _reads_zeros_as_missing(estimator: Any) -> bool:
    """Whether XGBoost was fitted on sparse rows, where what is zero is not written and counts as missing."""
    if not isinstance(estimator, Pipeline) or type(estimator.steps[-1][1]).__name__ != "XGBClassifier":
        return False
    before = [step for _, step in estimator.steps[:-1] if hasattr(step, "transform")]
    return bool(before) and getattr(before[-1], "sparse_output_", getattr(before[-1], "sparse_output", False)) is True


def _zeros_become_missing(graph: onnx.ModelProto) -> None:
    for ensemble in [node for node in graph.graph.node if node.op_type.startswith("TreeEnsemble")]:
        rows = ensemble.input[0]
        kind = onnx.TensorProto.FLOAT
        constants = {"zero": 0.0, "missing": float("nan")}
        for name, value in constants.items():
            graph.graph.initializer.append(onnx.helper.make_tensor(f"{rows}_{name}", kind, [1], [value]))
        position = list(graph.graph.node).index(ensemble)
        steps = [
            onnx.helper.make_node("Equal", [rows, f"{rows}_zero"], [f"{rows}_is_zero"]),
            onnx.helper.make_node("Where", [f"{rows}_is_zero", f"{rows}_missing", rows], [f"{rows}_or_missing"]),
        ]
        ensemble.input[0] = f"{rows}_or_missing"
        for step in reversed(steps):
            graph.graph.node.insert(position, step)


def _with_output_types(graph: onnx.ModelProto) -> Iterator[bytes]:
    """The graph as it was converted, then with probabilities of the other width.

    The converter declares 64 bits for 64-bit inputs; the operators of trees and of linear models answer in 32.
    """
    yield graph.SerializeToString()
    probabilities = graph.graph.output[-1].type.tensor_type
    other = {onnx.TensorProto.DOUBLE: onnx.TensorProto.FLOAT, onnx.TensorProto.FLOAT: onnx.TensorProto.DOUBLE}
    if probabilities.elem_type in other:
        probabilities.elem_type = other[probabilities.elem_type]
        yield graph.SerializeToString()


def _short(error: Exception) -> str:
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text[:160]}"
