"""The lock of a model's log folder: compactions share it, and whoever erases somebody has it alone.

Servers never ask for it: they append to files that are theirs.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

__all__ = ["alone", "shared"]


@contextmanager
def shared(folder: Path) -> Iterator[bool]:
    """Whether a compaction may work here now."""
    with _opened(folder) as descriptor:
        yield _taken(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """No compaction works here meanwhile; waits for those that do."""
    with _opened(folder) as descriptor:
        # Where a file system knows no locks nothing is compacted either.
        _taken(descriptor, fcntl.LOCK_EX)
        yield


@contextmanager
def _opened(folder: Path) -> Iterator[int]:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _taken(descriptor: int, how: int) -> bool:
    try:
        fcntl.flock(descriptor, how)
    except OSError:
        return False
    return True
