"""Whether a partition is all there, by a marker or a manifest beside its files."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from flightworthy.adapters.partition_files.listing import Landing, modified_at
from flightworthy.partition import SourceFile, folder_of, uri_of
from flightworthy.spec import Source

__all__ = ["Wholeness"]

_CHUNK = 1024 * 1024


@dataclass(slots=True, kw_only=True)
class Wholeness:
    """Says why a partition is not whole. Files whose SHA-256 is in ``counted`` are not read again until they change."""

    landing: Landing
    counted: dict[str, str]

    @classmethod
    def of(cls, source: Source, files_at: Any = None, *, counted: dict[str, str]) -> Wholeness:
        """``files_at`` as `Landing.of` takes it."""
        return cls(landing=Landing.of(source, files_at), counted=counted)

    def missing(self, key: str, files: Sequence[SourceFile]) -> str | None:
        """What is missing of the partition ``key``, of which ``files`` are there; None where it is whole.

        Blocks. A marker that is older than a file is one of an earlier delivery. Raises `Unavailable` where the store
        does not answer, or lets nobody in.
        """
        complete = self.landing.source.complete
        if complete.named is None:
            return None
        path = uri_of(f"{folder_of(self.landing.template)}/{complete.named}", key)
        with self.landing.answering("read", path):
            try:
                told = self.landing.files_at.info(path)
                if complete.manifest is None:
                    newest = max(file.modified_at for file in files)
                    return None if modified_at(told) >= newest else f"{path} is older than the files it speaks of"
                return self._unlike(json.loads(self.landing.files_at.cat_file(path)), path, files)
            except FileNotFoundError:
                return f"{path} is not there"
            except ValueError as error:
                return f"{path} is no manifest: {error}"

    def _unlike(self, manifest: Any, path: str, files: Sequence[SourceFile]) -> str | None:
        listed = _listed(manifest)
        folder = path.rpartition("/")[0] + "/"
        landed = {str(self.landing.files_at._strip_protocol(file.uri)).removeprefix(folder): file for file in files}  # noqa: SLF001 - fsspec's
        for name in sorted(listed.keys() ^ landed.keys()):
            return f"{path} does not list {name}" if name in landed else f"{name} is listed and not there"
        for name, (size, digest) in sorted(listed.items()):
            if landed[name].size != size:
                return f"{name} has {landed[name].size:,} bytes of {size:,}"
            if digest is not None and self._digest(landed[name]) != digest:
                return f"{name} has another SHA-256 than {path} says"
        return None

    def _digest(self, file: SourceFile) -> str:
        mark = f"{file.uri}#{file.fingerprint}"
        if mark not in self.counted:
            counted = hashlib.sha256()
            with self.landing.files_at.open(self.landing.files_at._strip_protocol(file.uri), "rb") as content:  # noqa: SLF001 - fsspec's
                while chunk := content.read(_CHUNK):
                    counted.update(chunk)
            self.counted[mark] = counted.hexdigest()
        return self.counted[mark]


def _listed(manifest: Any) -> dict[str, tuple[int, str | None]]:
    """Name to size and digest. `ValueError` unless it is ``{"files": [{"name": …, "size": …, "sha256": …}, …]}``."""
    entries = manifest.get("files") if isinstance(manifest, Mapping) else None
    if not isinstance(entries, list) or not entries:
        raise ValueError('it has no list of "files"')
    listed: dict[str, tuple[int, str | None]] = {}
    for entry in entries:
        match entry:
            case {"name": str(name), "size": int(size), "sha256": str(digest)} if len(entry) == 3:
                listed[name] = (size, digest.lower())
            case {"name": str(name), "size": int(size)} if len(entry) == 2:
                listed[name] = (size, None)
            case _:
                raise ValueError(f"{entry!r} has not the keys name, size and, if need be, sha256")
    return listed
