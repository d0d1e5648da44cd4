"""``flightworthy compact``: turn finished files of the prediction log into Parquet."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from flightworthy.cli.answers import Answer, Exit, table
from flightworthy.cli.known import known_model
from flightworthy.cli.settings import Settings
from flightworthy.cli.words import json_flag

if TYPE_CHECKING:
    from flightworthy.adapters.prediction_files import Compacted, Left

__all__ = ["arguments", "run"]


def arguments(command: argparse.ArgumentParser) -> None:
    """Add what the command is told."""
    command.add_argument("model", nargs="?", metavar="MODEL", help="a model's name; all models if none is given")
    json_flag(command)


def run(asked: argparse.Namespace, settings: Settings) -> Answer:
    """Compact one model's log or all; REFUSED where a finished file cannot be kept as Parquet, and stays as it is."""
    from flightworthy.adapters.prediction_files import Compacted, Left, PredictionCompaction

    compaction, now = PredictionCompaction(settings.home / "predictions"), datetime.now(UTC)
    models = [_known(asked.model, settings)] if asked.model else compaction.models()
    done = {model: list(compaction.compact(model, now=now)) for model in models}
    left = {model: [each for each in found if isinstance(each, Left)] for model, found in done.items()}
    compacted = {model: [each for each in found if isinstance(each, Compacted)] for model, found in done.items()}
    document = {
        "models": [
            {
                "model": model,
                "compacted": [asdict(each) for each in compacted[model]],
                "left": [asdict(each) for each in left[model]],
            }
            for model in models
        ]
    }
    code = Exit.REFUSED if any(left.values()) else Exit.DONE
    return Answer(document=document, text=_text(compacted, left), exit=code)


def _known(model: str, settings: Settings) -> str:
    store = settings.releases()
    try:
        return known_model(model, settings, store)
    finally:
        store.close()


def _text(compacted: Mapping[str, Sequence[Compacted]], left: Mapping[str, Sequence[Left]]) -> str:
    rows = [
        (model, each.file, each.rows, f"{each.size:,} -> {each.parquet_size:,}", ", ".join(each.days) or "-")
        for model, found in compacted.items()
        for each in found
    ]
    stays = [
        f"{model}: {each.file} stays as it is and is read as before: {each.why}. Mend the line, or move the file away"
        for model, found in left.items()
        for each in found
    ]
    said = table(("MODEL", "COMPACTED", "ROWS", "BYTES", "DAYS"), rows) if rows else "there is no finished file"
    return "\n".join([said, *stays])
