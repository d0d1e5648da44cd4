"""Whether the quotes of a CSV file stand where quotes may stand, looked at as its bytes pass."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

__all__ = ["Quotes"]

_QUOTE: Final = ord('"')
_BESIDE: Final = np.zeros(256, bool)
"""What may stand before a quote that opens, and behind one that closes: a separator, a line's end, another quote."""
_BESIDE[list(b',\r\n"')] = True


@dataclass(slots=True)
class Quotes:
    """Every other quote opens a cell, and the next one closes it or begins a quote that is written as two.

    Where each has beside it what it may have, every reader takes them so; else only parsing tells.
    """

    are_plain: bool = True
    _count: int = 0
    _before: bytes = b"\n\n"
    """The last two bytes that passed: a quote is looked at together with what is on both sides of it."""

    def take(self, chunk: bytes) -> None:
        """Look at the bytes that pass."""
        if b'"' in chunk or self._before[-1:] == b'"':
            self._look(np.frombuffer(self._before + chunk, np.uint8))
        self._before = (self._before + chunk[-2:])[-2:]

    def end(self) -> None:
        """No byte follows; it is as if a line ended."""
        self.take(b"\n")
        self.are_plain = self.are_plain and self._count % 2 == 0

    def _look(self, text: np.ndarray) -> None:
        places = 1 + np.flatnonzero(text[1:-1] == _QUOTE)
        opening, closing = places[self._count % 2 :: 2], places[1 - self._count % 2 :: 2]
        self._count += len(places)
        self.are_plain = self.are_plain and bool(_BESIDE[text[opening - 1]].all() and _BESIDE[text[closing + 1]].all())
