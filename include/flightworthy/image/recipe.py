"""The Dockerfile of a model version and the options that its container runs with."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

__all__ = [
    "ARTIFACT",
    "BASE_IMAGE",
    "CONTEXT",
    "DOCUMENTS",
    "LIBRARIES",
    "PACKAGES",
    "PLACES",
    "PORT",
    "PYTHON",
    "REQUIREMENTS",
    "RUN_OPTIONS",
    "SERVER",
    "SERVER_ENVIRONMENT",
    "UID",
    "dockerfile",
    "health_check",
]

BASE_IMAGE: Final = "python:3.11-slim-bookworm"
PYTHON: Final = "3.11"
UID: Final = 10001
PORT: Final = 8080
CONTEXT: Final = "context.json"
ARTIFACT: Final = "model"
REQUIREMENTS: Final = "requirements.txt"
SERVER: Final = "server"
PACKAGES: Final = "packages"
LIBRARIES: Final = "libraries"
DOCUMENTS: Final = "documents"

PLACES: Final[Mapping[str, str]] = {
    PACKAGES: "opt/flightworthy/packages",
    LIBRARIES: "opt/flightworthy/libraries",
    SERVER: "opt/flightworthy/server",
    ARTIFACT: "opt/flightworthy/model",
    DOCUMENTS: "opt/flightworthy/documents",
}
"""Where each folder of the build context lies in the image.

The engine is sent each of them at that place below a folder of its own, to be copied onto ``/``: it would date the very
folder that it copies into with the time of the build, and the root is the only one that is in no layer.
"""

SERVER_ENVIRONMENT: Final[Mapping[str, str]] = {
    "PYTHONDONTWRITEBYTECODE": "1",
    "PYTHONUNBUFFERED": "1",
    # One row at a time leaves nothing to share out, and a second server on the machine wants the other core.
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    # ONNX Runtime sends its maker what it is used for, and keeps a number of this machine, unless it is told not to.
    "ORT_DISABLE_TELEMETRY": "1",
}
"""For the container and for the process alike."""

RUN_OPTIONS: Final[Mapping[str, Any]] = {
    "user": f"{UID}:{UID}",
    "read_only": True,
    "cap_drop": ["ALL"],
    "security_opt": ["no-new-privileges"],
    "tmpfs": {"/tmp": "rw,noexec,nosuid,nodev,size=64m"},  # noqa: S108 - inside the container
    "mem_limit": "1g",
    "memswap_limit": "1g",
    "pids_limit": 128,
}
"""Arguments of the Docker SDK's ``containers.run``. A folder mounted for the prediction log must be UID's to write."""


_COMPILE: Final = """\
import compileall, os, pathlib, py_compile, sys
root = pathlib.Path(sys.argv[1])
made = py_compile.PycInvalidationMode.UNCHECKED_HASH
if not compileall.compile_dir(root, quiet=1, workers=0, invalidation_mode=made):
    sys.exit(1)
for path in (root, *root.rglob("*")):
    if path.is_dir() or path.suffix == ".pyc":
        os.utime(path, (0, 0))
"""
"""Bytecode that says nothing of when it was made, by the very Python that will run it."""


def dockerfile(*, model: str, version: str, labels: Mapping[str, str]) -> str:
    """The Dockerfile of one model version. No network, no secrets: all it needs is sent along.

    BASE is the base image, which the builder names by its digest.
    """
    # One instruction for all: each is a container to start for the engine. $ would be a variable to it.
    label = " ".join(f"{name}={json.dumps(value)}" for name, value in labels.items()).replace("$", r"\$")
    environment = " ".join(f"{name}={value}" for name, value in SERVER_ENVIRONMENT.items())
    command = ["python", "-m", "flightworthy.serving", "--artifact", f"/{PLACES[ARTIFACT]}"]
    command += ["--model", model, "--version", version, "--host", "0.0.0.0", "--port", str(PORT)]  # noqa: S104
    return f"""\
ARG BASE={BASE_IMAGE}
FROM ${{BASE}}
ENV PYTHONPATH=/{PLACES[SERVER]}:/{PLACES[PACKAGES]} LD_LIBRARY_PATH=/{PLACES[LIBRARIES]} {environment}
ADD {PACKAGES}.tar /
RUN {_compiled(PACKAGES)}
COPY {SERVER}/ /
RUN {_compiled(SERVER)}
COPY {DOCUMENTS}/ /
COPY {ARTIFACT}/ /
LABEL {label}
USER {UID}:{UID}
WORKDIR /opt/flightworthy
EXPOSE {PORT}
HEALTHCHECK --interval=10s --timeout=3s --start-period=20s --retries=3 \\
    CMD {json.dumps(health_check(PORT))}
ENTRYPOINT {json.dumps(command)}
"""


def health_check(port: int) -> list[str]:
    """The command by which an engine asks a server on ``port``, from inside its container, how it is."""
    probe = f"from urllib.request import urlopen; urlopen('http://127.0.0.1:{port}/healthz', timeout=2)"
    return ["python", "-I", "-S", "-c", probe]


def _compiled(place: str) -> str:
    return json.dumps(["python", "-I", "-S", "-c", _COMPILE, f"/{PLACES[place]}"])
