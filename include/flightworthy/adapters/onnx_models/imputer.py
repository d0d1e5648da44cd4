"""SimpleImputer as comparisons and choices: ONNX's own Imputer knows neither 64 bits nor texts."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from skl2onnx.common.data_types import DoubleTensorType, StringTensorType
from skl2onnx.proto import onnx_proto

from flightworthy.adapters.onnx_models.reader import MISSING_TEXT

__all__ = ["convert", "shape"]

_TYPE: Final = onnx_proto.TensorProto


def shape(operator: Any) -> None:
    """As many columns as there were, of the same type. Raises NotImplementedError for what changes their number."""
    imputer = operator.raw_operator
    if len(operator.inputs) != 1:
        raise NotImplementedError("an imputer of columns of several types")
    if imputer.add_indicator or any(value is None or value != value for value in imputer.statistics_):  # noqa: PLR0124
        raise NotImplementedError("an imputer that adds or leaves out columns")
    if not isinstance(imputer.missing_values, float) or not np.isnan(imputer.missing_values):
        raise NotImplementedError(f"an imputer that takes {imputer.missing_values!r} for missing")
    kind = type(operator.inputs[0].type)
    operator.outputs[0].type = kind([operator.inputs[0].get_first_dimension(), len(imputer.statistics_)])


def convert(scope: Any, operator: Any, container: Any) -> None:
    """Add nodes that put an imputer's statistics where a value is missing."""
    rows, filled = operator.inputs[0], operator.outputs[0]
    is_missing, statistics = (scope.get_unique_variable_name(name) for name in ("is_missing", "statistics"))
    values = operator.raw_operator.statistics_.tolist()
    if isinstance(rows.type, StringTensorType):
        missing = scope.get_unique_variable_name("missing")
        container.add_initializer(missing, _TYPE.STRING, [1], [MISSING_TEXT.encode()])
        container.add_initializer(statistics, _TYPE.STRING, [1, len(values)], [str(each).encode() for each in values])
        _add(scope, container, "Equal", [rows.full_name, missing], is_missing)
    else:
        kind = _TYPE.DOUBLE if isinstance(rows.type, DoubleTensorType) else _TYPE.FLOAT
        container.add_initializer(statistics, kind, [1, len(values)], [float(each) for each in values])
        _add(scope, container, "IsNaN", [rows.full_name], is_missing)
    _add(scope, container, "Where", [is_missing, statistics, rows.full_name], filled.full_name)


def _add(scope: Any, container: Any, kind: str, inputs: list[str], output: str) -> None:
    container.add_node(kind, inputs, output, name=scope.get_unique_operator_name(kind))
