"""Make an estimator that was fitted on named columns work on arrays: names become positions."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

import numpy as np
from sklearn.compose import ColumnTransformer

__all__ = ["by_position"]


def by_position(fitted: Any) -> Any:
    """A copy of ``fitted`` that selects columns by position and asks for no column names; ``fitted`` stays as it is.

    ColumnTransformers may be nested anywhere, also inside other estimators. Outputs that an estimator was told to
    give as DataFrames become arrays. Whether the copy predicts the same is for the caller to prove.
    """
    estimator = copy.deepcopy(fitted)
    for part in _parts(estimator, seen=set()):
        if isinstance(part, ColumnTransformer):
            _select_by_position(part)
        if type(part).__name__ == "Booster":
            part.feature_names = None
        part.__dict__.pop("feature_names_in_", None)
        part.__dict__.pop("_sklearn_output_config", None)
    return estimator


def _parts(value: Any, seen: set[int]) -> Iterator[Any]:
    """Every object of scikit-learn and XGBoost inside ``value``, the inner ones before what holds them."""
    if id(value) in seen:
        return
    if isinstance(value, list | tuple):
        children, is_part = list(value), False
    elif isinstance(value, dict):
        children, is_part = list(value.values()), False
    elif isinstance(value, np.ndarray):
        children, is_part = (list(value.flat) if value.dtype == object else []), False
    else:
        is_part = type(value).__module__.startswith(("sklearn.", "xgboost.")) and hasattr(value, "__dict__")
        children = list(vars(value).values()) if is_part else []
    seen.add(id(value))
    for child in children:
        yield from _parts(child, seen)
    if is_part:
        yield value


def _select_by_position(transformer: ColumnTransformer) -> None:
    names = getattr(transformer, "feature_names_in_", None)
    if names is None:
        return
    # No public attribute says which inputs each part takes once selectors, slices, masks and names are resolved.
    inputs = transformer._transformer_to_input_indices  # noqa: SLF001
    taken = {name: [int(position) for position in positions] for name, positions in inputs.items()}
    transformer.transformers = [(name, part, taken[name]) for name, part, _ in transformer.transformers]
    transformer.transformers_ = [(name, part, taken[name]) for name, part, _ in transformer.transformers_]
