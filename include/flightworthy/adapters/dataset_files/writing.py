"""Writing files so that a reader, at any instant and after any crash, sees all of a thing or nothing of it."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

from flightworthy.errors import Unavailable

__all__ = [
    "folder_name",
    "folders",
    "locked",
    "move_folder",
    "name_of",
    "needing_disk",
    "new_folder",
    "read_json",
    "remove_folder",
    "replace_json",
    "room",
    "scratch",
    "sha256",
    "sha256_of",
    "write_json",
]

_MAKING = ".making-"
_ROOM = ".room-"


def sha256(content: bytes) -> str:
    """In hexadecimal."""
    return hashlib.sha256(content).hexdigest()


def sha256_of(file: Path) -> str:
    """Of a file's bytes, in hexadecimal; the file is not held in memory."""
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


def folder_name(key: str) -> str:
    """A key as one folder, whatever is written in it."""
    return quote(key, safe=" :+,=@")


def name_of(folder: Path) -> str:
    """The key whose folder this is."""
    return unquote(folder.name)


def folders(parent: Path) -> list[Path]:
    """The finished folders in ``parent``, by name; none if it is not there."""
    if not parent.exists():
        return []
    return sorted(path for path in parent.iterdir() if path.is_dir() and not path.name.startswith("."))


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """One writer at a time. The lock dies with its process, so nobody ever waits for the dead."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / ".lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        _sweep(folder)
        yield


def _sweep(folder: Path) -> None:
    """Remove what killed writers left: half made, where the lock says that no living one is at it; and their rooms."""
    for left in folder.glob(f"{_MAKING}*"):
        shutil.rmtree(left, ignore_errors=True)
    for left in folder.glob(f"{_ROOM}*"):
        # Its owner may take it away at this very moment.
        with suppress(BlockingIOError, FileNotFoundError), (left / ".lock").open("a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(left, ignore_errors=True)


@contextmanager
def room(folder: Path) -> Iterator[Path]:
    """An empty folder in ``folder`` to work in, for as long as that takes and beside other writers; gone at the end.

    It is on the same disk, so that what was made in it gets its place by a rename. A killed writer's is swept by the
    next that takes the lock of ``folder``: a room's own lock tells the living from the dead.
    """
    # Made under the folder's lock: in between, somebody else would sweep it for want of its own.
    with locked(folder):
        made = Path(tempfile.mkdtemp(prefix=_ROOM, dir=folder))
        lock = (made / ".lock").open("a")
        fcntl.flock(lock, fcntl.LOCK_EX)
    try:
        yield made
    finally:
        shutil.rmtree(made, ignore_errors=True)
        lock.close()


@contextmanager
def scratch(folder: Path) -> Iterator[Path]:
    """Room for whoever holds the lock of ``folder``; gone when the block ends, or swept by the next holder."""
    making = Path(tempfile.mkdtemp(prefix=_MAKING, dir=folder))
    try:
        yield making
    finally:
        shutil.rmtree(making, ignore_errors=True)


@contextmanager
def needing_disk(path: Path) -> Iterator[None]:
    """`Unavailable`, and what to do, where the disk does not take what is written to ``path``."""
    try:
        yield
    except OSError as error:
        raise _unwritten(path, error) from error


@contextmanager
def new_folder(folder: Path) -> Iterator[Path]:
    """Fill the folder that is yielded; it appears as ``folder`` at once and whole, or not at all."""
    # Beside the model's own folders, where no listing of keys or digests looks.
    making = Path(tempfile.mkdtemp(prefix=_MAKING, dir=folder.parents[2]))
    try:
        yield making
        for file in making.iterdir():
            _sync(file)
        _sync(making)
        move_folder(making, folder)
    except OSError as error:
        raise _unwritten(folder, error) from error
    finally:
        shutil.rmtree(making, ignore_errors=True)


def remove_folder(folder: Path) -> None:
    """Take a folder away at once; what a crash leaves of it is swept by the next writer."""
    doomed = Path(tempfile.mkdtemp(prefix=_MAKING, dir=folder.parents[2]))
    folder.rename(doomed / folder.name)
    shutil.rmtree(doomed, ignore_errors=True)


def move_folder(before: Path, after: Path) -> None:
    """Rename, and have the disk know it."""
    after.parent.mkdir(parents=True, exist_ok=True)
    before.rename(after)
    _sync(before.parent)
    _sync(after.parent)


def read_json(file: Path, **default: Any) -> Any:
    """The file's content; ``default=`` if it is not there."""
    try:
        return json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        if "default" in default:
            return default["default"]
        raise


def write_json(file: Path, said: Any) -> None:
    """Plainly; for a file in a folder that nobody sees yet."""
    file.write_text(json.dumps(said, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def replace_json(file: Path, said: Any) -> None:
    """Make ``file`` say this; whoever reads it meanwhile reads the old or the new. For the lock's holder only."""
    file.parent.mkdir(parents=True, exist_ok=True)
    # Always the same name: what a killed writer left is overwritten by the next.
    making = file.with_name(f".{file.name}.new")
    try:
        write_json(making, said)
        _sync(making)
        making.replace(file)
        _sync(file.parent)
    except OSError as error:
        raise _unwritten(file, error) from error
    finally:
        making.unlink(missing_ok=True)


def _unwritten(path: Path, error: OSError) -> Unavailable:
    return Unavailable(
        f"{path} could not be written: {error.strerror or error}. What stood there before stands unchanged; "
        "free the disk (or mend its permissions) and run again.",
        path=str(path),
        errno=error.errno,
    )


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
