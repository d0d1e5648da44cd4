"""Arguments that several commands take, each with one meaning."""

from __future__ import annotations

import argparse

__all__ = ["count", "json_flag", "numbers"]


def json_flag(command: argparse.ArgumentParser) -> None:
    """Add ``--json``, which every command has."""
    command.add_argument("--json", action="store_true", help="print one JSON document, errors too")


def count(text: str) -> int:
    """Read how many, or which one: from 1 on."""
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text} is less than 1")
    return number


def numbers(text: str) -> list[range]:
    """Read which ones: ``3,7-9``. As written, however many that are."""
    found: list[range] = []
    for span in text.split(","):
        first, dash, last = span.strip().partition("-")
        if not (first.isdecimal() and (last.isdecimal() or not dash)) or int(last or first) < int(first):
            raise argparse.ArgumentTypeError(f"{text!r} names no rows; write them as 3,7-9")
        found.append(range(int(first), int(last or first) + 1))
    return found
