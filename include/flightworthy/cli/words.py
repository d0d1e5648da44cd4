"""Arguments that several commands take, each with one meaning."""

from __future__ import annotations

import argparse

__all__ = ["count", "json_flag"]


def json_flag(command: argparse.ArgumentParser) -> None:
    """Add ``--json``, which every command has."""
    command.add_argument("--json", action="store_true", help="print one JSON document, errors too")


def count(text: str) -> int:
    """Read how many, or which one: from 1 on."""
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text} is less than 1")
    return number
