"""The lock is what pyproject.toml asks for."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
COMPILE = ("pip", "compile", "--quiet", "--universal", "--generate-hashes", "--all-extras", "--no-header")
NO_NETWORK = re.compile(r"dns error|failed to lookup|connect|timed out|network|offline|Failed to fetch", re.IGNORECASE)


@pytest.mark.network
def test_the_lock_is_up_to_date(tmp_path: Path) -> None:
    """Compiling again, from the versions already chosen, changes no requirement and no hash."""
    lock = tmp_path / "requirements.lock"
    shutil.copy(ROOT / "requirements.lock", lock)
    uv = Path(sys.executable).with_name("uv")
    command = [str(uv), *COMPILE, "--output-file", str(lock), "pyproject.toml"]
    compiled = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300, check=False)
    if compiled.returncode and NO_NETWORK.search(compiled.stderr):
        pytest.skip(f"no package index answers: {compiled.stderr.strip().splitlines()[-1]}")

    assert compiled.returncode == 0, compiled.stderr
    assert requirements(lock) == requirements(ROOT / "requirements.lock"), (
        f"run: uv {' '.join(COMPILE)} --output-file requirements.lock pyproject.toml"
    )


def test_every_requirement_is_pinned_by_hash() -> None:
    """An image and a colleague install the same bytes."""
    text = (ROOT / "requirements.lock").read_text().replace("\\\n", " ")
    loose = [line for line in text.splitlines() if line and not line.startswith((" ", "#")) and "--hash=" not in line]

    assert not loose


def requirements(lock: Path) -> list[str]:
    """The requirements with their hashes. Comments say who asked, which differs between versions of uv."""
    return [line.strip() for line in lock.read_text().splitlines() if line.strip() and not line.strip().startswith("#")]
