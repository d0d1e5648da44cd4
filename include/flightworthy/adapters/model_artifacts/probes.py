"""Rows that a contract allows and no training data holds: wide ranges, gaps, unknown categories, edges of decisions.

All are made from held rows and by rule, nothing by chance: the same training makes the same probes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from flightworthy.adapters.model_artifacts.edges import Span, edges
from flightworthy.spec import Feature, Spec

__all__ = ["probes"]

Predict = Callable[[pd.DataFrame], NDArray[np.float64]]
Change = Mapping[str, Any]

_MAGNITUDES: Final = (
    *(0.0, -1.0, 0.1, 1e3 + 1 / 3, 123_456.789, -1e6 + 1 / 7, 1e6 + 1 / 3, 16_777_217.0),
    *(1e9 + 1 / 3, -1e9, 1_732_500_000.123, 1_732_500_000_123.0, 1e12 + 1 / 3),
)
"""Shares, amounts, whole numbers that 32 bits round, seconds and milliseconds since 1970."""
_UNKNOWN: Final = ("never seen before", "", "nan", "None", "☂")
_MOST_VALUES = 40
_MOST_EDGES = 32
_LARGEST_INTEGER = 2.0**53


def probes(spec: Spec, held: pd.DataFrame, predict: Predict) -> Iterator[tuple[str, pd.DataFrame]]:
    """Groups of rows, each with what is odd about them. ``predict``: the fitted model's, to find its edges with."""
    numbers = {name: feature for name, feature in spec.features.items() if feature.type in {"number", "integer"}}
    values = {name: _values(feature, held[name]) for name, feature in numbers.items()}
    changes: list[Change] = [{name: value} for name, some in values.items() for value in some]
    most = max((len(some) for some in values.values()), default=0)
    changes += [{name: some[at % len(some)] for name, some in values.items() if some} for at in range(most)]
    found = [
        ("a wide range of numbers", changes),
        ("missing values", _gaps(spec)),
        ("categories", _categories(spec)),
        ("the edges of its decisions", _edges(numbers, values, held, predict)),
    ]
    for title, group in found:
        if group:
            yield title, _changed(spec, held, group)


def _values(feature: Feature, seen: pd.Series[Any]) -> list[float]:
    """Numbers to try: of every magnitude that the contract allows, and beyond those that were seen."""
    known = pd.to_numeric(seen, errors="coerce").dropna()
    low, high = (float(known.min()), float(known.max())) if len(known) else (0.0, 1.0)
    reach = high - low
    tried = [*_MAGNITUDES, low, high, low - reach, high + reach, high + 100 * reach, low + reach / 3]
    lowest = -_LARGEST_INTEGER if feature.minimum is None else feature.minimum
    highest = _LARGEST_INTEGER if feature.maximum is None else feature.maximum
    tried += [lowest, highest, lowest + (highest - lowest) / 3]
    if feature.type == "integer":
        tried = [float(round(value)) for value in tried]
    return sorted({value for value in tried if lowest <= value <= highest})


def _gaps(spec: Spec) -> list[Change]:
    nullable = [name for name, feature in spec.features.items() if feature.nullable]
    return [{name: None} for name in nullable] + ([dict.fromkeys(nullable)] if len(nullable) > 1 else [])


def _categories(spec: Spec) -> list[Change]:
    found: list[Change] = []
    for name, feature in spec.features.items():
        if feature.type == "category":
            found += [{name: value} for value in (feature.values or _UNKNOWN)[:_MOST_VALUES]]
        elif feature.type == "boolean":
            found += [{name: True}, {name: False}]
    return found


def _edges(
    numbers: Mapping[str, Feature], values: Mapping[str, Sequence[float]], held: pd.DataFrame, predict: Predict
) -> list[Change]:
    """Where a number more or less decides: the model's jumps, found by asking it, and the numbers beside them."""
    spans = [
        Span(column=name, low=low, high=high, row=row, is_integer=feature.type == "integer")
        for name, feature in list(numbers.items())[:_MOST_EDGES]
        for row, (low, high) in enumerate(_spans(values[name], held[name]))
    ]

    def ask(asked: Sequence[tuple[int, str, float]]) -> NDArray[np.float64]:
        return predict(_changed_rows(held, [(row, {column: value}) for row, column, value in asked]))

    return [{span.column: value} for span, near in edges(spans, ask) for value in near]


def _spans(values: Sequence[float], seen: pd.Series[Any]) -> Iterator[tuple[float, float]]:
    known = pd.to_numeric(seen, errors="coerce").dropna()
    if len(known) and known.min() < known.max():
        yield float(known.min()), float(known.max())
        middle = float(known.median())
        if known.min() < middle:
            yield float(known.min()), middle
    if len(values) > 1:
        yield values[0], values[-1]


def _changed(spec: Spec, held: pd.DataFrame, changes: Sequence[Change]) -> pd.DataFrame:
    """A held row for each change, with the change made."""
    return _changed_rows(held[list(spec.features)], list(enumerate(changes)))


def _changed_rows(held: pd.DataFrame, changes: Sequence[tuple[int, Change]]) -> pd.DataFrame:
    # Spread over the rows, so that neighbours do not share all that is not changed.
    step = max(1, len(held) // 97)
    rows = held.iloc[[row * step % len(held) for row, _ in changes]].reset_index(drop=True)
    for name in sorted({name for _, change in changes for name in change}):
        column = rows[name].tolist()
        for at, (_, change) in enumerate(changes):
            if name in change:
                column[at] = change[name]
        rows[name] = _column(column, rows[name].dtype)
    return rows


def _column(values: list[Any], kind: Any) -> pd.Series[Any]:
    """Of the type that the rows have, or of the one that pandas gives a column with gaps."""
    made: pd.Series[Any]
    whole = pd.api.types.is_integer_dtype(kind)
    if whole and all(value is not None and not pd.isna(value) for value in values):
        made = pd.Series([int(value) for value in values], dtype=kind)
        return made
    if isinstance(kind, pd.CategoricalDtype):
        values = [value if value in kind.categories else None for value in values]
    try:
        made = pd.Series(values, dtype="float64" if whole and isinstance(kind, np.dtype) else kind)
    except (TypeError, ValueError):
        made = pd.Series(values, dtype=object)
    return made
