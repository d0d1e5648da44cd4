"""Find the numbers at which a model's answer jumps, by asking it alone: whatever kind of model it is."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

__all__ = ["Ask", "Span", "edges"]

Ask = Callable[[Sequence[tuple[int, str, float]]], NDArray[np.float64]]
"""Answers to held rows (by number), each with one column set to a value."""

_PARTS: Final = 16
_LONGEST: Final = 17
"""Sixteenths of 64 bits, and one for what does not divide."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """A stretch of one column's values, looked at in one row."""

    column: str
    row: int
    low: float
    high: float
    is_integer: bool


def edges(spans: Sequence[Span], ask: Ask) -> Iterator[tuple[Span, list[float]]]:
    """For each span the two neighbouring numbers between which the answer differs most, and the next on either side.

    Each look divides every span into parts and goes on with the one over which the answer changes most. A model that
    refuses a value has no edges that could be found this way; then there are none.
    """
    ends = [(_ordinal(span.low, span.is_integer), _ordinal(span.high, span.is_integer)) for span in spans]
    for _ in range(_LONGEST):
        if not spans or all(high - low <= 1 for low, high in ends):
            break
        cuts = [sorted({low + (high - low) * part // _PARTS for part in range(_PARTS + 1)}) for low, high in ends]
        asked = [
            (span.row, span.column, _number(cut, span.is_integer))
            for span, some in zip(spans, cuts, strict=True)
            for cut in some
        ]
        try:
            answers = ask(asked)
        # Whatever a model raises is its refusal to answer.
        except Exception:  # noqa: BLE001
            return
        ends = list(_steepest(cuts, answers))
    for span, (low, high) in zip(spans, ends, strict=True):
        near = {_number(at, span.is_integer) for at in (low - 1, low, high, high + 1)}
        yield span, sorted(value for value in near if span.low <= value <= span.high)


def _steepest(cuts: Sequence[Sequence[int]], answers: NDArray[np.float64]) -> Iterator[tuple[int, int]]:
    at = 0
    for some in cuts:
        mine = answers[at : at + len(some)]
        at += len(some)
        if len(some) < 2:
            yield some[0], some[-1]
            continue
        # The last of equals: where nothing changes, the look does not stay at the low end.
        change = np.nan_to_num(np.abs(np.diff(mine)))
        part = len(change) - 1 - int(np.argmax(change[::-1]))
        yield some[part], some[part + 1]


def _ordinal(value: float, is_integer: bool) -> int:
    """The place of a number among all numbers of 64 bits, or among the integers."""
    if is_integer:
        return int(value)
    bits = int(np.float64(value).view(np.int64))
    return bits if bits >= 0 else -(bits & 0x7FFF_FFFF_FFFF_FFFF)


def _number(ordinal: int, is_integer: bool) -> float:
    if is_integer:
        return float(ordinal)
    return float(np.int64(abs(ordinal)).view(np.float64)) * (1 if ordinal >= 0 else -1)
