"""The Dockerfile of a model version and the options that its container runs with."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

__all__ = [
    "ARTIFACT",
    "BASE_IMAGE",
    "CONTEXT",
    "PORT",
    "PYTHON",
    "REQUIREMENTS",
    "RUN_OPTIONS",
    "SERVER_ENVIRONMENT",
    "UID",
    "WHEELS",
    "dockerfile",
]

BASE_IMAGE: Final = "python:3.11-slim-bookworm"
PYTHON: Final = "3.11"
UID: Final = 10001
PORT: Final = 8080
CONTEXT: Final = "context.json"
ARTIFACT: Final = "model"
REQUIREMENTS: Final = "requirements.txt"
WHEELS: Final = "wheels"

SERVER_ENVIRONMENT: Final[Mapping[str, str]] = {
    "PYTHONDONTWRITEBYTECODE": "1",
    "PYTHONUNBUFFERED": "1",
    # One row at a time leaves nothing to share out, and a second server on the machine wants the other core.
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
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


def dockerfile(*, model: str, version: str, labels: Mapping[str, str]) -> str:
    """The Dockerfile of one model version. No network, no secrets: all it needs lies beside it."""
    # One instruction for all: each is a container to start for the engine. $ would be a variable to it.
    label = " ".join(f"{name}={json.dumps(value)}" for name, value in labels.items()).replace("$", r"\$")
    environment = " ".join(f"{name}={value}" for name, value in SERVER_ENVIRONMENT.items())
    command = ["python", "-m", "flightworthy.serving", "--artifact", "/opt/flightworthy/model"]
    command += ["--model", model, "--version", version, "--host", "0.0.0.0", "--port", str(PORT)]  # noqa: S104
    probe = f"from urllib.request import urlopen; urlopen('http://127.0.0.1:{PORT}/healthz', timeout=2)"
    return f"""\
FROM {BASE_IMAGE} AS dependencies
COPY {REQUIREMENTS} /build/{REQUIREMENTS}
COPY {WHEELS}/ /build/{WHEELS}/
RUN python -m pip install --no-cache-dir --no-index --find-links /build/{WHEELS} --require-hashes \\
    --target /opt/flightworthy/packages -r /build/{REQUIREMENTS}

FROM {BASE_IMAGE}
ENV PYTHONPATH=/opt/flightworthy/server:/opt/flightworthy/packages {environment}
COPY --from=dependencies /opt/flightworthy/packages /opt/flightworthy/packages
COPY server/ /opt/flightworthy/server/
COPY {ARTIFACT}/ /opt/flightworthy/model/
LABEL {label}
USER {UID}:{UID}
WORKDIR /opt/flightworthy
EXPOSE {PORT}
HEALTHCHECK --interval=10s --timeout=3s --start-period=20s --retries=3 \\
    CMD {json.dumps(["python", "-I", "-S", "-c", probe])}
ENTRYPOINT {json.dumps(command)}
"""
