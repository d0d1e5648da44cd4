"""How much memory some work takes in this process, Python's or not."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

_RESET = Path("/proc/self/clear_refs")

only_where_peaks_are_told = pytest.mark.skipif(
    not _RESET.exists(), reason="only Linux tells the peak of a process from a moment on"
)


@contextmanager
def growth() -> Iterator[Callable[[], int]]:
    """Ask, after the work, by how many bytes the process was larger at its largest than before."""
    before = _resident("VmRSS")
    _RESET.write_text("5")
    yield lambda: _resident("VmHWM") - before


def _resident(what: str) -> int:
    (line,) = [each for each in Path("/proc/self/status").read_text().splitlines() if each.startswith(f"{what}:")]
    return int(line.split()[1]) * 1024
