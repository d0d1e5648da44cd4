"""What a model version ships in: the build context, the image made of it, and how its container may run."""

from __future__ import annotations

from flightworthy.image.built import Availability, Image, ImageBuilder
from flightworthy.image.context import BuildContext, Origin, lay_out, read_context
from flightworthy.image.packages import Wheel, pack, pinned
from flightworthy.image.reach import server_modules
from flightworthy.image.recipe import (
    ARTIFACT,
    BASE_IMAGE,
    DOCUMENTS,
    PACKAGES,
    PLACES,
    PORT,
    PYTHON,
    RUN_OPTIONS,
    SERVER,
    SERVER_ENVIRONMENT,
    UID,
    dockerfile,
    health_check,
)

__all__ = [
    "ARTIFACT",
    "BASE_IMAGE",
    "DOCUMENTS",
    "PACKAGES",
    "PLACES",
    "PORT",
    "PYTHON",
    "RUN_OPTIONS",
    "SERVER",
    "SERVER_ENVIRONMENT",
    "UID",
    "Availability",
    "BuildContext",
    "Image",
    "ImageBuilder",
    "Origin",
    "Wheel",
    "dockerfile",
    "health_check",
    "lay_out",
    "pack",
    "pinned",
    "read_context",
    "server_modules",
]
