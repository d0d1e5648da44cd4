"""What the training rows held of each feature, and which features of a request hold something else."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import inf
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

__all__ = ["Policy", "Seen", "Watch"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """What becomes of input that the contract allows and the training rows did not hold; ``requests`` of model.yaml."""

    extra_features: Literal["refuse", "ignore"] = "refuse"
    out_of_range: Literal["accept", "flag", "refuse"] = "flag"
    unseen_category: Literal["accept", "flag", "missing", "refuse"] = "flag"


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What training saw of a feature that is watched: the range of a number, the values of a category."""

    minimum: float = -inf
    maximum: float = inf
    values: frozenset[str] | None = None


class Watch:
    """Looks for what training did not see. Cheap where there is one row, as in most requests."""

    def __init__(self, seen: Iterable[tuple[str, Seen | None]]) -> None:
        """``seen``: the features in the contract's order, None for one that is not watched."""
        known = list(seen)
        watched = [(place, name, each) for place, (name, each) in enumerate(known) if each is not None]
        self._names = tuple(name for name, _ in known)
        self._low = np.array([-inf if each is None else each.minimum for _, each in known])
        self._high = np.array([inf if each is None else each.maximum for _, each in known])
        self._ranges = [(at, name, each.minimum, each.maximum) for at, name, each in watched if each.values is None]
        self._values = [(at, name, each.values) for at, name, each in watched if each.values is not None]

    def strange(self, rows: Sequence[tuple[Any, ...]]) -> tuple[str, ...]:
        """The features of which a row holds a number or a category that training did not see; None is neither."""
        if len(rows) == 1:
            (row,) = rows
            found = [name for at, name, low, high in self._ranges if row[at] is not None and not low <= row[at] <= high]
            found += [name for at, name, known in self._values if row[at] is not None and row[at] not in known]
            return tuple(found)
        if not self._ranges and not self._values:
            return ()
        columns = list(zip(*rows, strict=True))
        found = [name for at, name, low, high in self._ranges if _leaves(columns[at], low, high)]
        found += [name for at, name, known in self._values if not set(columns[at]) - {None} <= known]
        return tuple(found)

    def strange_in(self, matrix: NDArray[np.float64]) -> tuple[str, ...]:
        """The same of many rows that are nothing but numbers, NaN where there is none."""
        outside = np.any((matrix < self._low) | (matrix > self._high), axis=0)
        return tuple(name for name, is_outside in zip(self._names, outside.tolist(), strict=True) if is_outside)


def _leaves(column: Sequence[Any], low: float, high: float) -> bool:
    values = np.array(column, dtype=np.float64)  # None becomes NaN, which is neither below nor above
    return bool(((values < low) | (values > high)).any())
