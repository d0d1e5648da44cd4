"""``flightworthy arrivals``: what has landed and which run took it; and to let a failed one wait for another run."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from contextlib import closing
from typing import TYPE_CHECKING, Any

from flightworthy.arrival import again
from flightworthy.cli.answers import Answer, Exit, table, when
from flightworthy.cli.known import known_model
from flightworthy.cli.settings import Settings
from flightworthy.cli.words import count, json_flag
from flightworthy.ledger import instant

if TYPE_CHECKING:
    from datetime import datetime

    from flightworthy.arrival import Arrival

__all__ = ["HEADS", "arguments", "arrival_document", "arrival_row", "run"]

HEADS = ("PARTITION", "KIND", "SEEN (UTC)", "STAGE", "OUTCOME", "RUN")


def arguments(command: argparse.ArgumentParser) -> None:
    """Add what the command is told."""
    verbs = command.add_subparsers(dest="verb", required=True, metavar="VERB")
    listing = verbs.add_parser("list", help="show the newest partitions, how far each has come, and in which run")
    listing.add_argument("model", metavar="MODEL")
    listing.add_argument("--limit", type=count, default=20, metavar="N", help="only the newest N (default 20)")
    json_flag(listing)
    another = verbs.add_parser("again", help="let a partition whose run failed wait for another run")
    another.add_argument("model", metavar="MODEL")
    another.add_argument("partition", metavar="PARTITION", help="its key")
    json_flag(another)


def run(asked: argparse.Namespace, settings: Settings) -> Answer:
    """List what has arrived for a model, or give one up."""
    with closing(settings.releases()) as releases:
        known_model(asked.model, settings, releases)
    with closing(settings.arrivals()) as store:
        if asked.verb == "again":
            given_up = again(store, asked.model, asked.partition)
            text = (
                f"partition {given_up.key} of {given_up.model} waits again; the run that is woken next takes it. "
                f"{given_up.run.run_id if given_up.run else 'The run before'} has it no more"
            )
            return Answer(document=_document(asked.model, [given_up]), text=text, exit=Exit.DONE)
        found = store.of(asked.model)[-asked.limit :]
    return Answer(document=_document(asked.model, found), text=_text(asked.model, found), exit=Exit.DONE)


def arrival_document(arrival: Arrival) -> dict[str, Any]:
    """An arrival for a program."""
    return {
        "partition": arrival.key,
        "digest": arrival.digest,
        "kind": str(arrival.kind),
        "stage": str(arrival.stage),
        "seen_at": instant(arrival.seen_at),
        "announced_at": _instant(arrival.announced_at),
        "announcements": arrival.announcements,
        "run": None if arrival.run is None else arrival.run.run_id,
        "taken_at": _instant(arrival.taken_at),
        "failed": None if arrival.outcome is None else arrival.outcome.failed,
        "outcome": None if arrival.outcome is None else str(arrival.outcome),
        "considered_at": _instant(arrival.considered_at),
    }


def arrival_row(arrival: Arrival) -> tuple[object, ...]:
    """An arrival for a person, under ``HEADS``."""
    run_id = None if arrival.run is None else arrival.run.run_id
    return arrival.key, arrival.kind, when(arrival.seen_at), arrival.stage, arrival.outcome, run_id


def _document(model: str, found: Sequence[Arrival]) -> dict[str, Any]:
    return {"model": model, "arrivals": [arrival_document(each) for each in found]}


def _text(model: str, found: Sequence[Arrival]) -> str:
    return table(HEADS, map(arrival_row, found)) if found else f"nothing has arrived for {model} yet"


def _instant(at: datetime | None) -> str | None:
    return None if at is None else instant(at)
