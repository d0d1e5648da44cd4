"""The server's own log: one JSON object a line on stderr, an event with its facts."""

from __future__ import annotations

import sys
import traceback
from datetime import UTC, datetime
from typing import Any

import msgspec

__all__ = ["say"]


def say(event: str, *, error: BaseException | None = None, **facts: Any) -> None:
    """Write one event. ``error``: its trace goes here, and never into an answer."""
    line = {"at": datetime.now(UTC), "event": event, **facts}
    if error is not None:
        line["trace"] = "".join(traceback.format_exception(error))
    sys.stderr.write(msgspec.json.encode(line, enc_hook=str).decode() + "\n")
    sys.stderr.flush()
