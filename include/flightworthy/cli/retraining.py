"""Trains a recorded version again, in a process of its own: in the packages, and with the code, that it was made with.

``python -m flightworthy.cli.retraining`` reads its order as JSON from stdin and writes what it found to a file.
"""

from __future__ import annotations

import json
import os
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

__all__ = ["main"]


def main() -> int:
    """Do it; errors are told by their message, in the same file."""
    from flightworthy.errors import FlightworthyError

    told = json.load(sys.stdin)
    out = Path(told["out"])
    try:
        found = retrain(told)
    except FlightworthyError as error:
        found = {"refused": error.message}
    out.write_text(json.dumps(found), encoding="utf-8")
    return 0


def retrain(told: dict[str, Any]) -> dict[str, Any]:
    """Train, write the artifact into ``remade``, and hold it against ``recorded`` on the holdout."""
    from flightworthy.adapters.array_metrics import ArrayMetrics
    from flightworthy.adapters.dataset_files import DatasetFiles
    from flightworthy.adapters.model_code import ModelFolders
    from flightworthy.adapters.spec_files import load
    from flightworthy.dataset import Split
    from flightworthy.packaging import model_artifacts
    from flightworthy.reproduction import agreement
    from flightworthy.training import Frames, Lineage, TrainingOrder

    models, artifacts = Path(told["models"]), model_artifacts()
    spec = load(models / told["model"], os.environ)
    order = TrainingOrder(spec=spec, params=told["params"], lineage=Lineage(**told["lineage"]))
    datasets = DatasetFiles(root=Path(told["datasets"]))
    sides = datasets.splits(
        datasets.version(spec.model, order.lineage.dataset_digest),
        entity=spec.entity,
        holdout=spec.dataset.holdout,
        validation=spec.dataset.validation,
    )
    remade = Path(told["remade"])
    remade.mkdir()
    frames = Frames(training=sides[Split.TRAIN], validation=sides[Split.VALIDATION])
    artifacts.write(remade, order, ModelFolders(models=models).fit(order, frames.training), frames)
    validated = artifacts.score(remade, spec, frames.validation)
    threshold = spec.evaluation.threshold
    holdout = agreement(
        artifacts.score(Path(told["recorded"]), spec, sides[Split.HOLDOUT]).predictions,
        artifacts.score(remade, spec, sides[Split.HOLDOUT]).predictions,
        threshold=threshold,
    )
    metrics = ArrayMetrics().measure(validated.labels, validated.predictions, threshold=threshold)
    return {"key": order.key, "holdout": asdict(holdout), "metrics": dict(metrics)}


if __name__ == "__main__":
    sys.exit(main())
