"""What words of the command line mean; argparse says what is wrong with them."""

from __future__ import annotations

import argparse
from datetime import UTC, datetime

__all__ = ["count", "instant", "numbers", "seconds"]


def seconds(text: str) -> float:
    """As many as a day has at most."""
    length = float(text)
    if not 0 <= length <= 86_400:
        raise argparse.ArgumentTypeError(f"{text} is not between 0 and 86400 seconds")
    return length


def instant(text: str) -> datetime:
    """In UTC, unless it names an offset."""
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no time; write it as 2026-11-24 14:03") from None
    return at if at.tzinfo else at.replace(tzinfo=UTC)


def numbers(text: str) -> list[int]:
    """``3,7-9``."""
    found: list[int] = []
    for span in text.split(","):
        first, dash, last = span.strip().partition("-")
        if not (first.isdecimal() and (last.isdecimal() or not dash)) or int(last or first) < int(first):
            raise argparse.ArgumentTypeError(f"{text!r} names no rows; write them as 3,7-9")
        found += range(int(first), int(last or first) + 1)
    return found


def count(text: str) -> int:
    """At least one."""
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text} is less than 1")
    return number
