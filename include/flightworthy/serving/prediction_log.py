"""The prediction log: what was asked and answered, by which version; written beside the answer, never before it.

One file per process under ``predictions/<model>/``, named ``<UTC start>-<random>-<number>.jsonl``; another one once it
is large, and for another UTC day. While it is written to, its writer holds a lock on it (``flock``): whoever gets that
lock knows that it is finished, and may make Parquet of it (see ``adapters.prediction_files``).
JSON lines in UTF-8, one line for each row of a request::

    {"at": "2026-01-05T12:00:00.123456Z",   when the answer was made, UTC
     "request_id": "…",                     as in the answer's x-request-id; rows of one request share it, in order
     "entity": "…" or null,                 the request's x-entity-id, or its pseudonym
     "release": "diagnosis-3-1a2b3c4d",
     "version": "3",                        the registered model version
     "arm": "a" or null,                    which of the two slots answered
     "features": {"age": 51, …},            as the client sent them, null where it sent null; treated where personal
     "prediction": 0.25,                    P(positive)
     "latency_ms": 0.41,                    from the request's head to its answer, in this server
     "shadow": true}                        only where a copy of a request was answered, and nobody got the answer

What is declared as personal is here as it is in the rows that were trained on (see ``flightworthy.personal``).

A last line without its newline is still being written: leave it for the next look. Rows are on disk within a second; a
graceful stop writes them all. When the disk cannot keep up or is full, rows are dropped and counted, and answers go on.
"""

from __future__ import annotations

import fcntl
import secrets
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import UTC, date, datetime
from io import FileIO
from pathlib import Path
from typing import Any, Final

import msgspec
from numpy.typing import NDArray

from flightworthy.serving.contract import Contract, Row
from flightworthy.serving.log_lines import Lines

__all__ = ["Answer", "PredictionLog"]

FLUSH_SECONDS: Final = 0.5
BUSY_FLUSH_SECONDS: Final = 0.1
"""Between two looks while there is something to write, which bounds what waits."""
SHORT_ROWS: Final = 16
"""So few rows become text at once, after their answer was sent: their values are still in the processor's cache, and
need not be kept. The text of more would hold up the requests behind, and is left to the writer's thread."""


class Answer(msgspec.Struct, frozen=True):
    """One answered request: rows in the contract's order, and a prediction for each."""

    request_id: str
    entity: str | None
    at: datetime
    rows: Sequence[Row] | NDArray[Any]
    predictions: NDArray[Any]
    latency_ms: float
    is_shadow: bool = False


class PredictionLog:
    """Bounded text and answers that wait for one writer thread. ``append`` never blocks and never raises."""

    def __init__(
        self,
        folder: Path,
        *,
        contract: Contract,
        stamp: Mapping[str, str | None],
        max_pending_rows: int = 50_000,
        max_file_bytes: int = 64 << 20,
    ) -> None:
        """``stamp``: what is the same on every line (release, version, arm). Creates ``folder``; raises OSError."""
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._lines = Lines(contract, stamp)
        self._max_pending_rows = max_pending_rows
        self._max_file_bytes = max_file_bytes
        self._text = bytearray()
        self._text_rows = 0
        self._long: list[Answer] = []
        self._lock = threading.Lock()
        self._wake = threading.Event()
        self._stopping = False
        self._pending = 0
        self._written = 0
        self._dropped = 0
        self._stem = f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}-{secrets.token_hex(4)}"
        self._files = 0
        self._file: FileIO | None = self._open()
        self._thread = threading.Thread(target=self._run, name="prediction-log", daemon=True)
        self._thread.start()

    @property
    def written(self) -> int:
        """Rows on disk."""
        return self._written

    @property
    def dropped(self) -> int:
        """Rows that were answered and could not be kept."""
        return self._dropped

    def append(self, answer: Answer) -> None:
        """Hand over one answer; it is dropped, and counted, when too much is waiting already."""
        rows = len(answer.rows)
        with self._lock:
            if self._stopping or self._pending + rows > self._max_pending_rows:
                self._dropped += rows
                return
            self._pending += rows
            if rows <= SHORT_ROWS:
                self._lines.append(answer, self._text)
                self._text_rows += rows
            else:
                self._long.append(answer)

    def close(self) -> None:
        """Write all that is waiting and stop. Idempotent."""
        with self._lock:
            self._stopping = True
        self._wake.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stopping:
            is_busy = self._drain()
            self._finish_day()
            self._wake.wait(BUSY_FLUSH_SECONDS if is_busy else FLUSH_SECONDS)
        # What was appended between the last look and the stop.
        self._drain()
        if self._file is not None:
            self._file.close()

    def _drain(self) -> bool:
        """Write what waits; whether anything did."""
        with self._lock:
            text, rows, long = self._text, self._text_rows, self._long
            self._text, self._text_rows, self._long = bytearray(), 0, []
        self._keep(text, rows)
        for answer in long:
            text = bytearray()
            self._lines.append(answer, text)
            self._keep(text, len(answer.rows))
        return rows > 0 or bool(long)

    def _keep(self, text: bytearray, rows: int) -> None:
        is_kept = rows == 0 or self._write(text)
        with self._lock:
            self._pending -= rows
            self._written += rows if is_kept else 0
            self._dropped += 0 if is_kept else rows

    def _write(self, text: bytearray) -> bool:
        try:
            if self._file is None or self._file.tell() >= self._max_file_bytes:
                self._rotate()
            view = memoryview(text)
            while self._file is not None and view:
                view = view[self._file.write(view) :]
        except OSError:
            # The file may end in half a line; the next batch starts another one.
            self._abandon()
            return False
        return True

    def _finish_day(self) -> None:
        """Let go of a file with rows of a day that is over, though nobody asks anything any more."""
        if self._file is not None and self._day != _today() and self._file.tell():
            self._abandon()

    def _rotate(self) -> None:
        if self._file is not None:
            self._file.close()
        self._file = self._open()

    def _abandon(self) -> None:
        if self._file is not None:
            with suppress(OSError):
                self._file.close()
        self._file = None

    def _open(self) -> FileIO:
        self._files += 1
        self._day = _today()
        file = FileIO(self._folder / f"{self._stem}-{self._files:04d}.jsonl", "x")
        with suppress(OSError):
            # Where a file system knows no locks nobody takes the file for finished, and it stays as it is.
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return file


def _today() -> date:
    return datetime.now(UTC).date()
