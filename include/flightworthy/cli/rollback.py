"""``flightworthy rollback``: decide to go back, and wait until the traffic has moved."""

from __future__ import annotations

import argparse
import getpass
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from flightworthy.cli.answers import Answer, Exit
from flightworthy.cli.known import known_model
from flightworthy.cli.settings import Settings
from flightworthy.errors import Refused, ReleaseRefused, Unavailable
from flightworthy.release import Phase, outcome, roll_back

if TYPE_CHECKING:
    from flightworthy.release import Deployment, ReleaseStore

__all__ = ["run"]

_LOOK_SECONDS = 0.05


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
            store, asked.model, to=asked.to, actor=_actor(), reason=asked.reason.strip(), now=datetime.now(UTC)
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


def _actor() -> str:
    try:
        return f"{getpass.getuser()} (command line)"
    except (KeyError, OSError):
        return "somebody (command line)"


def _moved(store: ReleaseStore, decided: Deployment, *, within: float) -> Deployment:
    """Wait until the router confirms the row.

    Raises ReleaseRefused if the way back failed, and Unavailable if nobody went it in time: the decision stands.
    """
    target = decided.champion if decided.phase is not Phase.RETURNING else decided.challenger
    settled = decided if decided.phase is not Phase.RETURNING else None
    deadline = time.monotonic() + within
    while True:
        row, seen = store.deployment(decided.model), store.observation(decided.model)
        if row.phase is not Phase.RETURNING and row.champion != target:
            raise _not_returned(store, row, target)
        settled = settled or (row if row.phase is not Phase.RETURNING else None)
        if settled is not None and seen is not None and seen.generation >= settled.generation:
            return settled
        if time.monotonic() >= deadline:
            raise _unconfirmed(row, target, within, seen.note if seen else "")
        time.sleep(_LOOK_SECONDS)


def _not_returned(store: ReleaseStore, row: Deployment, target: str | None) -> ReleaseRefused:
    ended = outcome(store, target) if target else None
    why = ended.reason if ended else "another decision was made since"
    return ReleaseRefused(
        f"{row.model} did not go back to {target}: {why}. {row.champion} serves; "
        f"`flightworthy history {row.model}` shows what was decided, --to names another release.",
        model=row.model,
        release=target,
        champion=row.champion,
    )


def _unconfirmed(row: Deployment, target: str | None, within: float, note: str) -> Unavailable:
    said = f" It said last: {note}." if note else ""
    return Unavailable(
        f"{row.model} is to go back to {target or 'nothing'}, which is decided and stands, but the deployer did not "
        f"confirm it within {within:g} s.{said} See that `flightworthy deployer` runs; `flightworthy status "
        f"{row.model}` shows when the traffic is as decided.",
        model=row.model,
        release=target,
        generation=row.generation,
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
