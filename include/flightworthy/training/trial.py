"""The verb: train one trial and record it, or find that it is done."""

from __future__ import annotations

import math
import tempfile
from pathlib import Path

from flightworthy.errors import ModelCodeError
from flightworthy.evaluation import Metrics, Scored
from flightworthy.training.order import TrainingOrder
from flightworthy.training.runs import TrainingRun
from flightworthy.training.workshop import Frames, Workshop

__all__ = ["train"]


def train(order: TrainingOrder, frames: Frames, workshop: Workshop) -> TrainingRun:
    """Train one trial and record it, or return the recorded run of the same work.

    Idempotent: killed anywhere and called again it leaves one finished run. Raises ModelCodeError where the author's
    code fails or its model does not predict; Unavailable where the run store does not answer.
    """
    found = workshop.runs.find(order.spec.model, order.key)
    if found is not None:
        return found
    fitted = workshop.code.fit(order, frames.training)
    with tempfile.TemporaryDirectory(prefix="flightworthy-train-") as scratch:
        folder = Path(scratch) / "model"
        folder.mkdir()
        workshop.artifacts.write(folder, order, fitted, frames)
        scored = workshop.artifacts.score(folder, order.spec, frames.validation)
        measured = _measure(order, scored, workshop.metrics)
        return workshop.runs.log(order, measured, folder)


def _measure(order: TrainingOrder, scored: Scored, metrics: Metrics) -> dict[str, float]:
    measured = dict(metrics.measure(scored.labels, scored.predictions, threshold=order.spec.evaluation.threshold))
    select = order.spec.training.select
    if not math.isfinite(measured.get(select, math.nan)):
        raise ModelCodeError(
            f"{order.spec.model}: {select} on {len(scored.labels)} validation rows is not a number "
            f"({sum(scored.labels)} of them positive). Trials are chosen by it (training.select); "
            "widen dataset.window or dataset.validation, or select by another metric.",
            model=order.spec.model,
            metric=select,
        )
    return {name: value for name, value in measured.items() if math.isfinite(value)}
