"""Rows that keep the contract, as the estimator takes them; from rows that were decoded, or from whole columns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from flightworthy.serving.contract import LARGEST_INTEGER, Contract, Feature, Flaw, Policy, Row
from flightworthy.serving.treated import Treated

__all__ = ["Batch", "Column", "from_columns", "from_rows"]


class Batch(msgspec.Struct, frozen=True):
    """What will be scored. ``rows`` is what the prediction log keeps.

    ``flagged`` are the features of which a row holds what training did not see.
    """

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
    if contract.is_numeric and len(rows) > 1:
        matrix = contract.matrix(rows)
        return Batch(matrix, rows, contract.watch.strange_in(matrix))
    flagged = contract.watch.strange(rows)
    if flagged and contract.policy.unseen_category == "missing":
        rows = [tuple(map(_known, contract.features, row)) for row in rows]
    return Batch(contract.matrix(rows), rows, flagged)


def _known(feature: Feature, value: Any) -> Any:
    """The value, or None in place of a category that training did not see."""
    is_strange = feature.seen is not None and feature.seen.values is not None and value not in feature.seen.values
    return None if is_strange else value


def from_columns(contract: Contract, columns: Mapping[str, Column], rows: int) -> Batch | Flaw:
    """A batch of whole columns, each held against its feature; nothing here is done row by row."""
    matrix = np.empty((rows, len(contract.features)), dtype=np.float64 if contract.is_numeric else object)
    flagged = []
    for position, feature in enumerate(contract.features):
        kept = _kept(feature, columns[feature.name], contract.policy, _Change(contract.treated, position))
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


@dataclass(frozen=True, slots=True)
class _Change:
    """What becomes of one feature's values, if it names a person."""

    treated: Treated
    position: int

    def of(self, column: Column, missing: NDArray[np.bool_] | None) -> Column | str:
        values = self.treated.column(self.position, column.values, missing)
        return values if isinstance(values, str) else Column(values, missing)


def _kept(feature: Feature, column: Column, policy: Policy, change: _Change) -> _Kept | str:
    """The column as it will be scored, or what is wrong with it."""
    if (wrong := _kind_flaw(feature, column)) is not None:
        return wrong
    missing = _gaps(column)
    if missing is not None and not feature.nullable:
        return f"Expected a value, got null in row {int(missing.argmax())}"
    changed = change.of(column, missing)
    if isinstance(changed, str):
        return changed
    column = changed
    present = column.values if missing is None else column.values[~missing]
    if feature.type == "category":
        return _kept_texts(feature, column.values, missing, policy)
    if (wrong := _number_flaw(feature, present)) is not None:
        return wrong
    if not len(present) or feature.type == "boolean":
        return _Kept(column.values, missing, False)
    low, high = present.min(), present.max()
    if (wrong := feature.range_flaw(low, high)) is not None:
        return wrong
    seen = feature.seen
    return _Kept(column.values, missing, seen is not None and not seen.minimum <= low <= high <= seen.maximum)


def _kept_texts(
    feature: Feature, values: NDArray[Any], missing: NDArray[np.bool_] | None, policy: Policy
) -> _Kept | str:
    present = set((values if missing is None else values[~missing]).tolist())
    if feature.values is not None and (strange := present.difference(feature.values)):
        return f"Invalid category {min(strange)!r:.60}"
    known = None if feature.seen is None else feature.seen.values
    if known is None or present <= known:
        return _Kept(values, missing, False)
    if policy.unseen_category != "missing":
        return _Kept(values, missing, True)
    return _Kept(values, np.array([value not in known for value in values.tolist()]), True)


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
    if largest > LARGEST_INTEGER or (is_float and not (np.trunc(present) == present).all()):
        return "Expected integers between -2^53 and 2^53"
    return None


def _fill(matrix: NDArray[Any], position: int, kept: _Kept) -> None:
    # Among objects, Python's own numbers and text, as rows of JSON are.
    matrix[:, position] = kept.values if matrix.dtype.kind == "f" else kept.values.tolist()
    if kept.missing is not None:
        matrix[kept.missing, position] = np.nan if matrix.dtype.kind == "f" else None
