"""The drill's server in an image, where there is an engine to build it."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from drill.rig import TINY
from flightworthy.image import BASE_IMAGE, PORT

if TYPE_CHECKING:
    import docker

_DOCKERFILE = f"""\
FROM {BASE_IMAGE}
COPY tiny_server.py behaviour.json /model/
ENTRYPOINT ["python", "-u", "/model/tiny_server.py", "--artifact", "/model", "--model", "m", "--version", "1", \
"--host", "0.0.0.0", "--port", "{PORT}"]
"""


class NoEngine(Exception):
    """There is no engine here that could run the drill's image; says why."""


@contextmanager
def engine() -> Iterator[docker.DockerClient]:
    """A client of the engine. Raises NoEngine where none answers or it has no base image."""
    import docker
    from docker.errors import DockerException

    try:
        client = docker.from_env(timeout=60)
        client.images.get(BASE_IMAGE)
    except DockerException as error:
        raise NoEngine(f"needs a Docker engine with {BASE_IMAGE}: {error}") from error
    try:
        yield client
    finally:
        client.close()


@contextmanager
def tiny_image(client: docker.DockerClient) -> Iterator[str]:
    """The tiny server in an image, which answers 0.5; its digest. Removed afterwards."""
    context = io.BytesIO()
    with tarfile.open(fileobj=context, mode="w") as tar:
        files = {
            "Dockerfile": _DOCKERFILE.encode(),
            "tiny_server.py": Path(TINY[1]).read_bytes(),
            "behaviour.json": b'{"prediction": 0.5}',
        }
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content))
    context.seek(0)
    built, _ = client.images.build(fileobj=context, custom_context=True, rm=True)
    try:
        yield str(built.id)
    finally:
        client.images.remove(str(built.id), force=True)
