"""A landed file as one stream of plain bytes, however it is packed; never more of them than is allowed."""

from __future__ import annotations

import bz2
import gzip
import hashlib
import io
import lzma
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import cached_property, partial
from pathlib import PurePosixPath
from typing import Any, BinaryIO, Final

import pyarrow as pa

from flightworthy.adapters.partition_files.cells import refused
from flightworthy.adapters.partition_files.listing import Landing
from flightworthy.errors import PartitionRefused, Unavailable
from flightworthy.partition import SourceFile

__all__ = ["LandedFile", "landed"]

Again = Callable[[], AbstractContextManager["LandedFile"]]

_BROKEN = (EOFError, OSError, RuntimeError, NotImplementedError, zlib.error, lzma.LZMAError, zipfile.BadZipFile)
_RESOURCE_FORK = "__MACOSX/"
_CHUNK: Final = 2**18


def _unzstd(raw: BinaryIO) -> Any:
    return pa.CompressedInputStream(pa.PythonFile(_Kept(raw), "r"), "zstd")


_UNPACKING: Final[dict[str, Callable[[BinaryIO], Any]]] = {
    ".gz": lambda raw: gzip.GzipFile(fileobj=raw, mode="rb"),
    ".bz2": lambda raw: _Streams(raw, bz2.BZ2Decompressor),
    ".xz": lambda raw: _Streams(raw, lzma.LZMADecompressor),
    ".zst": _unzstd,
}


class _Streams:
    """One packed stream after another, to the file's end; Python's own readers pass over what is damaged behind one."""

    def __init__(self, raw: BinaryIO, begin: Callable[[], Any]) -> None:
        self._raw, self._begin = raw, begin
        self._stream = begin()

    def read(self, size: int) -> bytes:
        """At most so many bytes; none at the end."""
        while True:
            packed = b""
            if self._stream.eof:
                # Zeros are padding, which the formats allow.
                packed = (self._stream.unused_data or self._raw.read(_CHUNK)).lstrip(b"\0")
                if not packed:
                    return b""
                self._stream = self._begin()
            elif self._stream.needs_input and not (packed := self._raw.read(_CHUNK)):
                raise EOFError("it ends within a packed stream")
            if plain := self._stream.decompress(packed, size):
                return bytes(plain)


class LandedFile:
    """A file whose bytes can be read from the beginning as often as need be. Not for two readers at a time.

    ``again`` opens it once more, for whoever has to name a line when it is closed already.
    """

    def __init__(self, file: SourceFile, raw: BinaryIO, *, largest: int, member: str | None, again: Again) -> None:
        self.uri = file.uri
        self.size = file.size
        self.largest = largest
        self.again = again
        self._wanted = member
        self.line_of: Callable[[int], int] | None = None
        self.taken: float | None = None
        self._raw = raw
        self._suffix = PurePosixPath(file.uri).suffix

    @cached_property
    def _member(self) -> zipfile.ZipInfo | None:
        return _only_member(self._raw, self.uri, self._wanted) if self._suffix == ".zip" else None

    @property
    def kind(self) -> str:
        """The suffix that tells the format: of what is packed, not of the packing."""
        name = PurePosixPath(self.uri if self._member is None else self._member.filename)
        return name.with_suffix("").suffix if name.suffix in _UNPACKING else name.suffix

    @property
    def is_packed(self) -> bool:
        return self._suffix == ".zip" or self._suffix in _UNPACKING

    def unpacked(self) -> _Bounded:
        """The plain bytes, from the first. Reading raises `PartitionRefused` where they cannot be had."""
        self._raw.seek(0)
        if self._member is not None:
            stream: Any = self._guarded(partial(_unzipped, self._raw, self._member))
        elif self._suffix in _UNPACKING:
            stream = self._guarded(lambda: _UNPACKING[self._suffix](self._raw))
        else:
            stream = self._raw
        return _Bounded(stream, self)

    @contextmanager
    def seekable(self) -> Iterator[BinaryIO]:
        """The plain bytes in a file; those of a packed one are unpacked beside it first."""
        if not self.is_packed:
            self._raw.seek(0)
            yield self._raw
            return
        with tempfile.TemporaryFile(prefix="flightworthy-") as plain:
            stream = self.unpacked()
            while chunk := stream.read(2**20):
                plain.write(chunk)
            plain.seek(0)
            yield plain

    def digest(self) -> str:
        """sha256 of the file as it landed."""
        self._raw.seek(0)
        return hashlib.file_digest(self._raw, "sha256").hexdigest()  # type: ignore[arg-type] # any readable file

    def position(self) -> float:
        """How much of the file is read, from 0 to 1."""
        return min(self._raw.tell() / self.size, 1.0) if self.size else 1.0

    def share(self) -> float:
        """How much of the file has been made cells of, from 0 to 1."""
        return self.position() if self.taken is None else self.taken

    def _guarded(self, call: Callable[[], Any]) -> Any:
        try:
            return call()
        except PartitionRefused:
            raise
        except (*_BROKEN, pa.ArrowException) as error:
            if not self.is_packed:
                raise Unavailable(
                    f"{self.uri} could not be read: {error}. It is tried again.", file=self.uri
                ) from error
            why = str(error).splitlines()[0].rstrip(".") if str(error) else type(error).__name__
            what = f"cannot be unpacked: {why}"
            raise refused(self.uri, what, "The upload may have been cut short; land it again.") from None


