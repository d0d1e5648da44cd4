"""Compacts a prediction log, killed with SIGKILL before its n-th effect on the disk, then once more.

A program of its own, started by test_prediction_compaction.py: pyarrow is imported once, and a process is forked for
every kill. Effects are what the interpreter itself reports (opening to write, making, renaming and removing names), and
every fsync and eighth write. Prints a line of JSON for each kill: the effect that did not happen, what is counted of
the log then, and what is counted and which files there are after the second try.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import tempfile
from pathlib import Path
from typing import IO, Any

import pandas as pd
import pyarrow as pa
from pyarrow import parquet

from flightworthy.adapters.prediction_files import PredictionCompaction, columns, compaction
from tests.flightworthy.adapters.log_makers import LATER, MODEL, answers, names, three_days, write_log
from tests.forked import in_a_process

assert pd, "imported before the first fork"


class Counted:
    """Kills this process before the n-th effect, counted from 1; says on a pipe which one it was."""

    def __init__(self, deadly: int, told: int) -> None:
        self._left = deadly
        self._told = told

    def effect(self, name: str) -> None:
        self._left -= 1
        if self._left == 0:
            os.write(self._told, name.encode())
            os.kill(os.getpid(), signal.SIGKILL)

    def heard(self, event: str, arguments: tuple[Any, ...]) -> None:
        """An audit hook, which cannot be taken away again: it lives as long as the forked process."""
        if event in {"os.mkdir", "os.rename", "os.remove", "os.rmdir", "os.link", "os.truncate"}:
            self.effect(event)
        if event == "open" and arguments[2] & (os.O_WRONLY | os.O_RDWR):
            self.effect("open to write")


class Sink:
    """A file of whose writes every eighth is an effect, half done."""

    def __init__(self, file: IO[bytes], counted: Counted) -> None:
        self._file = file
        self._counted = counted
        self._writes = 0
        self.closed = False

    def write(self, text: bytes) -> int:
        self._writes += 1
        self._file.write(bytes(text)[: len(text) // 2])
        self._file.flush()
        if self._writes % 8 == 1:
            self._counted.effect("write")
        self._file.write(bytes(text)[len(text) // 2 :])
        return len(text)

    def flush(self) -> None:
        self._file.flush()

    def tell(self) -> int:
        return self._file.tell()

    def close(self) -> None:
        self.closed = True


def compact(root: Path) -> None:
    list(PredictionCompaction(root).compact(MODEL, now=LATER))


def compact_dying(root: Path, counted: Counted) -> None:
    write_rows, fsync = columns.write_rows, os.fsync
    columns.write_rows = lambda rows, schema, sink: write_rows(rows, schema, Sink(sink, counted))  # type: ignore[assignment,arg-type]

    def fsync_counted(descriptor: int) -> None:
        counted.effect("fsync")
        fsync(descriptor)

    compaction.os.fsync = fsync_counted  # type: ignore[attr-defined]
    sys.addaudithook(counted.heard)
    compact(root)


def seen(root: Path) -> dict[str, Any]:
    counted = answers(root)
    return {"rows": len(counted), "most": max(counted.values(), default=0), "files": names(root)}


def main() -> None:
    for deadly in range(1, 1_000):
        with tempfile.TemporaryDirectory() as folder:
            root = Path(folder)
            write_log(root, three_days())
            write_log(root, "", number=2)
            heard, told = os.pipe()
            ended = in_a_process(lambda root=root, deadly=deadly, told=told: compact_dying(root, Counted(deadly, told)))
            os.close(told)
            effect = os.read(heard, 100).decode()
            os.close(heard)
            after_kill = seen(root)
            if not ended:
                in_a_process(lambda root=root: compact(root))
            sys.stdout.write(json.dumps({"effect": effect, "killed": after_kill, "again": seen(root)}) + "\n")
            if ended:
                return


if __name__ == "__main__":
    pa.set_cpu_count(1)
    assert parquet
    main()
