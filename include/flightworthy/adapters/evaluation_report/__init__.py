"""One HTML file per evaluation, with everything in it: decision, metrics, slices, plots, lineage."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined

from flightworthy.adapters.evaluation_report.plots import draw
from flightworthy.review import Review
from flightworthy.spec import Spec
from flightworthy.training import TrainingRun

__all__ = ["write_report"]


def write_report(path: Path, *, spec: Spec, run: TrainingRun, review: Review) -> Path:
    """Write the report to ``path``, all of it or nothing. All text is escaped, whoever it comes from."""
    environment = Environment(
        loader=PackageLoader("flightworthy.adapters.evaluation_report", "."),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    template = environment.get_template("report.html")
    page = template.render(spec=spec, review=review, facts=_facts(run), plots=draw(review))
    path.parent.mkdir(parents=True, exist_ok=True)
    scratch = path.with_name(f".{path.name}.new")
    scratch.write_text(page, encoding="utf-8")
    scratch.replace(path)
    return path


def _facts(run: TrainingRun) -> dict[str, str]:
    facts = {"training run": run.run_id, "content key": run.key, "artifact digest": run.artifact_digest}
    facts |= {name.replace("_", " "): value for name, value in asdict(run.lineage).items()}
    facts |= {f"parameter {name}": str(value) for name, value in run.params.items()}
    return {**facts, "seed": str(run.seed)}
