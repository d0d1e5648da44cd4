"""Finished files of the prediction log, written as Parquet by UTC day and taken away. It may be killed at any instant.

In this order, each step on disk before the next: the days' files under a name that nobody reads; their own names; the
JSON lines removed. Up to the last step the JSON lines count, after it the Parquet does, and what an earlier try left is
replaced.

A file is finished when its writer has let go of its lock and nothing was written to it for ``QUIET_TIME``: then whoever
follows it as it grows has read its end. What cannot be kept as it was is left as it is, and named. A server may put
what it likes into its folder, so no link is followed out of it.
"""

from __future__ import annotations

import fcntl
import os
import re
import stat
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import IO, TYPE_CHECKING

from flightworthy.adapters.prediction_files.lines import day_folders, day_of, faulty, row_of, whole_lines
from flightworthy.adapters.prediction_files.locks import shared

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["QUIET_TIME", "Compacted", "Left", "PredictionCompaction"]

QUIET_TIME = timedelta(minutes=10)
_NAME = re.compile(r"\d{8}T\d{6}Z-[0-9a-f]{8}-\d{4,}\.jsonl")
"""What servers name their files; none comes twice. Another name might, and would hide the Parquet of the first."""
_MOST_DAYS = 366


@dataclass(frozen=True, slots=True, kw_only=True)
class Compacted:
    """A file that is Parquet now; sizes in bytes. A file without a row is only taken away."""

    file: str
    rows: int
    days: tuple[str, ...]
    size: int
    parquet_size: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Left:
    """A finished file that stays as it is, and why. It is read as before."""

    file: str
    why: str


class PredictionCompaction:
    """Compacts the log files under one folder, such as ``.flightworthy/predictions``. Several at once do no harm."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def models(self) -> list[str]:
        """The models that have a log."""
        return sorted(path.name for path in self.folder.glob("[!.]*") if path.is_dir())

    def compact(self, model: str, *, now: datetime) -> Iterator[Compacted | Left]:
        """Compact one finished file after the other, the oldest first. Raises OSError, such as for a full disk."""
        for path in sorted((self.folder / model).glob("*.jsonl")):
            # Its age before its lock: a server that has just made a file must find the lock free.
            if not _NAME.fullmatch(path.name) or not _is_quiet(path, now):
                continue
            # Of the folder too: while somebody is erased from it, what was read of a file could come back.
            with shared(path.parent) as is_ours, _held(path) as file:
                done = _compact(path, file) if is_ours and file is not None else None
            if done is not None:
                yield done


def _is_quiet(path: Path, now: datetime) -> bool:
    with suppress(OSError):
        about = path.lstat()
        return stat.S_ISREG(about.st_mode) and datetime.fromtimestamp(about.st_mtime, UTC) < now - QUIET_TIME
    return False


@contextmanager
def _held(path: Path) -> Iterator[IO[bytes] | None]:
    """The file under its lock; None where a server or another compaction has it, or it is gone.

    Where a file system knows no locks nobody can tell whether a writer is done, and files stay as they are.
    """
    try:
        file = os.fdopen(os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK), "rb")
    except FileNotFoundError:
        yield None
        return
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            yield None
            return
        # Another compaction may have had the lock until a moment ago, and removed the file.
        yield file if os.fstat(file.fileno()).st_nlink else None


def _compact(path: Path, file: IO[bytes]) -> Compacted | Left | None:
    """Compact a file that is held; None where it turns out not to be finished."""
    size = os.fstat(file.fileno()).st_size
    surveyed = _survey(path, file)
    if isinstance(surveyed, Left):
        return surveyed
    schema, days = surveyed
    for day, folder in day_folders(path.parent):
        folder.joinpath(_part_of(path)).unlink(missing_ok=True)
        if day not in days:
            folder.joinpath(f"{path.stem}.parquet").unlink(missing_ok=True)
    parquet_size = sum(_write(path, file, schema, day) for day in sorted(days))
    if os.fstat(file.fileno()).st_size != size:
        return None
    # Now, and not before, the Parquet counts.
    path.unlink()
    _sync(path.parent)
    return Compacted(
        file=path.name, rows=days.total(), days=tuple(sorted(days)), size=size, parquet_size=parquet_size
    )  # fmt: skip


def _survey(path: Path, file: IO[bytes]) -> tuple[pa.Schema, Counter[str]] | Left:
    """The columns of a file and its rows a day."""
    from flightworthy.adapters.prediction_files.columns import Shape

    shape, days = Shape(), Counter[str]()
    for number, line in whole_lines(file):
        row = row_of(line)
        flaw = faulty(line) if row is None else shape.flaw_of(row)
        if row is None or flaw is not None:
            return Left(file=path.name, why=f"line {number}: {flaw}")
        days[day_of(row)] += 1
    if len(days) > _MOST_DAYS:
        return Left(file=path.name, why=f"its rows are of {len(days)} days, more than {_MOST_DAYS}")
    return shape.schema(), days


def _write(path: Path, file: IO[bytes], schema: pa.Schema, day: str) -> int:
    """Write one day's rows, on disk and under their own name when this returns; the size in bytes."""
    from flightworthy.adapters.prediction_files.columns import write_rows

    folder, part = path.parent / f"day={day}", _part_of(path)
    folder.mkdir(exist_ok=True)
    # By its descriptor and new: neither the folder nor the file can be a link to elsewhere.
    inside = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        made = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644, dir_fd=inside)
        with os.fdopen(made, "wb") as sink:
            rows = (row for _, line in whole_lines(file) if (row := row_of(line)) and day_of(row) == day)
            write_rows(rows, schema, sink)
            sink.flush()
            os.fsync(made)
            size = os.fstat(made).st_size
        os.rename(part, f"{path.stem}.parquet", src_dir_fd=inside, dst_dir_fd=inside)
        os.fsync(inside)
    finally:
        os.close(inside)
    _sync(path.parent)
    return size


def _part_of(path: Path) -> str:
    return f".{path.stem}.part"


def _sync(folder: Path) -> None:
    """See that names which were given or taken in a folder are so on disk."""
    opened = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)
