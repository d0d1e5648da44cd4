"""Which files have landed, at any fsspec URL, and their bytes."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, BinaryIO

import fsspec

from flightworthy.errors import Unavailable
from flightworthy.partition import PLACEHOLDER, SourceFile, key_in
from flightworthy.secrecy import masked
from flightworthy.spec import Source

__all__ = ["Landing", "modified_at"]

_MODIFIED = ("mtime", "LastModified", "last_modified", "updated", "modified", "created", "Last-Modified")
_CHUNK = 8 * 1024**2
_FLAT = frozenset({"s3", "s3a", "gs", "gcs", "abfs", "abfss", "az"})
"""Object stores: a folder is only a way of writing names."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Landing:
    """The files of one source; ``template`` is its URI as the file system itself writes paths."""

    source: Source
    files_at: Any
    template: str

    @classmethod
    def of(cls, source: Source, files_at: Any = None) -> Landing:
        """Connect; nothing is read yet. Without ``files_at`` fsspec's own file system, with the environment's keys."""
        if files_at is None:
            files_at, template = fsspec.url_to_fs(source.uri)
        else:
            template = files_at._strip_protocol(source.uri)  # noqa: SLF001 - fsspec's name for it
        return cls(source=source, files_at=files_at, template=template)

    def files(self) -> tuple[SourceFile, ...]:
        """In order of key and URI; without a ``{partition}`` in the URI the keys are still empty.

        Raises `Unavailable` if the store does not answer, or lets nobody in.
        """
        found = []
        for path, listed in self._listed():
            if (key := self._key(path)) is not None:
                # Web servers list names alone, and a link's own size and time say nothing of the file.
                needs_more = listed.get("size") is None or listed.get("islink")
                details = self._details(path) if needs_more else listed
                if details["type"] == "file":
                    found.append(self._file(key, path, details))
        return tuple(sorted(found, key=lambda file: (file.key, file.uri)))

    @property
    def is_local(self) -> bool:
        """Whether files can be opened where they lie."""
        return "file" in _protocols(self.files_at)

    @contextmanager
    def opened(self, file: SourceFile) -> Iterator[BinaryIO]:
        """The file's bytes. `Unavailable` if it went away since it was listed, or its server does not answer."""
        path = self.files_at._strip_protocol(file.uri)  # noqa: SLF001 - fsspec's name for it
        with self.answering("read", file.uri):
            opened = open(path, "rb") if self.is_local else self.files_at.open(path, "rb")  # noqa: PTH123, SIM115
        with opened:
            yield opened

    def copy(self, file: SourceFile, to: BinaryIO) -> None:
        """Append the file's bytes to ``to``. `Unavailable` where they are not those that were listed."""
        before = self._version(file)
        with self.opened(file) as opened, self.answering("read", file.uri):
            while to.tell() <= file.size and (chunk := opened.read(_CHUNK)):
                to.write(chunk)
        if not file.size == before[0] == to.tell() or self._version(file) != before:
            raise _changing(file)

    def check_unchanged(self, file: SourceFile) -> None:
        """`Unavailable` if the file is not the one that was listed any more."""
        size, _, written_at = self._version(file)
        if (size, written_at) != (file.size, file.modified_at):
            raise _changing(file)

    def _version(self, file: SourceFile) -> tuple[Any, ...]:
        """What a store says of a file at this moment, and would say otherwise of another under its name."""
        self.files_at.invalidate_cache()
        with self.answering("read", file.uri):
            details = self.files_at.info(self.files_at._strip_protocol(file.uri))  # noqa: SLF001 - fsspec's name for it
        return details.get("size"), details.get("ETag"), modified_at(details)

    def _listed(self) -> Iterator[tuple[str, dict[str, Any]]]:
        # Remote listings are cached for the life of the process; a watcher would never see a new file.
        self.files_at.invalidate_cache()
        with self.answering("listed", self.source.uri):
            if PLACEHOLDER not in self.template and "*" not in self.template:
                try:
                    return iter([(self.template, self.files_at.info(self.template))])
                except FileNotFoundError:
                    return iter(())
            fixed = re.split(r"\{partition\}|\*", self.template)[0]
            folder, _, _ = fixed.rpartition("/")
            return iter(self._below(folder or "/", self.template[len(folder) :].count("/")))

    def _below(self, folder: str, depth: int) -> list[tuple[str, dict[str, Any]]]:
        """Every entry at most ``depth`` below ``folder``.

        fsspec's own `find` takes a folder that refuses to be listed for an empty one, except where there are no
        folders: there it is one request for a thousand files, rather than one for each partition.
        """
        try:
            if depth > 1 and _FLAT.intersection(_protocols(self.files_at)):
                return list(self.files_at.find(folder, detail=True).items())
            entries = self.files_at.ls(folder, detail=True)
        except FileNotFoundError:
            return []
        found = []
        for details in entries:
            path = str(details["name"])
            if details["type"] == "directory" and depth > 1:
                found += self._below(path.rstrip("/"), depth - 1)
            else:
                found.append((path, details))
        return found

    def _file(self, key: str, path: str, details: dict[str, Any]) -> SourceFile:
        return SourceFile(key=key, uri=self._uri(path), size=int(details["size"]), modified_at=modified_at(details))

    def _details(self, path: str) -> dict[str, Any]:
        """What the store says of one file; `Unavailable` where it does not say how long it is."""
        with self.answering("listed", path):
            details: dict[str, Any] = self.files_at.info(path)
        if details.get("size") is None:
            raise Unavailable(
                f"{path} has no size: its server does not say how long it is, so nobody can tell whether it is whole. "
                "Have it send Content-Length.",
                file=path,
            )
        return details

    @contextmanager
    def answering(self, verb: str, uri: str) -> Iterator[None]:
        """`Unavailable` for whatever goes wrong while something is asked of the store; in it, no secret."""
        try:
            yield
        except Unavailable:
            raise
        except Exception as error:  # each store has errors of its own, by far not all of them OSError
            conn_id, why = (
                self.source.conn_id,
                masked((str(error).splitlines() or [type(error).__name__])[0].rstrip(".")),
            )
            if _lets_nobody_in(error):
                whose = f"connection {conn_id!r}" if conn_id else "the environment's credentials"
                why = f"the store does not let {whose} in ({why}). Correct its key, or what the key may do; it"
            else:
                why = f"{why}. It"
            raise Unavailable(
                f"{masked(uri)} could not be {verb}: {why} is tried again.", file=uri, conn_id=conn_id
            ) from error

    def _key(self, path: str) -> str | None:
        if PLACEHOLDER not in self.template:
            return "" if path == self.template else None
        return key_in(path, template=self.template, pattern=self.source.partition)

    def _uri(self, path: str) -> str:
        return path if self.is_local else str(self.files_at.unstrip_protocol(path))


