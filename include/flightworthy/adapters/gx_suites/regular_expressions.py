"""Which regular expressions pandas gives to RE2, by way of pyarrow, and which to Python."""

from __future__ import annotations

import re
from typing import Final

__all__ = ["only_python"]

_ONLY_PYTHON: Final = re.compile(r"\(\?(?!:)|\\[1-9]")
"""Look-around, flags and back-references."""


def only_python(pattern: str) -> bool:
    """Whether RE2 cannot be asked, or would answer otherwise."""
    return _ONLY_PYTHON.search(pattern) is not None
