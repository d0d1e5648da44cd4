"""``flightworthy revisions``: what came late or corrected, and what of it the champion has not learnt from."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from contextlib import closing
from typing import TYPE_CHECKING, Any

from flightworthy.cli.answers import Answer, Exit, table, when
from flightworthy.cli.known import known_model
from flightworthy.cli.settings import Settings
from flightworthy.cli.words import json_flag
from flightworthy.ledger import instant

if TYPE_CHECKING:
    from flightworthy.dataset import Revised
    from flightworthy.release import ReleaseStore

__all__ = ["arguments", "run"]


def arguments(command: argparse.ArgumentParser) -> None:
    """Add what the command is told."""
    command.add_argument("model", metavar="MODEL")
    json_flag(command)


def run(asked: argparse.Namespace, settings: Settings) -> Answer:
    """List the revisions and the late partitions of a model, the newest key last."""
    from flightworthy.dataset import revised

    with closing(settings.releases()) as store:
        model = known_model(asked.model, settings, store)
        champion = store.deployment(model).champion
        missed = _unlearnt(model, settings, store)
    found = revised(settings.datasets().history(model))
    document = {
        "model": model,
        "revisions": [_document(each, missed) for each in found],
        "champion": champion,
        "unlearnt": list(missed),
    }
    return Answer(document=document, text=_text(model, found, champion, missed), exit=Exit.DONE)


def _unlearnt(model: str, settings: Settings, store: ReleaseStore) -> tuple[str, ...]:
    """The partitions of the champion's window that were revised, or came, after it learnt: why one might retrain."""
    from flightworthy.dataset import newer_than

    champion = store.deployment(model).champion
    digest = None if champion is None else store.release(champion).bundle.get("dataset_digest")
    datasets = settings.datasets()
    if not digest or not datasets.has_version(model, digest):
        return ()
    return newer_than(datasets.version(model, digest), datasets.current(model))


def _document(each: Revised, missed: Sequence[str]) -> dict[str, Any]:
    partition = each.content.partition
    return {
        "key": partition.key,
        "kind": each.kind,
        "digest": partition.digest,
        "rows": partition.rows,
        "seen_at": instant(each.content.seen_at),
        "files": list(each.content.sources),
        "current": each.is_current,
        "unlearnt": each.is_current and partition.key in missed,
    }


def _text(model: str, found: Sequence[Revised], champion: str | None, missed: Sequence[str]) -> str:
    if not found:
        return f"no partition of {model} was revised or came late"
    heads = ("PARTITION", "WHAT", "SEEN AT (UTC)", "ROWS", "DIGEST", "FILES")
    told = table(
        heads,
        [
            (
                each.content.partition.key,
                f"{each.kind}{'' if each.is_current else ', since revised'}",
                when(each.content.seen_at),
                each.content.partition.rows,
                each.content.partition.digest[:12],
                ", ".join(each.content.sources),
            )
            for each in found
        ],
    )
    if missed:
        told += f"\n\n{champion} has not learnt from what came since for {', '.join(missed)}"
    return told
