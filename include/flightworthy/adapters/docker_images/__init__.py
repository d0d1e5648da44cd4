"""Images of model versions, built by a Docker engine from what is on this machine: the build asks no network."""

from __future__ import annotations

from flightworthy.adapters.docker_images.builder import DockerImages
from flightworthy.adapters.docker_images.locked import server_requirements
from flightworthy.adapters.docker_images.wheels import WheelCache

__all__ = ["DockerImages", "WheelCache", "server_requirements"]