def _lets_nobody_in(error: Exception) -> bool:
    """S3's and the operating system's say so by their type, Azure's, Google's and a web server's by HTTP's status."""
    names = ("status", "status_code", "code")
    said = next((getattr(error, name) for name in names if hasattr(error, name)), None)
    return isinstance(error, PermissionError) or str(said) in {"401", "403"}


def _changing(file: SourceFile) -> Unavailable:
    return Unavailable(
        f"{file.uri} is not the file any more that was listed, of {file.size:,} bytes: it is being written. "
        "It is tried again.",
        file=file.uri,
    )


def _protocols(files_at: Any) -> tuple[str, ...]:
    return (files_at.protocol,) if isinstance(files_at.protocol, str) else tuple(files_at.protocol)


def modified_at(details: Mapping[str, Any]) -> datetime:
    """When a file was written, as its store tells; the epoch where it does not: only its size tells a revision then."""
    for name in _MODIFIED:
        value = details.get(name)
        if name == "Last-Modified" and isinstance(value, str):
            value = parsedate_to_datetime(value)
        if isinstance(value, datetime):
            return value if value.tzinfo else value.replace(tzinfo=UTC)
        if isinstance(value, int | float):
            return datetime.fromtimestamp(value, tz=UTC)
    return datetime.fromtimestamp(0, tz=UTC)
