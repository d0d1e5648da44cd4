"""The image builder for a Docker engine: streams a build context to it and hands on its log."""

from __future__ import annotations

import tempfile
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

import docker
from docker.errors import APIError, DockerException, ImageNotFound
from docker.models.images import Image as EngineImage
from requests.exceptions import RequestException

from flightworthy.adapters.docker_images.sending import write_sent_context
from flightworthy.adapters.docker_images.settled import settle
from flightworthy.adapters.docker_images.wheels import WheelCache
from flightworthy.errors import ReleaseRefused, Unavailable
from flightworthy.image import BASE_IMAGE, Availability, BuildContext, Image, Wheel, check_wheels

__all__ = ["DockerImages"]

_MACHINES: Final[Mapping[str, str]] = {"amd64": "x86_64", "arm64": "aarch64"}
_CONTEXT_LABEL: Final = "io.flightworthy.context-digest"
_BASE_LABEL: Final = "org.opencontainers.image.base.digest"


class DockerImages:
    """Builds with the engine that DOCKER_HOST or the usual socket leads to; connects only when asked something.

    ``base`` is the image to build on: a tag that this engine has, or better a name with its digest. ``from_scratch``
    takes nothing from the engine's cache, for whoever wants to see that the same image comes out.
    """

    def __init__(
        self,
        wheels: WheelCache,
        *,
        base: str = BASE_IMAGE,
        from_scratch: bool = False,
        connect: Callable[[], docker.DockerClient] = docker.from_env,
    ) -> None:
        self._wheels = wheels
        self._base = base
        self._from_scratch = from_scratch
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
            return _machine(client)
        finally:
            client.close()

    def collect(self, context: BuildContext, *, progress: Callable[[str], None]) -> list[Wheel]:
        """The wheels that the image of ``context`` holds, each as the lock names it. Raises ReleaseRefused."""
        requirements = context.requirements.read_text(encoding="utf-8")
        folder = self._wheels.collect(requirements, machine=self.machine(), progress=progress)
        return check_wheels(folder, requirements)

    def build(self, context: BuildContext, *, progress: Callable[[str], None]) -> Image:
        """The image of ``context``, built unless there is one of the same content already. See ImageBuilder."""
        client = self._client()
        try:
            base = _base_image(client, self._base)
            labels = {_CONTEXT_LABEL: context.digest, _BASE_LABEL: _digest_of(base)}
            found = None if self._from_scratch else _existing(client, context, labels)
            if found is not None:
                progress(f"{found.digest} holds this context already")
                return found
            requirements = context.requirements.read_text(encoding="utf-8")
            wheels = self._wheels.collect(requirements, machine=_machine(client), progress=progress)
            with tempfile.TemporaryFile() as archive:
                write_sent_context(context, wheels, archive)
                build = _Build(client, context, archive, str(base.id), progress)
                built = build.run(nocache=self._from_scratch)
                digest = settle(client, built, tag=context.tag, labels=labels)
                # From the engine's cache the second time, now with what a settled image would have been given.
                digest = digest or build.run(tag=context.tag, labels=labels)
            return Image(digest=digest, tag=context.tag, labels=client.images.get(digest).labels, reused=False)
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


class _Build:
    """One build context on its way to an engine, which may be sent twice."""

    def __init__(
        self,
        client: docker.DockerClient,
        context: BuildContext,
        archive: Any,
        base: str,
        progress: Callable[[str], None],
    ) -> None:
        self._client, self._context, self._archive = client, context, archive
        self._base, self._progress = base, progress

    def run(self, **options: Any) -> str:
        """Build; the id of what was built. Raises ReleaseRefused with the end of the log."""
        tail: deque[str] = deque(maxlen=20)
        self._archive.seek(0)
        lines = self._client.api.build(
            fileobj=self._archive,
            custom_context=True,
            buildargs={"BASE": self._base},
            # Hermetic: what is not in the context cannot get into the image.
            network_mode="none",
            decode=True,
            rm=True,
            forcerm=True,
            **options,
        )
        built = None
        # To its end, error or not: half a stream read keeps its connection open.
        for line in lines:
            built = line.get("aux", {}).get("ID", built)
            for text in _texts(line):
                tail.append(text)
                self._progress(text)
        if built is None or any(text.startswith("error: ") for text in tail):
            raise _failure(self._context, tail)
        return str(built)


def _base_image(client: docker.DockerClient, name: str) -> EngineImage:
    try:
        return client.images.get(name)
    except ImageNotFound:
        return client.images.pull(name)


def _digest_of(base: EngineImage) -> str:
    """The digest that a registry knows the base image by; its id, where it came from none."""
    known = base.attrs.get("RepoDigests") or []
    return str(known[0]).rpartition("@")[2] if known else str(base.id)


def _existing(client: docker.DockerClient, context: BuildContext, labels: Mapping[str, str]) -> Image | None:
    images = client.images.list(filters={"label": [f"{name}={value}" for name, value in labels.items()]})
    if not images:
        return None
    return Image(digest=str(images[0].id), tag=context.tag, labels=images[0].labels, reused=True)


def _machine(client: docker.DockerClient) -> str:
    architecture = str(client.version()["Arch"])
    return _MACHINES.get(architecture, architecture)


def _texts(line: Mapping[str, Any]) -> Iterator[str]:
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
