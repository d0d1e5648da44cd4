"""The page of an evaluation: decision, metrics, slices, plots, lineage."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

from flightworthy.adapters.reports.evaluation_plots import draw
from flightworthy.adapters.reports.page import write_page
from flightworthy.review import Review
from flightworthy.spec import Spec
from flightworthy.training import TrainingRun

__all__ = ["write_evaluation"]


def write_evaluation(path: Path, *, spec: Spec, run: TrainingRun, review: Review) -> Path:
    """Write the report of one evaluation to ``path``, all of it or nothing."""
    return write_page(path, "evaluation.html", spec=spec, review=review, facts=_facts(run), plots=draw(review))


def _facts(run: TrainingRun) -> dict[str, str]:
    facts = {"training run": run.run_id, "content key": run.key, "artifact digest": run.artifact_digest}
    facts |= {name.replace("_", " "): value for name, value in asdict(run.lineage).items()}
    facts |= {f"parameter {name}": str(value) for name, value in run.params.items()}
    return {**facts, "seed": str(run.seed)}
