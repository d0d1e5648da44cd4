"""``flightworthy rollback``: decide to go back, and wait until the traffic has moved."""

from __future__ import annotations

import argparse
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from flightworthy.cli.answers import Answer, Exit
from flightworthy.cli.known import known_model
from flightworthy.cli.person import actor
from flightworthy.cli.settings import Settings
from flightworthy.cli.words import json_flag
from flightworthy.errors import Refused, Unavailable
from flightworthy.release import Phase, arrived, roll_back

if TYPE_CHECKING:
    from flightworthy.release import Deployment, ReleaseStore

__all__ = ["arguments", "run"]

_LOOK_SECONDS = 0.05


def arguments(command: argparse.ArgumentParser) -> None:
    """Add what the command is told."""
    command.add_argument("model", metavar="MODEL")
    command.add_argument("--reason", required=True, help="why; it is written into the ledger")
    command.add_argument("--to", metavar="RELEASE", help="a release that served before (default: the previous one)")
    command.add_argument(
        "--wait", type=_seconds, default=30.0, metavar="SECONDS",
        help="how long to wait until the traffic has moved (default 30; 0 writes the decision and leaves)",
    )  # fmt: skip
    json_flag(command)


def run(asked: argparse.Namespace, settings: Settings) -> Answer:
    """Write the decision, then watch the row and what the deployer says of it."""
    if not asked.reason.strip():
        raise Refused("a rollback needs a reason: whoever reads the ledger later asks for it", model=asked.model)
    store = settings.releases()
    try:
        known_model(asked.model, settings, store)
        began = time.monotonic()
        before = store.deployment(asked.model)
        row = roll_back(
            store, asked.model, to=asked.to, actor=actor(), reason=asked.reason.strip(), now=datetime.now(UTC)
        )
        if asked.wait:
            row = _moved(store, row, within=asked.wait)
        seconds = time.monotonic() - began
    finally:
        store.close()
    return Answer(
        document=_document(before, row, seconds=seconds, waited=bool(asked.wait)),
        text=_text(before, row, seconds=seconds, waited=bool(asked.wait)),
        exit=Exit.DONE,
    )


def _seconds(text: str) -> float:
    seconds = float(text)
    if not 0 <= seconds <= 86_400:
        raise argparse.ArgumentTypeError(f"{text} is not between 0 and 86400 seconds")
    return seconds


def _moved(store: ReleaseStore, decided: Deployment, *, within: float) -> Deployment:
    """Wait until the router carries it. Raises ReleaseRefused if going back failed, Unavailable if nobody did it."""
    deadline = time.monotonic() + within
    target = decided.challenger or decided.champion
    while (row := arrived(store, decided.model, target)) is None:
        if time.monotonic() >= deadline:
            raise _unconfirmed(store, decided, within)
        time.sleep(_LOOK_SECONDS)
    return row


def _unconfirmed(store: ReleaseStore, decided: Deployment, within: float) -> Unavailable:
    target, seen = decided.challenger or decided.champion, store.observation(decided.model)
    said = f" It said last: {seen.note}." if seen and seen.note else ""
    return Unavailable(
        f"The deployer did not confirm within {within:g} s that {decided.model} went back to {target}, "
        f"which is decided and stands.{said} See that `flightworthy deployer` runs: it does so as soon as it does. "
        "`flightworthy status` shows when.",
        model=decided.model,
        release=target,
        generation=decided.generation,
    )


def _document(before: Deployment, row: Deployment, *, seconds: float, waited: bool) -> dict[str, Any]:
    return {
        "model": row.model,
        "from": before.challenger or before.champion,
        "to": row.challenger or row.champion,
        "changed": row.generation != before.generation,
        "confirmed": waited,
        "phase": str(row.phase),
        "generation": row.generation,
        "seconds": round(seconds, 3),
    }


def _text(before: Deployment, row: Deployment, *, seconds: float, waited: bool) -> str:
    left, to = before.challenger or before.champion, row.challenger or row.champion
    if row.generation == before.generation and row.phase is Phase.STEADY:
        return f"{row.model}: {to} serves already; nothing was changed"
    if not waited:
        return f"{row.model}: decided to go back from {left} to {to or 'nothing'}"
    if to is None:
        return f"{row.model}: {left} was withdrawn after {seconds:.2f} s; nothing serves"
    return f"{row.model}: {to} serves all traffic again; {left} gave way after {seconds:.2f} s"