class _Bounded(io.RawIOBase):
    """What a stream holds, up to the bound; whoever reads on is refused."""

    def __init__(self, stream: Any, file: LandedFile) -> None:
        super().__init__()
        self._stream, self._file, self._count = stream, file, 0

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        wanted = size if size >= 0 else self._file.largest + 1
        chunk: bytes = self._file._guarded(lambda: self._stream.read(wanted))  # noqa: SLF001 - one class in two halves
        self._count += len(chunk)
        if self._count > self._file.largest:
            what = f"was not read: it unpacks to at least {self._count:,} bytes, and {self._file.largest:,} is the most"
            raise refused(
                self._file.uri,
                what,
                "Land smaller partitions, or raise source.largest.",
                size=self._count,
                largest=self._file.largest,
            )
        return chunk

    def readinto(self, buffer: Any) -> int:
        chunk = self.read(len(buffer))
        buffer[: len(chunk)] = chunk
        return len(chunk)


class _Kept(io.RawIOBase):
    """A file that stays open when its reader is closed."""

    def __init__(self, raw: BinaryIO) -> None:
        super().__init__()
        self._raw = raw

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        return self._raw.read(size)


@contextmanager
def landed(landing: Landing, file: SourceFile, *, largest: int) -> Iterator[LandedFile]:
    """The file, opened where it lies; from a store elsewhere it is first laid aside in the temporary folder.

    So that all readings of it, by type and to name a line, are of the same bytes.
    """
    if file.size > largest:
        raise _too_large(file, largest)
    again = partial(landed, landing, file, largest=largest)
    if landing.is_local:
        with landing.opened(file) as raw:
            yield LandedFile(file, raw, largest=largest, member=landing.source.member, again=again)
        landing.check_unchanged(file)
        return
    # Without a name: a killed process leaves nothing.
    with tempfile.TemporaryFile(prefix="flightworthy-") as copy:
        landing.copy(file, copy)
        yield LandedFile(file, copy, largest=largest, member=landing.source.member, again=again)


def _unzipped(raw: BinaryIO, member: zipfile.ZipInfo) -> Any:
    return zipfile.ZipFile(raw).open(member)


def _only_member(raw: BinaryIO, uri: str, wanted: str | None) -> zipfile.ZipInfo:
    try:
        members = [each for each in zipfile.ZipFile(raw).infolist() if _is_content(each)]
    except _BROKEN as error:
        what = f"is not a whole zip archive: {str(error).rstrip('.')}"
        raise refused(uri, what, "The upload may have been cut short; land it again.") from None
    found = [each for each in members if wanted is None or PurePosixPath(each.filename).match(wanted)]
    if len(found) != 1:
        names = ", ".join(each.filename for each in members[:5]) or "none"
        called = "" if wanted is None else f" called {wanted}"
        next_step = "A partition's archive holds exactly one file; source.member says which, where it holds others too."
        raise refused(uri, f"holds {len(found)} files{called}, of {names}", next_step)
    return found[0]


def _is_content(member: zipfile.ZipInfo) -> bool:
    """What was packed, apart from folders and what macOS adds."""
    is_fork = member.filename.startswith(_RESOURCE_FORK) or PurePosixPath(member.filename).name.startswith("._")
    return not member.is_dir() and not is_fork


def _too_large(file: SourceFile, largest: int) -> PartitionRefused:
    return PartitionRefused(
        f"{file.uri} was not read: it has {file.size:,} bytes, and {largest:,} is the most for one file. "
        "Land smaller partitions (a finer source.partition, or several Parquet files under {partition}/), or raise "
        "source.largest.",
        file=file.uri,
        size=file.size,
        largest=largest,
    )
