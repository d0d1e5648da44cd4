"""Recorded trainings, in memory; their artifacts in a folder."""

from __future__ import annotations

import itertools
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from flightworthy.artifact import seal, verify
from flightworthy.runtime import choice_in
from flightworthy.training import TrainingOrder, TrainingRun

__all__ = ["MemoryRuns", "copied"]


@dataclass(frozen=True, slots=True, kw_only=True)
class MemoryRuns:
    """Implements ``training.RunStore``. Artifacts are kept under ``folder``, such as pytest's ``tmp_path``."""

    folder: Path
    finished: dict[tuple[str, str], TrainingRun] = field(default_factory=dict)
    numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    def find(self, model: str, key: str) -> TrainingRun | None:
        found = self.finished.get((model, key))
        return None if found is None else replace(found, reused=True)

    def log(self, order: TrainingOrder, metrics: Mapping[str, float], folder: Path) -> TrainingRun:
        known = self.find(order.spec.model, order.key)
        if known is not None:
            return known
        digest = seal(folder)
        run_id = f"run-{next(self.numbers)}"
        kept = self.folder / run_id
        shutil.copytree(folder, kept)
        run = TrainingRun(
            model=order.spec.model,
            run_id=run_id,
            key=order.key,
            params=dict(order.params),
            seed=order.spec.training.seed,
            metrics=dict(metrics),
            lineage=order.lineage,
            artifact_uri=str(kept),
            artifact_digest=digest,
            runtime=choice_in(folder).facts(),
        )
        self.finished[order.spec.model, order.key] = run
        return run

    def download(self, run: TrainingRun, folder: Path) -> Path:
        return copied(run.artifact_uri, folder, digest=run.artifact_digest)


def copied(source: str, folder: Path, *, digest: str) -> Path:
    """Copy a kept artifact into ``folder``, verified."""
    verify(Path(source), digest=digest)
    return Path(shutil.copytree(source, folder, dirs_exist_ok=True))
