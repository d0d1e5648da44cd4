"""Cells as a file holds them, before anybody asked what they mean; and refusals that name their place."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, Protocol

import numpy as np
import pyarrow as pa

from flightworthy.errors import PartitionRefused

__all__ = ["Cells", "Place", "Said", "refused"]

Said = Literal["text", "number", "boolean"]


def refused(file: str, what: str, next_step: str, **facts: Any) -> PartitionRefused:
    """What about which file, and what to do."""
    return PartitionRefused(f"{file} {what}. {next_step}", file=file, **facts)


class Place(Protocol):
    """The file that cells come from."""

    @property
    def uri(self) -> str: ...

    @property
    def line_of(self) -> Callable[[int], int] | None:
        """The line of a row (counted from 0) of the file; None where a file has no lines."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cells:
    """Some rows of a file: text where the file is text, else columns of the file's own types."""

    batch: pa.RecordBatch
    place: Place
    first: int = 0
    """The number in the file of the first of these rows, unless ``rows`` says each one's."""
    rows: np.ndarray | None = None
    said: Mapping[str, Said] | None = None
    """What a column is written as, where the format says so; a column of missing cells is not in it."""

    def number(self, row: int) -> int:
        """The number in the file of one of these rows."""
        return self.first + row if self.rows is None else int(self.rows[row])

    def refused(self, column: str, row: int, what: str, next_step: str) -> PartitionRefused:
        """A refusal that names file, column and line, or the number of the row where a file has no lines."""
        number = self.number(row)
        where = {"line": self.place.line_of(number)} if self.place.line_of else {"row": number}
        said = " ".join(f"{name} {number}" for name, number in where.items())
        return PartitionRefused(
            f"{self.place.uri} {said}, column {column!r}: {what}. {next_step}",
            file=self.place.uri, column=column, **where,
        )  # fmt: skip
