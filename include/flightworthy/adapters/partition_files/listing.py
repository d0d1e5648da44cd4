"""Which files have landed, at any fsspec URL."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import fsspec

from flightworthy.errors import Unavailable
from flightworthy.partition import PLACEHOLDER, SourceFile, key_in
from flightworthy.spec import Source

__all__ = ["Landing", "modified_at"]

_MODIFIED = ("mtime", "LastModified", "last_modified", "updated", "modified", "created")


@dataclass(frozen=True, slots=True, kw_only=True)
class Landing:
    """The files of one source; ``template`` is its URI as the file system itself writes paths."""

    source: Source
    files_at: Any
    template: str

    @classmethod
    def of(cls, source: Source) -> Landing:
        """Connect; nothing is read yet. S3 and the like take their credentials from the environment."""
        files_at, template = fsspec.url_to_fs(source.uri)
        return cls(source=source, files_at=files_at, template=template)

    def files(self) -> tuple[SourceFile, ...]:
        """In order of key and URI; without a ``{partition}`` in the URI the keys are still empty."""
        fixed = re.split(r"\{partition\}|\*", self.template)[0]
        folder, _, _ = fixed.rpartition("/")
        depth = self.template[len(folder) :].count("/")
        files = []
        for path, details in self._listed(folder or "/", depth).items():
            key = self._key(path)
            if key is not None and details["type"] == "file":
                files.append(
                    SourceFile(
                        key=key, uri=self._uri(path), size=int(details["size"]), modified_at=modified_at(details)
                    )
                )
        return tuple(sorted(files, key=lambda file: (file.key, file.uri)))

    def bytes_of(self, file: SourceFile) -> bytes:
        """The whole file. `Unavailable` if it went away since it was listed, or its server does not answer."""
        try:
            content: bytes = self.files_at.cat_file(self.files_at._strip_protocol(file.uri))  # noqa: SLF001 - fsspec's
        except OSError as error:
            raise Unavailable(f"{file.uri} could not be read: {error}. It is tried again.", file=file.uri) from error
        return content

    def _listed(self, folder: str, depth: int) -> dict[str, dict[str, Any]]:
        # Remote listings are cached for the life of the process; a watcher would never see a new file.
        self.files_at.invalidate_cache()
        try:
            found: dict[str, dict[str, Any]] = self.files_at.find(folder, maxdepth=depth, detail=True)
        except FileNotFoundError:
            return {}
        except OSError as error:
            raise Unavailable(f"{self.source.uri} could not be listed: {error}. It is tried again.") from error
        return found

    def _key(self, path: str) -> str | None:
        if PLACEHOLDER not in self.template:
            return "" if path == self.template else None
        return key_in(path, template=self.template, pattern=self.source.partition)

    def _uri(self, path: str) -> str:
        return path if "file" in _protocols(self.files_at) else str(self.files_at.unstrip_protocol(path))


def _protocols(files_at: Any) -> tuple[str, ...]:
    return (files_at.protocol,) if isinstance(files_at.protocol, str) else tuple(files_at.protocol)


def modified_at(details: Mapping[str, Any]) -> datetime:
    """When a file was written, as its store tells; the epoch where it does not: only its size tells a revision then."""
    for name in _MODIFIED:
        value = details.get(name)
        if isinstance(value, datetime):
            return value if value.tzinfo else value.replace(tzinfo=UTC)
        if isinstance(value, int | float):
            return datetime.fromtimestamp(value, tz=UTC)
    return datetime.fromtimestamp(0, tz=UTC)
