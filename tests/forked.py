"""Work in a process of its own, which may be killed in the middle of it."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable


def in_a_process(work: Callable[[], None]) -> bool:
    """Run ``work`` in a forked process; whether it ended by itself."""
    child = os.fork()
    if child == 0:
        work()
        os._exit(0)
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL:
        return False
    assert status == 0, f"the work itself failed: {status}"
    return True
