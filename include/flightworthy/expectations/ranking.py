"""When a feature that ranks the label alone is a leak: on enough rows, or beyond chance beside what it did before."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

__all__ = ["Rank", "leak_among"]

_OF_EACH_CLASS: Final = 30
"""Fewer than this of a class rank perfectly by chance too often to call it a leak without a look at what was before."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rank:
    """How well a feature alone ranks the label, by pairs of rows of one partition.

    Not across partitions: where the share of positives changes with time, whatever follows the calendar would rank.
    """

    area: float
    """Under the ROC curve, 0 to 1."""
    positives: int
    negatives: int
    """Rows of partitions that have both classes."""
    values: int
    """Of a category, ranked by the shares of its values: in fewer rows each stands for itself. A number has 0."""
    partitions: int
    before: Rank | None
    """The same of what is older in the window; None if nothing is, or this needs no look at it."""

    @property
    def best(self) -> float:
        """The area, whichever way round the feature ranks."""
        return max(self.area, 1 - self.area)

    def needs_before(self, at_most: float) -> bool:
        """Whether only a look at what is older can tell that it shows a leak."""
        return not self.is_enough and not self.best <= at_most

    @property
    def is_enough(self) -> bool:
        """Whether it says something by itself."""
        return min(self.positives, self.negatives) >= max(_OF_EACH_CLASS, self.values)


def leak_among(ranks: Sequence[Rank], at_most: float, *, sigmas: float) -> Rank | None:
    """The first rank that shows a leak, if one does."""
    shown = (rank for rank in ranks if not rank.best <= at_most and (rank.is_enough or _has_begun(rank, sigmas)))
    return next(shown, None)


def _has_begun(rank: Rank, sigmas: float) -> bool:
    """Whether the feature ranks so much better than it did before that chance does not explain it."""
    before = rank.before
    if before is None or min(rank.positives, rank.negatives) < rank.values:
        return False
    usual = max(0.5, before.area if rank.area >= 0.5 else 1 - before.area)
    return rank.best - usual > sigmas * math.hypot(_error(usual, rank), _error(usual, before))


def _error(area: float, rank: Rank) -> float:
    """Of an area under the ROC curve (Hanley and McNeil, 1982)."""
    positive, negative = area / (2 - area) - area**2, 2 * area**2 / (1 + area) - area**2
    spread = area * (1 - area) + (rank.positives - 1) * positive + (rank.negatives - 1) * negative
    return math.sqrt(max(0.0, spread) / (rank.positives * rank.negatives))
