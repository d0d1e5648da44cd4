"""Wheels of the locked server packages, collected once per lock and kept under FLIGHTWORTHY_HOME."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path

from flightworthy.errors import Unavailable
from flightworthy.image import PYTHON

__all__ = ["WheelCache"]

_NEWEST_GLIBC = 36
"""Minor version of the base image's glibc, 2.36; wheels made for an older one run on it."""


class WheelCache:
    """A folder of wheels for each set of requirements. What is in it was checked against the lock's hashes."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def collect(self, requirements: str, *, machine: str, progress: Callable[[str], None]) -> Path:
        """The folder with the wheels of ``requirements`` for ``machine`` and the image's Python.

        Asks whatever package index this machine's pip is set up with, once; raises Unavailable if that fails.
        """
        key = hashlib.sha256(f"{PYTHON}\n{machine}\n{requirements}".encode()).hexdigest()[:12]
        folder = self._folder / key
        if folder.is_dir():
            return folder
        self._folder.mkdir(parents=True, exist_ok=True)
        work = Path(tempfile.mkdtemp(prefix=f"{key}.", suffix=".part", dir=self._folder))
        try:
            self._download(requirements, work, machine, progress)
            # Whole or absent: a build never meets a folder that is still being filled.
            work.rename(folder)
        except OSError:
            if not folder.is_dir():  # else another build collected the same wheels first
                raise
        finally:
            shutil.rmtree(work, ignore_errors=True)
        return folder

    def _download(self, requirements: str, work: Path, machine: str, progress: Callable[[str], None]) -> None:
        listing = work / "requirements.txt"
        listing.write_text(requirements, encoding="utf-8")
        command = [sys.executable, "-m", "pip", "download", "--disable-pip-version-check", "--progress-bar", "off"]
        command += ["--require-hashes", "--no-deps", "--only-binary", ":all:", "--implementation", "cp"]
        command += ["--python-version", PYTHON, "--dest", str(work), "--requirement", str(listing)]
        for platform in _platforms(machine):
            command += ["--platform", platform]
        code, tail = _run(command, progress)
        listing.unlink()
        if code != 0:
            raise Unavailable(
                f"The server's wheels could not be collected (pip exited {code}): {' | '.join(tail)}. See "
                "which package index pip is set up with here, then try again.",
                code=code,
                log=tail,
            )


def _platforms(machine: str) -> Sequence[str]:
    # pip does not know that a wheel for an older glibc will do; it has to be told each name.
    return [*(f"manylinux_2_{minor}_{machine}" for minor in range(_NEWEST_GLIBC, 16, -1)), f"manylinux2014_{machine}"]


def _run(command: Sequence[str], progress: Callable[[str], None]) -> tuple[int, list[str]]:
    tail: deque[str] = deque(maxlen=8)
    environment = os.environ | {"PYTHONUNBUFFERED": "1"}
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment
    ) as process:
        for line in process.stdout or ():
            # Which index a machine uses is its own affair, and none of a log's that others read.
            if not line.startswith("Looking in"):
                tail.append(line.strip())
                progress(line.rstrip())
    return process.returncode, list(tail)
