"""An environment for each peer, made once from its pinned requirements and kept under ``.flightworthy/benchmarks``."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

from benchmarks.result import ROOT
from benchmarks.wrk import NotMeasured

HERE = ROOT / "benchmarks" / "peers"
HOME = ROOT / ".flightworthy" / "benchmarks"


def python_of(environment: str | None) -> Path:
    """The Python of a peer's environment, made now if it is not there or its requirements changed; None is ours.

    Raises NotMeasured where it cannot be made, as on a machine without a package index.
    """
    if environment is None:
        return Path(sys.executable)
    requirements = HERE / f"{environment}.txt"
    folder = HOME / environment / "venv"
    python, made_from = folder / "bin" / "python", folder / "made-from"
    wanted = hashlib.sha256(requirements.read_bytes()).hexdigest()
    if made_from.is_file() and made_from.read_text(encoding="utf-8") == wanted:
        return python
    print(f"  making an environment for {environment}", flush=True)
    shutil.rmtree(folder, ignore_errors=True)
    _uv("venv", "--python", sys.executable, str(folder))
    _uv("pip", "install", "--python", str(python), "--compile-bytecode", "-r", str(requirements))
    made_from.write_text(wanted, encoding="utf-8")
    return python


def _uv(*arguments: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "uv", *arguments, "--quiet"],
        env=_told(), cwd=ROOT, capture_output=True, text=True, timeout=600, check=False,
    )  # fmt: skip
    if done.returncode != 0:
        raise NotMeasured(f"no environment could be made for it: {' '.join(done.stderr.split())[-300:]}")


def _told() -> dict[str, str]:
    """What pip was told, uv is told too, as for our own environment: the index and the certificates."""
    command = [sys.executable, "-m", "pip", "config", "get", "global.index-url"]
    index = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False).stdout.strip()
    told = {"UV_DEFAULT_INDEX": index} if index else {}
    if certificates := os.environ.get("PIP_CERT"):
        told["SSL_CERT_FILE"] = certificates
    return {**told, **os.environ}
