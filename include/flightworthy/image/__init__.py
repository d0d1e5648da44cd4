"""What a model version ships in: the build context, the image made of it, and how its container may run."""

from __future__ import annotations

from flightworthy.image.built import Availability, Image, ImageBuilder
from flightworthy.image.context import BuildContext, Origin, lay_out, read_context
from flightworthy.image.reach import server_modules
from flightworthy.image.recipe import BASE_IMAGE, PORT, PYTHON, RUN_OPTIONS, SERVER_ENVIRONMENT, UID, WHEELS, dockerfile

__all__ = [
    "BASE_IMAGE",
    "PORT",
    "PYTHON",
    "RUN_OPTIONS",
    "SERVER_ENVIRONMENT",
    "UID",
    "WHEELS",
    "Availability",
    "BuildContext",
    "Image",
    "ImageBuilder",
    "Origin",
    "dockerfile",
    "lay_out",
    "read_context",
    "server_modules",
]
