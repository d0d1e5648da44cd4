"""A page per evaluation: decision, metrics, slices, plots, lineage."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

from flightworthy.adapters.report_pages.evaluation_plots import draw
from flightworthy.adapters.report_pages.frame import write_page
from flightworthy.review import Review
from flightworthy.spec import Spec
from flightworthy.training import TrainingRun

__all__ = ["write_report"]


def write_report(path: Path, *, spec: Spec, run: TrainingRun, review: Review) -> Path:
    """Write the report to ``path``, all of it or nothing."""
    write_page(path, "evaluation.html", spec=spec, review=review, facts=_facts(run), plots=draw(review))
    return path


def _facts(run: TrainingRun) -> dict[str, str]:
    facts = {"training run": run.run_id, "content key": run.key, "artifact digest": run.artifact_digest}
    facts |= {name.replace("_", " "): value for name, value in asdict(run.lineage).items()}
    facts |= {f"parameter {name}": str(value) for name, value in run.params.items()}
    return {**facts, "seed": str(run.seed)}
