"""Work that may take long, done beside the loop so that one slow server or registry holds nobody else."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Hashable
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import timedelta
from typing import Any

from flightworthy.errors import FlightworthyError

log = logging.getLogger(__name__)


class Errands:
    """Each errand has a key: while one is under way it is not sent again, and after a failure not at once."""

    def __init__(self, *, workers: int = 8) -> None:
        self._pool = ThreadPoolExecutor(max_workers=workers, thread_name_prefix="errand")
        self._under_way: dict[Hashable, Future[Any]] = {}
        self._not_before: dict[Hashable, float] = {}

    def send(self, key: Hashable, errand: Callable[[], Any], *, retry_time: timedelta, quiet: bool = False) -> None:
        """Send an errand off, unless it is under way or was sent less than ``retry_time`` ago."""
        now = time.monotonic()
        if key not in self._under_way and now >= self._not_before.get(key, 0.0):
            self._not_before[key] = now + retry_time.total_seconds()
            self._under_way[key] = self._pool.submit(_run, errand, key, quiet)

    def is_under_way(self, key: Hashable) -> bool:
        """Whether it was sent and has not come back, or was not collected yet."""
        return key in self._under_way

    def collect(self, key: Hashable) -> Any:
        """The result of an errand that came back, once; None while it is under way, or if it failed."""
        future = self._under_way.get(key)
        if future is None or not future.done():
            return None
        del self._under_way[key]
        return future.result()

    def close(self) -> None:
        """Wait for nobody: what is under way is idempotent and is done again next time."""
        self._pool.shutdown(wait=False, cancel_futures=True)


def _run(errand: Callable[[], Any], key: Hashable, quiet: bool) -> Any:
    try:
        return errand()
    except FlightworthyError as error:
        if not quiet:
            log.warning("errand_failed key=%s reason=%s", key, error.message)
    except Exception:
        log.exception("errand_broke key=%s", key)
    return None
