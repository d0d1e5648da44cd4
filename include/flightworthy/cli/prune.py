"""``flightworthy prune``: throw away what retention lets go, or only say what that would be."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flightworthy.cli.answers import Answer, Exit, table
from flightworthy.cli.known import known_model
from flightworthy.cli.settings import Settings
from flightworthy.cli.words import json_flag
from flightworthy.errors import Refused

if TYPE_CHECKING:
    from flightworthy.deployer.pruning import Pruned
    from flightworthy.release import ReleaseStore
    from flightworthy.retention import PrunableData

__all__ = ["arguments", "run"]


def arguments(command: argparse.ArgumentParser) -> None:
    """Add what the command is told."""
    command.add_argument("model", nargs="?", metavar="MODEL", help="a model's name; all models if none is given")
    command.add_argument("--dry-run", action="store_true", help="only say what would go, and why")
    json_flag(command)


def run(asked: argparse.Namespace, settings: Settings) -> Answer:
    """Prune one model or all that have a folder. A model whose files are wrong keeps everything."""
    from flightworthy.adapters.spec_files import load, load_all

    store = settings.releases()
    try:
        if asked.model:
            specs = [load(settings.models / known_model(asked.model, settings, store), settings.environ)]
            refused = {}
        else:
            found = load_all(settings.models, settings.environ)
            specs, refused = list(found.loaded), {model: error.message for model, error in found.refused.items()}
        done = {spec.model: _pruned(asked, settings, store, spec) for spec in specs}
        data = {spec.model: _let_go(asked, settings, store, spec) for spec in specs}
    finally:
        store.close()
    document = {
        "dry_run": asked.dry_run,
        "models": [
            {"model": model, "pruned": [_document(each) for each in of], "data": data[model].document()}
            for model, of in done.items()
        ],
        "refused": refused,
    }
    return Answer(document=document, text=_text(asked, done, data, refused), exit=Exit.DONE)


def _pruned(asked: argparse.Namespace, settings: Settings, store: ReleaseStore, spec: Any) -> list[Pruned]:
    from flightworthy.deployer.pruning import Pruned, policy_of, pruner_of
    from flightworthy.deployer.settings import Settings as DeployerSettings

    pruner = pruner_of(store, DeployerSettings.from_environ(settings.environ, Path.cwd()))
    now = datetime.now(UTC)
    if asked.dry_run:
        return [Pruned(what=each, left="") for each in pruner.plan(spec.model, policy_of(spec), now=now)]
    return pruner.prune(spec.model, policy_of(spec), now=now)


@dataclass(frozen=True, slots=True, kw_only=True)
class _LetGo:
    """Rows that went, or would; and why none could be judged, if so."""

    gone: Sequence[PrunableData]
    kept_since: str

    def document(self) -> dict[str, Any]:
        return {
            "gone": [
                {
                    "key": each.partition.key,
                    "digest": each.partition.digest,
                    "rows": each.partition.rows,
                    "why": each.why,
                }
                for each in self.gone
            ],
            "kept_since": self.kept_since,
        }


def _let_go(asked: argparse.Namespace, settings: Settings, store: ReleaseStore, spec: Any) -> _LetGo:
    from flightworthy.deployer.partition_pruning import partition_policy_of
    from flightworthy.deployer.pruning import data_pruner_of, pruner_of
    from flightworthy.deployer.settings import Settings as DeployerSettings

    policy = partition_policy_of(spec)
    if policy is None:
        return _LetGo(gone=(), kept_since="")
    here = DeployerSettings.from_environ(settings.environ, Path.cwd())
    pruner = data_pruner_of(pruner_of(store, here), here)
    now = datetime.now(UTC)
    try:
        found = (pruner.plan if asked.dry_run else pruner.prune)(spec.model, policy, now=now)
    except Refused as refused:
        return _LetGo(gone=(), kept_since=refused.message)
    return _LetGo(gone=found, kept_since="")


def _document(pruned: Pruned) -> dict[str, Any]:
    return {**asdict(pruned.what), "left": pruned.left}


def _text(
    asked: argparse.Namespace,
    done: dict[str, list[Pruned]],
    data: dict[str, _LetGo],
    refused: dict[str, str],
) -> str:
    rows: list[tuple[object, ...]] = [
        (model, each.what.kind, each.what.name, f"{each.what.why}{f'; left: {each.left}' if each.left else ''}")
        for model, found in done.items()
        for each in found
    ]
    rows += [
        (model, "data", f"{each.partition.key} {each.partition.digest[:12]}", each.why)
        for model, found in data.items()
        for each in found.gone
    ]
    said = [f"{model} keeps everything, since its files are wrong: {why}" for model, why in refused.items()]
    said += [found.kept_since for found in data.values() if found.kept_since]
    if not rows:
        return "\n".join(["there is nothing that retention lets go", *said])
    heads = ("MODEL", "WOULD GO" if asked.dry_run else "GONE", "NAME", "WHY")
    return "\n".join([table(heads, rows), *said])
