"""``flightworthy history``: every decision about a model, from the ledger, and whether its chain holds."""

from __future__ import annotations

import argparse
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from flightworthy.cli.answers import Answer, Exit, table, when
from flightworthy.cli.known import known_model
from flightworthy.cli.settings import Settings
from flightworthy.ledger import instant, verify

if TYPE_CHECKING:
    from flightworthy.ledger import Entry

__all__ = ["entry_document", "run"]


def run(asked: argparse.Namespace, settings: Settings) -> Answer:
    """Show the model's entries, oldest first. Raises LedgerBroken rather than show what was tampered with."""
    store = settings.releases()
    try:
        known_model(asked.model, settings, store)
        whole = store.history()
        count = verify(whole, head=store.head())
    finally:
        store.close()
    entries = [entry for entry in whole if entry.model == asked.model]
    shown = entries[-asked.limit :] if asked.limit else entries
    document = {
        "model": asked.model,
        "entries": [entry_document(entry) for entry in shown],
        "ledger": {"holds": True, "entries": count},
    }
    return Answer(document=document, text=_text(asked.model, shown, count), exit=Exit.DONE)


def _text(model: str, entries: list[Entry], count: int) -> str:
    if not entries:
        return f"nothing was ever decided about {model}"
    rows = [
        (entry.seq, when(entry.at), entry.action, entry.from_release, entry.to_release, entry.actor, entry.reason)
        for entry in entries
    ]
    heads = ("SEQ", "AT (UTC)", "DECISION", "FROM", "TO", "BY", "REASON")
    return f"{table(heads, rows)}\n\nThe ledger holds: {count} decisions about all models, none changed or removed."


def entry_document(entry: Entry) -> dict[str, Any]:
    """One ledger entry as JSON types, its instant as it was hashed."""
    return {**asdict(entry), "at": instant(entry.at), "evidence": list(entry.evidence)}
