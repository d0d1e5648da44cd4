"""How far a long reading is, told every few seconds to whoever wants to know."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final, TypeVar

__all__ = ["Progress", "Tell", "told"]

T = TypeVar("T")

_PAUSE: Final = 5.0
"""Seconds between two tellings."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How far the reading of a file, or of a table's partition, is."""

    uri: str
    rows: int
    share: float
    """Of a file's bytes or a partition's rows, from 0 to 1."""
    rate: float
    """Rows a second."""


Tell = Callable[[Progress], None]


def told(
    batches: Iterator[T], tell: Tell | None, *, uri: str, count: Callable[[T], int], share: Callable[[int], float]
) -> Iterator[T]:
    """The batches as they are; ``share`` says of a number of rows how much they are, when that many were read."""
    began = last = time.monotonic()
    rows = 0
    for batch in batches:
        yield batch
        rows += count(batch)
        if tell is not None and (now := time.monotonic()) - last >= _PAUSE:
            last = now
            tell(Progress(uri=uri, rows=rows, share=share(rows), rate=rows / (now - began)))
