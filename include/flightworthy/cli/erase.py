"""``flightworthy erase``: take a person out of partitions and prediction log, and say who learnt from them."""

from __future__ import annotations

import argparse
import shlex
import sys
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from flightworthy.cli.answers import Answer, Exit, facts, table
from flightworthy.cli.keys import keys_for
from flightworthy.cli.known import known_model
from flightworthy.cli.person import actor
from flightworthy.cli.settings import Settings
from flightworthy.cli.words import json_flag
from flightworthy.dataset import Split, split_of

if TYPE_CHECKING:
    from flightworthy.erasure import Erasure, Person
    from flightworthy.registry import ModelVersion
    from flightworthy.spec import Spec

__all__ = ["arguments", "run"]

_SIDES = {
    Split.TRAIN: "trained on",
    Split.VALIDATION: "chosen by",
    Split.HOLDOUT: "only measured on",
}
_NONE = "nobody with this ID was found; is it as the source writes it?"


def arguments(command: argparse.ArgumentParser) -> None:
    """Add what the command is told."""
    command.add_argument("model", metavar="MODEL")
    command.add_argument(
        "--entity",
        required=True,
        metavar="ID",
        help="the id as the source and requests write it; - reads it from stdin",
    )
    command.add_argument("--reason", required=True, help="why, without naming anybody; it is written into the ledger")
    command.add_argument("--dry-run", action="store_true", help="only say what would go, and who learnt from it")
    command.add_argument(
        "--connection", metavar="CONN_ID",
        help="take the key of the pseudonyms from this Airflow connection, as tasks do (default: from the environment)",
    )  # fmt: skip
    json_flag(command)


def run(asked: argparse.Namespace, settings: Settings) -> Answer:
    """Erase, or only say what would be. Run again it does what is left; done already it removes nothing."""
    from flightworthy.adapters.dataset_files import DatasetErasure
    from flightworthy.adapters.prediction_files import PredictionErasure
    from flightworthy.adapters.spec_files import load
    from flightworthy.erasure import Asked, Places, erase, person_named
    from flightworthy.release import Cause

    store = settings.releases()
    try:
        model = known_model(asked.model, settings, store)
        spec = load(settings.models / model, settings.environ)
        entity = sys.stdin.readline().strip() if asked.entity == "-" else asked.entity
        person = person_named(entity, keys_for(settings.environ, asked.connection), model=model)
        datasets = DatasetErasure(root=settings.home / "datasets")
        order = Asked(
            model=model,
            column=spec.entity,
            person=person,
            side=_side(spec, person, entity, key=datasets.key_of(model)),
            versions=_versions(model, settings),
        )
        places = Places(
            datasets=datasets,
            log=PredictionErasure(folder=settings.home / "predictions"),
            ledger=store,
        )
        cause = Cause(actor=actor(), reason=asked.reason, at=datetime.now(UTC))
        erasure = erase(order, places, cause, is_dry_run=asked.dry_run)
    finally:
        store.close()
    retrain = _retrain(model, erasure)
    return Answer(document=_document(model, erasure, retrain), text=_text(model, erasure, retrain), exit=Exit.DONE)


def _side(spec: Spec, person: Person, entity: str, *, key: str | None) -> Split:
    """What the person's rows were for: the split goes by what is stored, the pseudonym by the ``key`` of partitions."""
    stored = entity if spec.treatment(spec.entity) is None else person.pseudonyms.get(key, person.entity)
    return split_of(stored, holdout=spec.dataset.holdout, validation=spec.dataset.validation)


def _versions(model: str, settings: Settings) -> Sequence[ModelVersion] | None:
    """Those that MLflow has; None where nothing says where it is."""
    if not (uri := settings.environ.get("MLFLOW_TRACKING_URI")):
        return None
    from flightworthy.adapters.mlflow_tracking.connection import MlflowConnection
    from flightworthy.adapters.mlflow_tracking.registry import MlflowRegistry

    return MlflowRegistry(connection=MlflowConnection(uri=uri)).versions(model)


def _retrain(model: str, erasure: Erasure) -> str | None:
    """The command that makes a version without the person, where any version or release learnt from them."""
    learnt = erasure.learnt
    is_live = any(standing in {"champion", "challenger", "previous"} for standing in learnt.releases.values())
    if learnt.side is Split.HOLDOUT or not (learnt.versions or is_live):
        return None
    return shlex.join(["airflow", "dags", "trigger", f"{model}.deploy"])


def _document(model: str, erasure: Erasure, retrain: str | None) -> dict[str, Any]:
    learnt = erasure.learnt
    return {
        "model": model,
        "entity": erasure.person.entity,
        "dry_run": erasure.is_dry_run,
        "partitions": [asdict(each) for each in erasure.removed],
        "log": [asdict(each) for each in erasure.cleared],
        "found": not erasure.is_of_nobody_known,
        "side": str(learnt.side),
        "datasets": list(learnt.datasets),
        "versions": None if learnt.versions is None else list(learnt.versions),
        "releases": dict(learnt.releases),
        "retrain": retrain,
    }


def _text(model: str, erasure: Erasure, retrain: str | None) -> str:
    learnt = erasure.learnt
    rows, lines = sum(each.rows for each in erasure.removed), sum(each.rows for each in erasure.cleared)
    verb = "would be erased" if erasure.is_dry_run else "were erased"
    said = {
        "entity": f"{erasure.person.entity} (its pseudonym)",
        "partitions": f"{rows} rows {verb} from {len(erasure.removed)} contents of partitions",
        "prediction log": f"{lines} rows {verb} from {len(erasure.cleared)} files",
        "dataset versions": ", ".join(digest[:12] for digest in learnt.datasets) or "none held them",
        "model versions": _told_versions(learnt.versions),
        "releases": ", ".join(f"{name} ({what})" for name, what in learnt.releases.items()) or "none",
        "their rows": _NONE if erasure.is_of_nobody_known else f"models were {_SIDES[learnt.side]} them",
        "retrain": retrain or "not needed",
    }
    removed = [
        (each.place, each.key, each.digest[:12], _short(each.replaced_by), each.rows) for each in erasure.removed
    ]
    listed = f"\n\n{table(('PLACE', 'KEY', 'WAS', 'IS', 'ROWS'), removed)}" if removed else ""
    return f"{model}\n{facts(said)}{listed}"


def _short(digest: str | None) -> str | None:
    return None if digest is None else digest[:12]


def _told_versions(versions: Sequence[int] | None) -> str:
    if versions is None:
        return "not known: MLFLOW_TRACKING_URI says nothing"
    return ", ".join(map(str, versions)) or "none"
