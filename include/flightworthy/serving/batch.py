"""Rows that keep the contract, as the estimator takes them; from rows that were decoded, or from whole columns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from flightworthy.serving.contract import Contract, Feature, Flaw, Policy, Row

__all__ = ["Batch", "Column", "from_columns", "from_rows"]

_LARGEST_INTEGER = 2**53


class Batch(msgspec.Struct, frozen=True):
    """What will be scored. ``rows`` is what the prediction log keeps; ``flagged`` are features that policy let pass."""

    matrix: NDArray[Any]
    rows: Sequence[Row] | NDArray[Any]
    flagged: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Column:
    """One feature's values: floats, integers, booleans, or an object array of text; ``missing`` marks its gaps."""

    values: NDArray[Any]
    missing: NDArray[np.bool_] | None = None


def from_rows(contract: Contract, rows: Sequence[Row]) -> Batch:
    """A batch of rows whose types, ranges and categories were seen to while they were decoded."""
    if not contract.policy.flags:
        return Batch(contract.matrix(rows), rows)
    flagged = []
    columns = [list(values) for values in zip(*rows, strict=True)]
    for feature, values in zip(contract.features, columns, strict=True):
        if feature.values is not None:
            known = {*feature.values, None}
            unseen = any(value not in known for value in values)
            values[:] = [value if value in known else None for value in values]
        else:
            present = [value for value in values if value is not None] if feature.is_bounded else []
            unseen = bool(present) and feature.range_flaw(min(present), max(present)) is not None
        flagged += [feature.name] if unseen else []
    kept: list[Row] = list(zip(*columns, strict=True))
    return Batch(contract.matrix(kept), kept, tuple(flagged))


def from_columns(contract: Contract, columns: Mapping[str, Column], rows: int) -> Batch | Flaw:
    """A batch of whole columns, each held against its feature; nothing here is done row by row."""
    matrix = np.empty((rows, len(contract.features)), dtype=np.float64 if contract.is_numeric else object)
    flagged = []
    for position, feature in enumerate(contract.features):
        kept = _kept(feature, columns[feature.name], contract.policy)
        if isinstance(kept, str):
            return Flaw(name=feature.name, what=kept)
        flagged += [feature.name] if kept.is_flagged else []
        _fill(matrix, position, kept)
    return Batch(matrix, matrix, tuple(flagged))


@dataclass(frozen=True, slots=True)
class _Kept:
    """A column that may be scored, and whether that is by the policy's leave."""

    values: NDArray[Any]
    missing: NDArray[np.bool_] | None
    is_flagged: bool


def _kept(feature: Feature, column: Column, policy: Policy) -> _Kept | str:
    """The column as it will be scored, or what is wrong with it."""
    if (wrong := _kind_flaw(feature, column)) is not None:
        return wrong
    missing = _gaps(column)
    if missing is not None and not feature.nullable:
        return f"Expected a value, got null in row {int(missing.argmax())}"
    present = column.values if missing is None else column.values[~missing]
    if feature.type == "category":
        unseen = _unseen(feature, present)
        if unseen is None or policy.unseen_category == "refuse":
            return _Kept(column.values, missing, False) if unseen is None else f"Invalid category {unseen!r:.60}"
        known = set(feature.values or ())
        return _Kept(column.values, np.array([value not in known for value in column.values.tolist()]), True)
    if (wrong := _number_flaw(feature, present)) is not None:
        return wrong
    outside = feature.range_flaw(present.min(), present.max()) if feature.is_bounded and len(present) else None
    if outside is not None and policy.out_of_range == "refuse":
        return outside
    return _Kept(column.values, missing, outside is not None)


_KINDS: Mapping[str, str] = {"number": "fiu", "integer": "fiu", "boolean": "b", "category": "O"}
_NAMES: Mapping[str, str] = {"f": "floats", "i": "integers", "u": "integers", "b": "booleans", "O": "text"}


def _kind_flaw(feature: Feature, column: Column) -> str | None:
    kind = column.values.dtype.kind
    if kind in _KINDS[feature.type]:
        return None
    return f"Expected {_NAMES[_KINDS[feature.type][0]]} for a {feature.type}, got {_NAMES.get(kind, kind)}"


def _gaps(column: Column) -> NDArray[np.bool_] | None:
    """Where there is no value, or None. NaN is how a float column says so."""
    missing = column.missing
    if column.values.dtype.kind == "f":
        unknown = np.isnan(column.values)
        missing = unknown if missing is None else missing | unknown
    return missing if missing is not None and missing.any() else None


def _unseen(feature: Feature, present: NDArray[Any]) -> str | None:
    """A category that the model was not trained on, or None."""
    if feature.values is None:
        return None
    strange = set(present.tolist()).difference(feature.values)
    return min(strange) if strange else None


def _number_flaw(feature: Feature, present: NDArray[Any]) -> str | None:
    if not len(present) or feature.type == "boolean":
        return None
    is_float = present.dtype.kind == "f"
    if is_float and not np.isfinite(present).all():
        return "Expected a finite number"
    if feature.type != "integer":
        return None
    # Python's own integers: the smallest int64 has no positive counterpart among int64.
    largest = max(abs(int(present.min())), abs(int(present.max())))
    if largest > _LARGEST_INTEGER or (is_float and not (np.trunc(present) == present).all()):
        return "Expected integers between -2^53 and 2^53"
    return None


def _fill(matrix: NDArray[Any], position: int, kept: _Kept) -> None:
    # Among objects, Python's own numbers and text, as rows of JSON are.
    matrix[:, position] = kept.values if matrix.dtype.kind == "f" else kept.values.tolist()
    if kept.missing is not None:
        matrix[kept.missing, position] = np.nan if matrix.dtype.kind == "f" else None
