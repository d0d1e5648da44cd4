"""A built image, and what builds one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

from flightworthy.image.context import BuildContext

__all__ = ["Availability", "Image", "ImageBuilder"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """A built image. ``digest`` (``sha256:…``) is how it is referred to; ``reused``: nothing had to be built."""

    digest: str
    tag: str
    labels: Mapping[str, str]
    reused: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Availability:
    """Whether images can be built here; ``reason`` says what answered, or why nothing did."""

    available: bool
    reason: str


class ImageBuilder(Protocol):
    """Turns a build context into an image."""

    def availability(self) -> Availability:
        """Whether there is an engine to build with. Never raises."""
        ...

    def build(self, context: BuildContext, *, progress: Callable[[str], None]) -> Image:
        """The image of ``context``; the same context gives the image that is already there.

        ``progress`` is told each line of the build. Raises ReleaseRefused when the build fails (with the end of its
        log), Unavailable when the engine does not answer.
        """
        ...
