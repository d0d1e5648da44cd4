"""The exact input that a model takes: its features, and what becomes of what training did not see."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from flightworthy.personal import Treatment
from flightworthy.serving.seen import Policy, Seen, Watch
from flightworthy.serving.treated import Treated

__all__ = ["LARGEST_INTEGER", "Contract", "Feature", "Flaw", "Policy", "Row"]

Row = tuple[Any, ...]
LARGEST_INTEGER = 2**53
"""Above it two integers share one float64, which is what an estimator computes with."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Feature:
    """One input column. What is outside of its range or of ``values`` is refused; None leaves either open."""

    name: str
    type: str
    nullable: bool
    values: tuple[str, ...] | None
    minimum: float | None
    maximum: float | None
    personal: Treatment | None = None
    """What becomes of its values before they are scored and kept, where it names a person; the bounds hold after."""
    seen: Seen | None = None
    """What training saw of it, where values beyond that are answered and pointed at."""

    @property
    def is_bounded(self) -> bool:
        """Whether it has a range."""
        return self.minimum is not None or self.maximum is not None

    def range_flaw(self, lowest: float, highest: float) -> str | None:
        """What is wrong with values between these two; NaN stands for none."""
        if self.minimum is not None and lowest < self.minimum:
            return f"Expected a number >= {self.minimum:g}"
        if self.maximum is not None and highest > self.maximum:
            return f"Expected a number <= {self.maximum:g}"
        return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Flaw:
    """What is wrong with an input, and the name of the column or value that is. Unreadable: no client can mean it."""

    name: str
    what: str
    is_unreadable: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Contract:
    """What a request must hold: these features, in any order, and no others unless ``policy`` ignores those."""

    model: str
    features: tuple[Feature, ...]
    policy: Policy = field(default_factory=Policy)
    entity_is_personal: bool = False
    threshold: float = 0.5
    key: bytes | None = field(default=None, compare=False, repr=False)
    """That of the pseudonyms."""
    names: tuple[str, ...] = field(init=False)
    integers: tuple[int, ...] = field(init=False)
    """Where the integer features are."""
    is_numeric: bool = field(init=False)
    """Whether all features are numbers, so that an estimator takes floats."""
    watch: Watch = field(init=False, compare=False, repr=False)
    """Finds the features of rows that training did not see so."""
    treated: Treated = field(init=False, compare=False, repr=False)
    """Does to a request what was done to the rows that were trained on."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "names", tuple(feature.name for feature in self.features))
        integers = tuple(place for place, feature in enumerate(self.features) if feature.type == "integer")
        object.__setattr__(self, "integers", integers)
        object.__setattr__(self, "is_numeric", all(feature.type in {"number", "integer"} for feature in self.features))
        object.__setattr__(self, "treated", Treated(self.features, self.key))
        object.__setattr__(self, "watch", Watch((feature.name, feature.seen) for feature in self.features))

    @property
    def categories(self) -> tuple[Feature, ...]:
        """The features that are words."""
        return tuple(feature for feature in self.features if feature.type == "category")

    def matrix(self, rows: Sequence[Row]) -> NDArray[Any]:
        """Rows in the contract's order as the estimator takes them: float if all are numbers, else object."""
        if self.is_numeric:
            return np.array(rows, dtype=np.float64)
        matrix = np.empty((len(rows), len(self.features)), dtype=object)
        matrix[:] = rows
        return matrix

    def column_flaw(self, given: Sequence[str]) -> Flaw | None:
        """What keeps a table's columns from being this model's: one is missing, unknown, or there twice."""
        if len(given) == len(self.names) and set(given) == set(self.names):
            return None
        for name in self.names:
            if name not in given:
                return Flaw(name=name, what=f"Column `{name}` is missing")
        for name in given:
            if name not in self.names and self.policy.extra_features == "ignore":
                continue
            if name not in self.names:
                return Flaw(name=name, what=f"Column `{name}` is not a feature of this model")
            if given.count(name) > 1:
                return Flaw(name=name, what=f"Column `{name}` is there twice")
        return None

    def value_flaw(self, rows: Sequence[Row]) -> Flaw | None:
        """The first integer feature that holds no exact integer; all else was seen to while decoding."""
        for position in self.integers:
            feature = self.features[position]
            if len(rows) > 1 and _are_integers([row[position] for row in rows]):
                continue
            for index, row in enumerate(rows):
                if (wrong := _integer_flaw(row[position])) is not None:
                    endless = abs(row[position]) > sys.float_info.max
                    return Flaw(name=f"[{index}].{feature.name}", what=wrong, is_unreadable=endless)
        return None


def _are_integers(values: Sequence[Any]) -> bool:
    """Whether all are surely exact integers; one by one is ten times as slow, and tells which is not."""
    try:
        column = np.array(values, dtype=np.float64)
    except OverflowError:
        return False
    # Below the largest, since 2^53 + 1 becomes 2^53 in a float.
    fine = (np.abs(column) < LARGEST_INTEGER) & (np.trunc(column) == column)
    return bool((fine | np.isnan(column)).all())


def _integer_flaw(value: Any) -> str | None:
    # The size first: a longer integer than a float holds cannot be asked whether it is one.
    if value is None or (abs(value) <= LARGEST_INTEGER and float(value).is_integer()):
        return None
    return f"Expected an integer between -2^53 and 2^53, got {value!r:.40}"
