"""A built image written down anew without the time and machine of its build, so that its digest is its content's."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from collections.abc import Mapping
from typing import Any, Final

import docker
from docker.errors import DockerException

__all__ = ["settle"]

_KEPT: Final = (
    "Entrypoint",
    "Cmd",
    "Env",
    "ExposedPorts",
    "Healthcheck",
    "User",
    "Volumes",
    "WorkingDir",
    "StopSignal",
)
_EPOCH: Final = "1970-01-01T00:00:00Z"


def settle(client: docker.DockerClient, built: str, *, tag: str, labels: Mapping[str, str]) -> str | None:
    """The digest of an image of the same layers whose configuration is only what they run with; named ``tag``.

    An engine that has a layer does not read it again, so nothing but the configuration is sent. One that keeps images
    otherwise asks for the layers, which are not there: None, and nothing has changed.
    """
    told = client.images.get(built).attrs
    config = _configuration(told, labels)
    digest = hashlib.sha256(config).hexdigest()
    layers = [f"{number}/layer.tar" for number, _ in enumerate(told["RootFS"]["Layers"])]
    manifest = [{"Config": f"{digest}.json", "RepoTags": [tag], "Layers": layers}]
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as tar:
        for name, body in ((f"{digest}.json", config), ("manifest.json", json.dumps(manifest).encode())):
            entry = tarfile.TarInfo(name)
            entry.size = len(body)
            tar.addfile(entry, io.BytesIO(body))
    try:
        loaded = client.images.load(archive.getvalue())
    except DockerException:
        return None
    found = f"sha256:{digest}"
    return found if any(image.id == found for image in loaded) else None


def _configuration(told: Mapping[str, Any], labels: Mapping[str, str]) -> bytes:
    """An image's configuration as its specification has it, of what was built and nothing of the building."""
    runs = {name: told["Config"][name] for name in _KEPT if told["Config"].get(name)}
    runs["Labels"] = dict(sorted({**(told["Config"].get("Labels") or {}), **labels}.items()))
    written = {
        "architecture": told["Architecture"],
        "os": told["Os"],
        "created": _EPOCH,
        "config": runs,
        "rootfs": {"type": "layers", "diff_ids": told["RootFS"]["Layers"]},
    }
    return json.dumps(written, sort_keys=True, separators=(",", ":")).encode()
