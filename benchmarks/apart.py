"""One measurement in a process of its own, so that no memory and no warmth of another is in it."""

from __future__ import annotations

import json
import subprocess
import sys

from benchmarks.result import ROOT

__all__ = ["apart"]


def apart(module: str, how: str, *words: object) -> dict[str, float]:
    """What ``python -m module --once how words…`` prints last, as JSON. Raises RuntimeError where it broke."""
    command = [sys.executable, "-m", module, "--once", how, *map(str, words)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=3600, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"{how} broke:\n{done.stderr}")
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found
