"""From the rename of a partition's file to the start of the first task of the run that it wakes, in the real stack.

One partition after another, each when the run before it has ended.

``python -m benchmarks.landed [PARTITIONS]``
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.line_overhead import Partitions
from benchmarks.result import ROOT, Result, machine, row, typical
from demo.airflow_api import AirflowApi, Json
from demo.stack import Stack

MODEL = "diagnosis"
DEPLOY, FIRST = f"{MODEL}.deploy", "ingest"
HOME = ROOT / ".flightworthy" / "benchmarks"
PARTITIONS, ROWS, FIRST_ROWS = 10, 20, 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Woken:
    """One arrival: seconds from the rename until the run was made, and from there until its first task ran."""

    noticed: float
    started: float

    @property
    def total(self) -> float:
        return self.noticed + self.started


@dataclass(slots=True)
class Bench:
    """A stack whose one model is refused by its gates, so that a run ends soon and releases nothing."""

    api: AirflowApi
    landing: Path
    partitions: Partitions = field(default_factory=Partitions)

    def land(self, rows: int = ROWS) -> Woken:
        """Land the next partition, and wait for the run that it wakes to end."""
        known = {run["dag_run_id"] for run in self._woken()}
        self.partitions.deal(self.landing, rows)
        landed_at = datetime.now(UTC)
        run = self.api.wait(
            lambda: next((each for each in self._woken() if each["dag_run_id"] not in known), None),
            within=120,
            what=lambda: f"an event to start {DEPLOY}",
        )
        self.api.wait_for_run(DEPLOY, run["dag_run_id"], within=300)
        task = next(each for each in self.api.tasks(DEPLOY, run["dag_run_id"]) if each["task_id"] == FIRST)
        made_at, started_at = _at(run["queued_at"]), _at(task["start_date"])
        return Woken(noticed=(made_at - landed_at).total_seconds(), started=(started_at - made_at).total_seconds())

    def _woken(self) -> Sequence[Json]:
        return self.api.runs(DEPLOY, run_type="asset_triggered")


def main(count: int = PARTITIONS) -> int:
    """Measure, publish; 0 whether the figure was reached or not."""
    with _bench() as bench:
        bench.land(FIRST_ROWS)
        found = [bench.land() for _ in range(count)]
    for each in found:
        print(f"  noticed after {each.noticed:.2f} s, running {each.started:.2f} s later", flush=True)
    Result(
        name="landed",
        machine=machine(),
        rows=(
            row("file landed to task running, median", typical(each.total for each in found), "s", at_most=5),
            row("file landed to task running, worst", max(each.total for each in found), "s"),
            row("until the run is made, median", typical(each.noticed for each in found), "s"),
            row("from there until its first task runs, median", typical(each.started for each in found), "s"),
        ),
        notes=(
            f"{count} partitions of {MODEL}, one after another, each when the run before it had ended.",
            "The file is renamed into place, and counts as whole once it has settled (`source.complete`), the default.",
            "Airflow on SQLite with LocalExecutor, every process real, with the settings of `make up`.",
        ),
    ).publish()
    return 0


@contextmanager
def _bench() -> Iterator[Bench]:
    """A stack of its own with the model alone; neither the deployer nor a router is needed."""
    stack = Stack(HOME / "stack", parts=("mlflow", "airflow"))
    stack.wipe()
    os.environ["FLIGHTWORTHY_MODELS"] = str(_models(HOME / "models-landed"))
    with stack:
        api = stack.airflow()
        api.wait_for_dags(DEPLOY)
        yield Bench(api=api, landing=stack.landing)


def _models(folder: Path) -> Path:
    """Diagnosis, with a gate that nobody passes."""
    shutil.rmtree(folder, ignore_errors=True)
    copy = folder / MODEL
    shutil.copytree(ROOT / "include" / "models" / MODEL, copy, ignore=shutil.ignore_patterns("__pycache__", "test_*"))
    spec = copy / "model.yaml"
    text, written = spec.read_text(encoding="utf-8"), "{metric: brier, at_most: 0.12}"
    if written not in text:
        raise RuntimeError(f"{MODEL}'s model.yaml no longer says {written!r}; tell this benchmark what it says now")
    spec.write_text(text.replace(written, "{metric: brier, at_most: 0.000001}"), encoding="utf-8")
    return folder


def _at(text: str) -> datetime:
    return datetime.fromisoformat(text)


if __name__ == "__main__":
    sys.exit(main(*map(int, sys.argv[1:2])))
