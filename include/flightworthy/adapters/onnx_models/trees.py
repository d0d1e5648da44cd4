"""Ensembles of trees whose thresholds and weights stay as wide as they were fitted.

The converters read them in 64 bits and write them in 32; a row between a threshold and what it was rounded to comes out
otherwise, and so does a vote of exactly half. ONNX holds them in 64, in attributes of their own.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Final

from onnx import TensorProto, helper
from skl2onnx.common.data_types import DoubleTensorType
from skl2onnx.common.shape_calculator import calculate_linear_classifier_output_shapes
from skl2onnx.operator_converters.decision_tree import convert_sklearn_decision_tree_classifier
from skl2onnx.operator_converters.gradient_boosting import convert_sklearn_gradient_boosting_classifier
from skl2onnx.operator_converters.random_forest import convert_sklearn_random_forest_classifier
from sklearn.ensemble import (
    ExtraTreesClassifier,
    GradientBoostingClassifier,
    HistGradientBoostingClassifier,
    RandomForestClassifier,
)
from sklearn.tree import DecisionTreeClassifier

__all__ = ["CONVERTERS", "as_fitted", "shape"]

Convert = Callable[[Any, Any, Any], None]

_REALS: Final = ("nodes_values", "nodes_hitrates", "class_weights", "base_values")
_FLAGS: Final = "nodes_missing_value_tracks_true"

_VERSION: Final = 3
"""The first that knows numbers of 64 bits."""

shape = calculate_linear_classifier_output_shapes


def as_fitted(convert: Convert) -> Convert:
    """``convert``, with trees in 64 bits where their rows are."""

    def converted(scope: Any, operator: Any, container: Any) -> None:
        convert(scope, operator, _Nodes(container, in_64_bits=isinstance(operator.inputs[0].type, DoubleTensorType)))

    return converted


_forest = as_fitted(partial(convert_sklearn_random_forest_classifier, op_version=_VERSION))
CONVERTERS: Final[Mapping[type, Convert]] = {
    DecisionTreeClassifier: as_fitted(partial(convert_sklearn_decision_tree_classifier, op_version=_VERSION)),
    ExtraTreesClassifier: _forest,
    GradientBoostingClassifier: as_fitted(partial(convert_sklearn_gradient_boosting_classifier, op_version=_VERSION)),
    HistGradientBoostingClassifier: _forest,
    RandomForestClassifier: _forest,
}


class _Nodes:
    """A converter's container of nodes, whose trees are as wide as they are asked for."""

    def __init__(self, container: Any, *, in_64_bits: bool) -> None:
        self._container = container
        self._in_64_bits = in_64_bits

    def __getattr__(self, name: str) -> Any:
        return getattr(self._container, name)

    def add_node(self, kind: str, *arguments: Any, **attributes: Any) -> None:
        if kind.startswith("TreeEnsemble"):
            if _FLAGS in attributes:
                attributes[_FLAGS] = [int(each) for each in attributes[_FLAGS]]
            if self._in_64_bits:
                attributes["op_version"] = _VERSION
            for name in _REALS if self._in_64_bits else ():
                if name in attributes:
                    reals = [float(each) for each in attributes.pop(name)]
                    attributes[f"{name}_as_tensor"] = helper.make_tensor(name, TensorProto.DOUBLE, [len(reals)], reals)
        self._container.add_node(kind, *arguments, **attributes)
