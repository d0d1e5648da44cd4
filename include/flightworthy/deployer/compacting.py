"""Turns finished files of the prediction logs into Parquet, every ten minutes, beside the loop."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

from flightworthy.deployer.errands import Errands

log = logging.getLogger(__name__)

_PAUSE = timedelta(minutes=10)


class Compacting:
    """One compaction at a time, of every model that has a log. ``predictions`` is the folder of the logs."""

    def __init__(self, predictions: Path, clock: Callable[[], datetime]) -> None:
        self._predictions = predictions
        self._clock = clock
        self._errands = Errands(workers=1)
        self._stopping = threading.Event()
        # Not while everything starts: nothing waits for it.
        self._sent_at = time.monotonic()
        self._told: set[tuple[str, str]] = set()

    def tend(self) -> None:
        """Send for it if it is due. Never waits."""
        self._errands.collect("compact")
        if time.monotonic() - self._sent_at > _PAUSE.total_seconds():
            self._sent_at = time.monotonic()
            self._errands.send("compact", self.compact, retry_time=timedelta())

    def close(self) -> None:
        """Let the file at hand be the last."""
        self._stopping.set()
        self._errands.close()

    def compact(self) -> None:
        """Compact now. What stays as it is, is told once."""
        from flightworthy.adapters.prediction_files import Left, PredictionCompaction

        compaction = PredictionCompaction(self._predictions)
        for model in compaction.models():
            try:
                for done in compaction.compact(model, now=self._clock()):
                    if isinstance(done, Left):
                        self._tell(model, done.file, done.why)
                    else:
                        log.info("log_compacted model=%s file=%s rows=%s", model, done.file, done.rows)
                    if self._stopping.is_set():
                        return
            except OSError as error:
                # Of one model: the disk may be full for all, a folder be closed to us for this one.
                log.warning("log_not_compacted model=%s reason=%s", model, error)

    def _tell(self, model: str, file: str, why: str) -> None:
        if (model, file) not in self._told:
            self._told.add((model, file))
            log.warning("log_not_compacted model=%s file=%s reason=%s", model, file, why)
