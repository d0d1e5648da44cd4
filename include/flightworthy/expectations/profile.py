"""What was counted of a model's partitions, column by column: all that a suggested suite rests on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

__all__ = ["Column", "Part", "PartitionProfiler", "Profile"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A column in one partition. What only numbers have is None elsewhere, and where all cells are missing."""

    rows: int
    missing: int
    distinct: int
    mean: float | None
    deviation: float | None
    median: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """A column over all the partitions, in time order."""

    name: str
    parts: tuple[Part, ...]
    values: Mapping[object, int] | None
    """How often each value stands in it; None where there are too many to list."""

    @property
    def rows(self) -> int:
        return sum(part.rows for part in self.parts)

    @property
    def missing(self) -> int:
        return sum(part.missing for part in self.parts)

    @property
    def is_number(self) -> bool:
        return any(part.mean is not None for part in self.parts)


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """Some partitions of a model."""

    keys: tuple[str, ...]
    rows: tuple[int, ...]
    """Of each partition."""
    columns: tuple[Column, ...]


class PartitionProfiler(Protocol):
    """Whoever counts."""

    def profile(self, partitions: Mapping[str, Sequence[object]]) -> Profile:
        """Of the Parquet files of each partition, by key and in time order."""
