"""Containers of a Docker engine that outlive who started them, and are found again by their labels."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

import docker
from docker.errors import APIError, DockerException, ImageNotFound, NotFound
from requests.exceptions import RequestException

from flightworthy.errors import ReleaseRefused, Unavailable

NETWORK = "flightworthy-models"
"""The network without a way out; one for all containers of an engine, which do not see one another on it."""

_LOOPBACK = "127.0.0.1"
_PORT = "io.flightworthy.port"
_NOT_RUNNING = ["created", "exited", "dead"]
"""What an engine calls containers of which nothing runs; the first if who made one was killed before starting it."""
_BRISK, _PATIENT = 2, 60
"""Seconds to wait for the engine: where a loop waits, and where only the one who asked does."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Container:
    """A running container, and where this machine reaches it."""

    id: str
    labels: Mapping[str, str]
    host: str
    port: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What to run. ``image`` is a digest, never a tag. ``options`` are further arguments of the SDK's ``run``.

    ``has_egress``: whether it may open connections of its own. One that may is published on loopback; one that may not
    is on a network that ends at this machine, which alone reaches it there.
    """

    image: str
    arguments: Sequence[str]
    labels: Mapping[str, str]
    port: int
    volumes: Mapping[str, str]
    options: Mapping[str, Any]
    has_egress: bool


class DockerContainers:
    """Runs containers on the engine that DOCKER_HOST or the usual socket leads to; connects anew for each call."""

    def __init__(self, *, connect: Callable[..., docker.DockerClient] = docker.from_env) -> None:
        self._connect = connect

    def run(self, order: Order) -> str:
        """Start a container, reachable from this machine only; its id.

        Raises ReleaseRefused if there is no such image, Unavailable if the engine does not answer.
        """
        with self._answering(_PATIENT) as client:
            run: Any = client.containers.run
            try:
                # Asked for first: run() would try to pull an image that is not there.
                image = client.images.get(order.image)
            except ImageNotFound as error:
                raise ReleaseRefused(
                    f"the engine has no image {order.image}; build it again from its build context, or release another",
                    image=order.image,
                ) from error
            container = run(
                image.id,
                list(order.arguments),
                detach=True,
                labels={**order.labels, _PORT: str(order.port)},
                **(_published(order) if order.has_egress else _kept_in(client)),
                volumes={source: {"bind": target, "mode": "rw"} for source, target in order.volumes.items()},
                **order.options,
            )
            return str(container.id)

    def find(self, labels: Mapping[str, str]) -> list[Container]:
        """The running containers that carry all these labels."""
        wanted = [f"{name}={value}" for name, value in labels.items()]
        with self._answering(_BRISK) as client:
            listed = client.api.containers(filters={"label": wanted, "status": "running"})
        return [
            Container(id=str(told["Id"]), labels=dict(told["Labels"]), host=address[0], port=address[1])
            for told in listed
            if (address := _address(told)) is not None
        ]

    def stop(self, container_id: str, *, grace: int) -> None:
        """Ask it to end, end it after ``grace`` seconds, and clear it away; harmless if it is gone."""
        with self._answering(_PATIENT + grace) as client:
            try:
                container = client.containers.get(container_id)
                container.stop(timeout=grace)
                container.remove(force=True)
            except NotFound:
                return

    def clear_away(self, labels: Mapping[str, str]) -> None:
        """Remove those that have ended, or were never started; their logs go with them."""
        wanted = [f"{name}={value}" for name, value in labels.items()]
        with self._answering(_PATIENT) as client:
            for told in client.api.containers(all=True, filters={"label": wanted, "status": _NOT_RUNNING}):
                with suppress(NotFound):
                    client.api.remove_container(told["Id"])

    def images(self) -> set[str]:
        """The digests of all images that the engine has."""
        with self._answering(_PATIENT) as client:
            return {str(image["Id"]) for image in client.api.images(all=True)}

    def remove_image(self, digest: str) -> bool:
        """Remove an image; False if a container still stands on it. Harmless if it is gone."""
        with self._answering(_PATIENT) as client:
            try:
                client.images.remove(digest)
            except ImageNotFound:
                return True
            except APIError as error:
                if error.status_code != HTTPStatus.CONFLICT:
                    raise
                return False
        return True

    def log_tail(self, labels: Mapping[str, str], *, lines: int = 5) -> str:
        """The end of what the newest container with these labels said, on one line."""
        wanted = [f"{name}={value}" for name, value in labels.items()]
        with self._answering(_BRISK) as client:
            found = client.containers.list(all=True, limit=1, filters={"label": wanted})
            text = found[0].logs(tail=lines).decode(errors="replace") if found else ""
        return " | ".join(line.strip() for line in text.splitlines() if line.strip())

    @contextmanager
    def _answering(self, seconds: int) -> Iterator[docker.DockerClient]:
        """A connection for one call: they are not shared between threads, and cost two milliseconds."""
        client: docker.DockerClient | None = None
        try:
            client = self._connect(timeout=seconds)
            yield client
        except (DockerException, RequestException) as error:
            raise Unavailable(f"the Docker engine did not do as asked: {error}. See that it runs.") from error
        finally:
            if client is not None:
                client.close()


def _published(order: Order) -> dict[str, Any]:
    return {"ports": {f"{order.port}/tcp": (_LOOPBACK, None)}}


def _kept_in(client: docker.DockerClient) -> dict[str, Any]:
    if not client.networks.list(names=[f"^{NETWORK}$"]):
        try:
            client.networks.create(
                NETWORK,
                internal=True,
                check_duplicate=True,
                # One model has nothing to say to another.
                options={"com.docker.network.bridge.enable_icc": "false"},
            )
        except APIError as error:
            if error.status_code != 409:  # else somebody else made it first
                raise
    return {"network": NETWORK}


def _address(told: Mapping[str, Any]) -> tuple[str, int] | None:
    ports = told.get("Ports", [])
    if published := [int(port["PublicPort"]) for port in ports if port.get("PublicPort")]:
        return _LOOPBACK, published[0]
    inside = told.get("NetworkSettings", {}).get("Networks", {}).get(NETWORK, {}).get("IPAddress")
    port = told["Labels"].get(_PORT)
    return (str(inside), int(port)) if inside and port else None
