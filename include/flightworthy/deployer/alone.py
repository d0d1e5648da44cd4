"""One deployer at a time: by a lock on its folder, and by one in the database where that serves many machines.

The locks only prevent duelling; what is right comes from the compare-and-swap.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from flightworthy.adapters.sql_releases import DatabaseLock
from flightworthy.deployer.settings import Settings
from flightworthy.errors import Conflict


@contextmanager
def alone(settings: Settings) -> Iterator[Callable[[], None]]:
    """Hold both locks; gives what to call now and then, which raises Conflict where another took over.

    Raises Conflict if another deployer has one of them.
    """
    with alone_in_folder(settings):
        lock = DatabaseLock.of(settings.database_url)
        if lock is None:
            yield lambda: None
            return
        lock.take()
        try:
            yield lock.keep
        finally:
            lock.release()


@contextmanager
def alone_in_folder(settings: Settings) -> Iterator[None]:
    """Hold the folder's lock, whose file names the process that has it."""
    settings.home.mkdir(parents=True, exist_ok=True)
    with settings.lock.open("a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Conflict(
                f"another deployer (pid {_holder(settings)}) works in {settings.home}; "
                "leave it be, or end it with `flightworthy deployer --stop-all`",
                home=str(settings.home),
                pid=_holder(settings),
            ) from None
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        yield
        file.truncate(0)


def _holder(settings: Settings) -> int | None:
    with suppress(OSError, ValueError):
        return int(settings.lock.read_text())
    return None
