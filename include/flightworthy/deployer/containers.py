"""Servers of releases as confined containers, by image digest; found again by their labels."""

from __future__ import annotations

import contextlib
import logging
import os
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from flightworthy.deployer.servers import SLOTS, Arm, Place, Server, free_port, without_folder
from flightworthy.deployer.settings import Settings
from flightworthy.errors import ReleaseRefused, Unavailable
from flightworthy.image import RUN_OPTIONS, UID, health_check
from flightworthy.personal import KEY, read_keys
from flightworthy.release import Release

if TYPE_CHECKING:
    from flightworthy.adapters.docker_containers import DockerContainers

log = logging.getLogger(__name__)

RELEASE_LABEL = "io.flightworthy.release"
_HOME, _SLOT = "io.flightworthy.home", "io.flightworthy.slot"
_LOGGED_AT = "/predictions"
_LOOK_SECONDS = 1.0
"""How old the list of containers may be: the engine takes ten times as long to answer as the process table."""
_LOOK_AGAIN_SECONDS = 10.0
"""How long to leave an engine alone that did not answer."""


class ContainerServers:
    """A container per release. An engine that does not answer stops nothing: what runs was running when it last did."""

    def __init__(self, settings: Settings, containers: DockerContainers, arms: tuple[Arm, ...] = SLOTS) -> None:
        self._settings = settings
        self._arms = arms
        self._containers = containers
        self._mine = {_HOME: str(settings.home)}
        self._listed: list[Server] = []
        self._listed_at = float("-inf")
        self._is_unavailable = False

    def running(self) -> list[Server]:
        if time.monotonic() - self._listed_at > _LOOK_SECONDS:
            self._list()
        return self._listed

    def start(self, release: Release, slot: Arm) -> None:
        """Run the image. Takes about a second; raises ReleaseRefused if the release or the engine has no such image."""
        if release.image_digest is None:
            raise ReleaseRefused(f"{release.id} has no image; run containerize, then release it", release=release.id)
        from flightworthy.adapters.docker_containers import Order

        folder = self._prediction_folder(release.model)
        labels = {**self._mine, RELEASE_LABEL: release.id, _SLOT: slot}
        self._containers.clear_away(labels)
        # Another one each time: addresses of containers are given again at once, and whoever still knew the last one's
        # would ask this model about another.
        port = free_port()
        order = Order(
            image=release.image_digest,
            arguments=(
                *("--digest", release.artifact_digest, "--release", release.id, "--arm", slot),
                *("--predictions", _LOGGED_AT, "--port", str(port)),
            ),
            labels=labels,
            port=port,
            volumes={str(folder): f"{_LOGGED_AT}/{release.model}"},
            options={
                **RUN_OPTIONS,
                "healthcheck": {"test": ["CMD", *health_check(port)]},
                "environment": self._environment(),
            },
            has_egress=self._settings.containers_have_egress,
        )
        self._containers.run(order)
        self._listed_at = float("-inf")

    def _environment(self) -> dict[str, str]:
        """The key of pseudonyms, where there is one: no file of this machine is in a container."""
        keys = read_keys(self._settings.server_environ)
        return {} if keys is None else {KEY: keys.current.decode()}

    def is_alive(self, server: Server) -> bool:
        return any(found.identity == server.identity for found in self.running())

    def stop(self, server: Server) -> None:
        self._end(server, grace=15)

    def kill(self, server: Server) -> None:
        self._end(server, grace=0)

    def clear_away(self) -> None:
        with contextlib.suppress(Unavailable):
            self._containers.clear_away(self._mine)

    def log_tail(self, place: Place) -> str:
        with contextlib.suppress(Unavailable):
            return self._containers.log_tail({**self._mine, RELEASE_LABEL: place.release, _SLOT: place.slot})
        return ""

    def lacking(self, releases: Sequence[Release]) -> dict[str, str]:
        """One question to the engine, however many releases. Raises Unavailable."""
        if not releases:
            return {}
        images = self._containers.images()
        imageless = {
            release.id: f"the Docker engine has no image {str(release.image_digest)[:19]} any more"
            for release in releases
            if release.image_digest not in images
        }
        return {**without_folder(releases), **imageless}

    def _list(self) -> None:
        self._listed_at = time.monotonic()
        try:
            found = self._containers.find(self._mine)
        except Unavailable as error:
            if not self._is_unavailable:
                log.info("engine_unavailable reason=%s", error.message)
            self._is_unavailable = True
            self._listed_at += _LOOK_AGAIN_SECONDS
            return
        self._is_unavailable = False
        self._listed = [
            Server(
                place=Place(release=container.labels[RELEASE_LABEL], slot=arm),
                host=container.host,
                port=container.port,
                identity=f"container {container.id}",
            )
            for container in found
            for arm in self._arms
            if arm == container.labels[_SLOT]
        ]

    def _end(self, server: Server, *, grace: int) -> None:
        self._listed_at = float("-inf")
        self._containers.stop(server.identity.removeprefix("container "), grace=grace)

    def _prediction_folder(self, model: str) -> Path:
        """The model's prediction log, where the container's user may write and a server that is a process too."""
        folder = self._settings.predictions / model
        folder.mkdir(parents=True, exist_ok=True)
        if os.geteuid() == 0:
            os.chown(folder, UID, UID)
        elif folder.owner() == Path.home().owner():
            folder.chmod(0o1777)
        return folder
