"""``flightworthy quarantine``: which partitions were refused, and every reason."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from flightworthy.cli.answers import Answer, Exit, table, when
from flightworthy.cli.known import known_model
from flightworthy.cli.settings import Settings
from flightworthy.ledger import instant

if TYPE_CHECKING:
    from flightworthy.quarantine import Quarantined

__all__ = ["run"]


def run(asked: argparse.Namespace, settings: Settings) -> Answer:
    """List what is in quarantine, by partition key."""
    store = settings.releases()
    try:
        known_model(asked.model, settings, store)
    finally:
        store.close()
    found = settings.datasets().quarantined(asked.model)
    partitions = [
        {
            "key": each.key,
            "digest": each.digest,
            "reason": each.reason,
            "objections": list(each.objections),
            "at": instant(each.quarantined_at),
            "uri": each.uri,
        }
        for each in found
    ]
    return Answer(
        document={"model": asked.model, "partitions": partitions}, text=_text(asked.model, found), exit=Exit.DONE
    )


def _text(model: str, found: list[Quarantined]) -> str:
    if not found:
        return f"no partition of {model} is in quarantine"
    rows: list[tuple[object, ...]] = []
    for each in found:
        rows.append((each.key, each.digest[:12], when(each.quarantined_at), each.reason))
        rows += [("", "", "", f"· {objection}") for objection in each.objections if objection != each.reason]
    return table(("PARTITION", "DIGEST", "AT (UTC)", "REASON"), rows)
