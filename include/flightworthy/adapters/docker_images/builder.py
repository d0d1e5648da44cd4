"""The image builder for a Docker engine: streams a build context to it and hands on its log."""

from __future__ import annotations

import os
import shutil
import tarfile
import tempfile
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import IO, Any, Final

import docker
from docker.errors import APIError, DockerException, ImageNotFound
from requests.exceptions import RequestException

from flightworthy.adapters.docker_images.wheels import WheelCache
from flightworthy.errors import ReleaseRefused, Unavailable
from flightworthy.image import WHEELS, Availability, BuildContext, Image

__all__ = ["DockerImages"]

_MACHINES: Final[Mapping[str, str]] = {"amd64": "x86_64", "arm64": "aarch64"}
_DIGEST_LABEL: Final = "io.flightworthy.context-digest"


class DockerImages:
    """Builds with the engine that DOCKER_HOST or the usual socket leads to; connects only when asked something."""

    def __init__(self, wheels: WheelCache, *, connect: Callable[[], docker.DockerClient] = docker.from_env) -> None:
        self._wheels = wheels
        self._connect = connect

    def availability(self) -> Availability:
        """Whether an engine answers. Never raises."""
        try:
            client = self._connect()
        except DockerException as error:
            return Availability(available=False, reason=f"no Docker engine answers: {error}")
        try:
            version = client.version()
        except (DockerException, RequestException) as error:
            return Availability(available=False, reason=f"the Docker engine does not answer: {error}")
        finally:
            client.close()
        return Availability(available=True, reason=f"Docker engine {version['Version']} ({version['Arch']})")

    def machine(self) -> str:
        """The engine's processor, as wheels name it: x86_64 or aarch64. Raises Unavailable."""
        client = self._client()
        try:
            architecture = str(client.version()["Arch"])
        finally:
            client.close()
        return _MACHINES.get(architecture, architecture)

    def build(self, context: BuildContext, *, progress: Callable[[str], None]) -> Image:
        """The image of ``context``, built unless there is one of the same content already. See ImageBuilder."""
        client = self._client()
        try:
            if (found := _existing(client, context)) is not None:
                progress(f"{found.digest} holds this context already")
                return found
            machine = _MACHINES.get(str(client.version()["Arch"]), "x86_64")
            requirements = context.requirements.read_text(encoding="utf-8")
            _link(self._wheels.collect(requirements, machine=machine, progress=progress), context.folder / WHEELS)
            return _built(client, context, progress)
        except (APIError, RequestException) as error:
            raise Unavailable(
                f"The Docker engine stopped answering while it built {context.tag}: {error}. Nothing was released; "
                "run containerize again.",
                tag=context.tag,
            ) from error
        finally:
            client.close()

    def _client(self) -> docker.DockerClient:
        try:
            return self._connect()
        except DockerException as error:
            raise Unavailable(f"No Docker engine answers: {error}. Start one, then try again.") from error


def _existing(client: docker.DockerClient, context: BuildContext) -> Image | None:
    images = client.images.list(filters={"label": f"{_DIGEST_LABEL}={context.digest}"})
    if not images:
        return None
    return Image(digest=str(images[0].id), tag=context.tag, labels=images[0].labels, reused=True)


def _built(client: docker.DockerClient, context: BuildContext, progress: Callable[[str], None]) -> Image:
    tail: deque[str] = deque(maxlen=20)
    with tempfile.TemporaryFile() as archive:
        _pack(context.folder, archive)
        archive.seek(0)
        lines = client.api.build(
            fileobj=archive,
            custom_context=True,
            tag=context.tag,
            labels={_DIGEST_LABEL: context.digest},
            # Hermetic: what is not in the context cannot get into the image.
            network_mode="none",
            decode=True,
            rm=True,
            forcerm=True,
        )
        # To its end, error or not: half a stream read keeps its connection open.
        for text in _texts(lines):
            tail.append(text)
            progress(text)
    if any(text.startswith("error: ") for text in tail):
        raise _failure(context, tail)
    try:
        image = client.images.get(context.tag)
    except ImageNotFound as error:
        raise _failure(context, tail) from error
    return Image(digest=str(image.id), tag=context.tag, labels=image.labels, reused=False)


def _texts(lines: Iterator[Mapping[str, Any]]) -> Iterator[str]:
    for line in lines:
        if "error" in line:
            yield f"error: {line['error']}"
        elif text := str(line.get("stream", "")).strip():
            yield text


def _failure(context: BuildContext, tail: deque[str]) -> ReleaseRefused:
    return ReleaseRefused(
        f"The image of {context.tag} was not built: {tail[-1] if tail else 'the engine said nothing'}. The end of the "
        f"build's log:\n" + "\n".join(tail) + f"\nThe build context is {context.folder}.",
        tag=context.tag,
        log=list(tail),
    )


def _pack(folder: Path, archive: IO[bytes]) -> None:
    """The context as a tar that depends on its content only: sorted, without owners and times."""
    with tarfile.open(fileobj=archive, mode="w") as tar:
        for path in sorted(folder.rglob("*")):
            entry = tar.gettarinfo(path, arcname=path.relative_to(folder).as_posix())
            entry.uid = entry.gid = entry.mtime = 0
            entry.uname = entry.gname = ""
            entry.mode = 0o755 if path.is_dir() else 0o644
            # Wheels are hard links to the cache; the engine wants files.
            entry.type = tarfile.DIRTYPE if path.is_dir() else tarfile.REGTYPE
            if path.is_file():
                entry.size = path.stat().st_size
                with path.open("rb") as file:
                    tar.addfile(entry, file)
            else:
                tar.addfile(entry)


def _link(wheels: Path, folder: Path) -> None:
    """Give the context its wheels without storing them again, where the disk allows that."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    for wheel in sorted(wheels.iterdir()):
        try:
            os.link(wheel, folder / wheel.name)
        except OSError:
            shutil.copyfile(wheel, folder / wheel.name)
