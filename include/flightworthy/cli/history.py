"""``flightworthy history``: every decision about a model, what served at some time and why, and what was put right."""

from __future__ import annotations

import argparse
from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from flightworthy.cli.answers import Answer, Exit, facts, table, when
from flightworthy.cli.known import known_model
from flightworthy.cli.settings import Settings
from flightworthy.cli.words import count, json_flag
from flightworthy.ledger import instant, standing_at
from flightworthy.release import proven

if TYPE_CHECKING:
    from flightworthy.ledger import Entry, Serving, Standing
    from flightworthy.release import Healing, ReleaseStore

__all__ = ["arguments", "entry_document", "healing_document", "run"]

_HEALINGS = 20


def arguments(command: argparse.ArgumentParser) -> None:
    """Add what the command is told."""
    command.add_argument("model", metavar="MODEL")
    command.add_argument("--limit", type=count, metavar="N", help="only the newest N decisions")
    command.add_argument(
        "--at", type=_instant, metavar="TIME",
        help='what served at that time, and why: "2026-11-24 14:03", UTC unless it names an offset',
    )  # fmt: skip
    json_flag(command)


def run(asked: argparse.Namespace, settings: Settings) -> Answer:
    """Show the model's entries, oldest first. Raises LedgerBroken rather than show what was tampered with."""
    store = settings.releases()
    try:
        known_model(asked.model, settings, store)
        whole = proven(store).entries
        entries = [entry for entry in whole if entry.model == asked.model]
        if asked.at is not None:
            return _at(asked, standing_at(entries, asked.at), store)
        healings = store.healings(asked.model, limit=asked.limit or _HEALINGS)
    finally:
        store.close()
    shown = entries[-asked.limit :] if asked.limit else entries
    document = {
        "model": asked.model,
        "entries": [entry_document(entry) for entry in shown],
        "healings": [healing_document(healing) for healing in healings],
        "ledger": {"holds": True, "entries": len(whole)},
    }
    return Answer(document=document, text=_text(asked.model, shown, healings, len(whole)), exit=Exit.DONE)


def _instant(text: str) -> datetime:
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no time; write it as 2026-11-24 14:03") from None
    return at if at.tzinfo else at.replace(tzinfo=UTC)


def _at(asked: argparse.Namespace, found: Standing, store: ReleaseStore) -> Answer:
    arms = {"champion": found.champion, "challenger": found.challenger}
    serving = {arm: _serving_document(each, store) for arm, each in arms.items() if each is not None}
    document = {
        "model": asked.model,
        "at": instant(asked.at),
        "champion": None,
        "challenger": None,
        **serving,
        "until": None if found.until is None else instant(found.until.at),
    }
    told = [_told(arm, each) for arm, each in serving.items()]
    nothing = f"nothing served {asked.model} at {when(asked.at)} UTC"
    if found.until is None:
        until = "No decision was made since."
    else:
        until = f"So it was until {when(found.until.at)} UTC, when {found.until.actor} decided: {found.until.action}."
    return Answer(document=document, text="\n\n".join([*(told or [nothing]), until]), exit=Exit.DONE)


def _serving_document(serving: Serving, store: ReleaseStore) -> dict[str, Any]:
    entry = serving.decided
    return {
        "release": serving.release,
        "share": serving.share,
        "decided": entry_document(entry),
        "evidence": {digest: store.evidence(digest) for digest in entry.evidence},
    }


def _told(arm: str, serving: dict[str, Any]) -> str:
    decided, share = serving["decided"], serving["share"]
    return facts(
        {
            arm: serving["release"],
            "share": "not recorded then" if share is None else f"{share} %",
            "since (UTC)": when(datetime.fromisoformat(decided["at"])),
            "decision": f"{decided['action']} (entry {decided['seq']}, generation {decided['generation']})",
            "by": decided["actor"],
            "reason": decided["reason"],
            "evidence": "; ".join(f"{digest[:12]} {body}" for digest, body in serving["evidence"].items()),
        }
    )


def _text(model: str, entries: list[Entry], healings: list[Healing], count: int) -> str:
    if not entries:
        return f"nothing was ever decided about {model}"
    rows = [
        (entry.seq, when(entry.at), entry.action, entry.from_release, entry.to_release, entry.actor, entry.reason)
        for entry in entries
    ]
    told = table(("SEQ", "AT (UTC)", "DECISION", "FROM", "TO", "BY", "REASON"), rows)
    if healings:
        healed = [(when(healing.at), healing.kind, healing.what) for healing in healings]
        told += "\n\n" + table(("PUT RIGHT (UTC)", "WHAT", "HOW"), healed)
    return f"{told}\n\nThe ledger holds: {count} decisions about all models, none changed or removed."


def entry_document(entry: Entry) -> dict[str, Any]:
    """One ledger entry as JSON types, its instant as it was hashed."""
    return {**asdict(entry), "at": instant(entry.at), "evidence": list(entry.evidence)}


def healing_document(healing: Healing) -> dict[str, Any]:
    """One healing as JSON types."""
    return {**asdict(healing), "at": instant(healing.at)}
