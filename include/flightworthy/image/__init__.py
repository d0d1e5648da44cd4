"""What a model version ships in: the build context, the image made of it, and how its container may run."""

from __future__ import annotations

from flightworthy.image.built import Availability, Image, ImageBuilder
from flightworthy.image.context import BuildContext, Origin, keep_document, lay_out, read_context
from flightworthy.image.facts import Facts
from flightworthy.image.materials import BILL_OF_MATERIALS, bill_of_materials
from flightworthy.image.packages import Wheel, check_wheels, pack, pinned, with_lenders
from flightworthy.image.provenance import PROVENANCE, Byproduct, provenance
from flightworthy.image.reach import server_modules
from flightworthy.image.recipe import (
    ARTIFACT,
    BASE_IMAGE,
    DOCUMENTS,
    LIBRARIES,
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
    "BILL_OF_MATERIALS",
    "DOCUMENTS",
    "LIBRARIES",
    "PACKAGES",
    "PLACES",
    "PORT",
    "PROVENANCE",
    "PYTHON",
    "RUN_OPTIONS",
    "SERVER",
    "SERVER_ENVIRONMENT",
    "UID",
    "Availability",
    "BuildContext",
    "Byproduct",
    "Facts",
    "Image",
    "ImageBuilder",
    "Origin",
    "Wheel",
    "bill_of_materials",
    "check_wheels",
    "dockerfile",
    "health_check",
    "keep_document",
    "lay_out",
    "pack",
    "pinned",
    "provenance",
    "read_context",
    "server_modules",
    "with_lenders",
]
