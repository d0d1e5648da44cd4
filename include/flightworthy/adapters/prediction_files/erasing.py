"""Takes one entity's rows out of the prediction log, while servers go on writing it. It may be killed at any instant.

A line is overwritten where it stands, by blanks of its length: a server appends behind it, whoever follows the file
keeps their place, and no line is ever moved or lost. A blank line is no row. Parquet is written anew and put in place
by one rename. No compaction works meanwhile, since it may have read a line that is a blank now.
"""

from __future__ import annotations

import json
import os
import stat
import time
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from flightworthy.adapters.prediction_files.lines import day_folders
from flightworthy.adapters.prediction_files.locks import alone
from flightworthy.erasure import Cleared

__all__ = ["PredictionErasure"]

_FLUSHED_SECONDS = 1.0
"""After so long a line that a server held when the erasure began is in its file."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PredictionErasure:
    """A `flightworthy.erasure.ErasableLog` of the log files under one folder, such as ``.flightworthy/predictions``."""

    folder: Path

    def erase(self, model: str, names: Collection[str], *, is_dry_run: bool = False) -> list[Cleared]:
        """Take the rows of these entities out; the files that held any. Raises OSError, such as for a full disk."""
        folder = self.folder / model
        if not folder.is_dir():
            return []
        with alone(folder):
            cleared = list(_from_lines(folder, names, is_dry_run=is_dry_run))
            if not is_dry_run and any(folder.glob("*.jsonl")):
                time.sleep(_FLUSHED_SECONDS)
                cleared += _from_lines(folder, names, is_dry_run=False)
            return cleared + list(_from_parquet(folder, names, is_dry_run=is_dry_run))


def _from_lines(folder: Path, names: Collection[str], *, is_dry_run: bool) -> Iterator[Cleared]:
    for path in sorted(folder.glob("*.jsonl")):
        with _opened(path) as descriptor:
            # Whether a server has it is not asked: the lock that would tell must be free when a server makes a file.
            if descriptor is not None and (rows := _blanked(descriptor, names, is_dry_run=is_dry_run)):
                yield Cleared(file=path.name, rows=rows)


def _blanked(descriptor: int, names: Collection[str], *, is_dry_run: bool) -> int:
    rows, begin = 0, 0
    with os.fdopen(os.dup(descriptor), "rb") as file:
        file.seek(0)
        for line in file:
            if _is_theirs(line, names):
                rows += 1
                if not is_dry_run:
                    # In one call, so that a kill leaves the line or the blanks; the line end stays where it was.
                    os.pwrite(descriptor, b" " * len(line.rstrip(b"\n")), begin)
            begin += len(line)
    if rows and not is_dry_run:
        os.fsync(descriptor)
    return rows


def _is_theirs(line: bytes, names: Collection[str]) -> bool:
    """Also of a line that was cut short: what is left of it names them all the same."""
    if not any(json.dumps(name, ensure_ascii=False).encode("utf-8", "surrogatepass") in line for name in names):
        return False
    try:
        row: Any = json.loads(line)
    except ValueError:
        return True
    return isinstance(row, dict) and row.get("entity") in names


@contextmanager
def _opened(path: Path) -> Iterator[int | None]:
    """The file itself; None where it is gone, or is anything but a file. A server may put there what it likes."""
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK)
    except (FileNotFoundError, IsADirectoryError):
        yield None
        return
    except OSError:
        # A link: not followed out of the folder.
        if path.is_symlink():
            yield None
            return
        raise
    try:
        about = os.fstat(descriptor)
        yield descriptor if stat.S_ISREG(about.st_mode) and about.st_nlink == 1 else None
    finally:
        os.close(descriptor)


def _from_parquet(folder: Path, names: Collection[str], *, is_dry_run: bool) -> Iterator[Cleared]:
    for day, inside in day_folders(folder):
        if not is_dry_run:
            # What killed compactions left half made; none is at work now.
            for part in inside.glob(".*.part"):
                part.unlink(missing_ok=True)
        for path in sorted(inside.glob("[!.]*.parquet")):
            if not path.is_symlink() and (rows := _without(path, names, is_dry_run=is_dry_run)):
                yield Cleared(file=f"day={day}/{path.name}", rows=rows)


def _without(path: Path, names: Collection[str], *, is_dry_run: bool) -> int:
    import pyarrow as pa
    from pyarrow import compute, parquet

    def theirs(table: pa.Table) -> Any:
        return compute.is_in(table["entity"], value_set=pa.array(sorted(names), pa.string()))

    rows = int(compute.sum(theirs(parquet.read_table(path, columns=["entity"], partitioning=None))).as_py() or 0)
    if not rows or is_dry_run:
        return rows
    whole = parquet.read_table(path, partitioning=None)
    kept = whole.filter(compute.invert(theirs(whole)))
    part = path.with_name(f".{path.stem}.part")
    try:
        with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o644), "wb") as sink:
            parquet.write_table(kept, sink, compression="zstd")
            sink.flush()
            os.fsync(sink.fileno())
        part.replace(path)
    finally:
        with suppress(FileNotFoundError):
            part.unlink()
    return rows
