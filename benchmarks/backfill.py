"""A backfill of ``claims`` in real Airflow, the same again, and the same intervals in one Python process.

``python -m benchmarks.backfill [MONTHS]`` (36) publishes; ``--dry`` only prints.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from benchmarks.line_overhead import OneProcess
from benchmarks.result import ROOT, Result, Row, machine, row
from demo.airflow_api import AirflowApi, Json
from demo.stack import Stack

MODEL = "claims"
DEPLOY = f"{MODEL}.deploy"
HOME = ROOT / ".flightworthy" / "benchmarks-backfill"
DATA = Path(os.environ.get("FLIGHTWORTHY_DATA_DIR", ROOT / ".." / "shared" / "data"))
ALL_MONTHS = 36
VERBS = ("ingest", "check_expectations", "train", "evaluate", "register")
_ACTIVE_RUNS = 6
_SLOTS = 3
"""Of the pool: one more than there are cores, so that a core works while a task starts or ends."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Backfill:
    """One backfill: its seconds, what its tasks took of them, and the load when it began."""

    seconds: float
    load: float
    tasks: Mapping[str, float]
    """By verb, the seconds that its tasks were running, of all runs together."""
    waited: float
    """The seconds from queued to running, of all tasks together."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Peer:
    """The same intervals in one process: its seconds, and those of each verb."""

    seconds: float
    load: float
    verbs: Mapping[str, float]


def main(words: Sequence[str]) -> int:
    """Measure; publish unless ``--dry``."""
    numbers = [int(word) for word in words if word.isdigit()]
    months = _months(numbers[0] if numbers else ALL_MONTHS)
    with _bench() as (stack, api):
        first = _backfilled(api, months, "none")
        peer = _peer(stack, months)
        again = _backfilled(api, months, "completed")
    result = Result(
        name="backfill",
        machine=machine(),
        rows=_rows(months, first, again, peer),
        notes=_notes(months, first, again, peer),
    )
    if "--dry" in words:
        print(json.dumps({"rows": [[each.what, each.value, each.unit] for each in result.rows]}, indent=1))
        print(*result.notes, sep="\n")
    else:
        result.publish()
    return 0


def _months(count: int) -> list[str]:
    return [f"{1994 + month // 12}-{month % 12 + 1:02d}" for month in range(count)]


def _backfilled(api: AirflowApi, months: Sequence[str], reprocess: str) -> Backfill:
    """Counted from the moment that the form is sent until the last run has ended."""
    load, known = os.getloadavg()[0], {run["end_date"] for run in _runs(api)}
    asked = {
        "dag_id": DEPLOY,
        "from_date": f"{months[0]}-01T00:00:00Z",
        "to_date": f"{months[-1]}-01T00:00:00Z",
        "max_active_runs": _ACTIVE_RUNS,
        "reprocess_behavior": reprocess,
    }
    began_at = time.time()
    api.call("POST", "/backfills", json=asked)

    def done() -> list[Json] | None:
        runs = [run for run in _runs(api) if run["end_date"] and run["end_date"] not in known]
        return runs if len(runs) == len(months) else None

    runs = api.wait(done, within=60 * len(months) + 600, every=1, what=lambda: f"{len(months)} runs of {DEPLOY}")
    if failed := [run["dag_run_id"] for run in runs if run["state"] != "success"]:
        raise RuntimeError(f"failed: { {each: api.states(DEPLOY, each) for each in failed} }")
    ended_at = max(datetime.fromisoformat(run["end_date"]).timestamp() for run in runs)
    return _taken_apart(api, runs, seconds=ended_at - began_at, load=load)


def _taken_apart(api: AirflowApi, runs: Sequence[Json], *, seconds: float, load: float) -> Backfill:
    spent, waited = dict.fromkeys(VERBS, 0.0), 0.0
    for run in runs:
        for task in api.tasks(DEPLOY, run["dag_run_id"]):
            if task["start_date"] is None or task["queued_when"] is None:
                continue
            started_at = datetime.fromisoformat(task["start_date"])
            waited += (started_at - datetime.fromisoformat(task["queued_when"])).total_seconds()
            ran = (datetime.fromisoformat(task["end_date"]) - started_at).total_seconds()
            spent[task["task_id"]] = spent.get(task["task_id"], 0.0) + ran
    return Backfill(seconds=seconds, load=load, tasks=spent, waited=waited)


def _peer(stack: Stack, months: Sequence[str]) -> Peer:
    """Another seed makes the same work other work, so that nothing is found; its datasets are in a home of its own."""
    models = _models(HOME / "models-one-process", seed=8)
    home = HOME / "one-process"
    extra = {"home": str(home), "database": f"sqlite:///{home / 'flightworthy.db'}", "models": str(models)}
    home.mkdir(parents=True, exist_ok=True)
    told = {"AIRFLOW_CONN_FLIGHTWORTHY_DEFAULT": json.dumps({"conn_type": "generic", "extra": extra})}
    load, verbs = os.getloadavg()[0], dict.fromkeys(VERBS, 0.0)
    with OneProcess(stack, HOME / "landing-one-process", model=MODEL, verb="backfill", **told) as peer:
        began_at = time.monotonic()
        for month in months:
            answer: dict[str, Any] = peer.deploy(month)
            for verb, seconds in answer["verbs"].items():
                verbs[verb] += seconds
        return Peer(seconds=time.monotonic() - began_at, load=load, verbs=verbs)


def _runs(api: AirflowApi) -> list[Json]:
    return api.runs(DEPLOY, run_type="backfill")


def _rows(months: Sequence[str], first: Backfill, again: Backfill, peer: Peer) -> tuple[Row, ...]:
    count = len(months)
    return (
        row(f"a backfill of {count} months in Airflow", first.seconds, "s"),
        row("the same in one process", peer.seconds, "s"),
        row("ratio", first.seconds / peer.seconds, "times", at_most=2.0),
        row("the same backfill again", again.seconds, "s"),
        row("ratio of again to first", again.seconds / first.seconds, "times", at_most=0.2),
        row("in one process: the trainings alone", peer.verbs["train"], "s"),
        *(row(f"in Airflow: {verb}, tasks running", first.tasks[verb], "s") for verb in VERBS),
        row("in Airflow: tasks queued and not yet running", first.waited, "s"),
        *(row(f"in one process: {verb}", peer.verbs[verb], "s") for verb in VERBS),
    )


def _notes(months: Sequence[str], first: Backfill, again: Backfill, peer: Peer) -> tuple[str, ...]:
    same = (
        f"{MODEL} from {months[0]} to {months[-1]}, two trials each: taken in, checked, trained, measured with its "
        "baseline and its predecessor, registered and signed, on both sides. The one process has imported everything "
        "before its clock runs, and works with another seed, so that it finds nothing."
    )
    airflow = (
        "Airflow on SQLite with LocalExecutor, every process real, with the settings of `make up`; "
        f"{_SLOTS} slots in the pool, {_ACTIVE_RUNS} runs at once. From the form to the end of the last run."
    )
    load = (
        f"Load average at the beginning: {first.load:.1f}, one process {peer.load:.1f}, again {again.load:.1f} on "
        f"{os.cpu_count()} cores. The seconds of tasks add up over tasks that run side by side."
    )
    return same, airflow, load


@contextmanager
def _bench() -> Iterator[tuple[Stack, AirflowApi]]:
    """A stack of its own with claims alone, and slots for as many tasks as there are cores to work."""
    os.environ["FLIGHTWORTHY_DATA_DIR"] = str(DATA.resolve())
    shutil.rmtree(HOME / "one-process", ignore_errors=True)
    stack = Stack(HOME / "stack")
    stack.wipe()
    os.environ["FLIGHTWORTHY_MODELS"] = str(_models(HOME / "models", seed=7))
    with stack:
        api = stack.airflow()
        api.wait_for_dags(DEPLOY)
        api.resize_pool("flightworthy_backfill", _SLOTS)
        yield stack, api


def _models(folder: Path, *, seed: int) -> Path:
    """Claims alone, with that seed; its file wakes nobody, so that nothing runs beside the backfill."""
    shutil.rmtree(folder, ignore_errors=True)
    source = ROOT / "include" / "models" / MODEL
    shutil.copytree(source, folder / MODEL, ignore=shutil.ignore_patterns("__pycache__", "test_*"))
    file = folder / MODEL / "model.yaml"
    text, written = file.read_text(encoding="utf-8"), "  seed: 7\n"
    if written not in text:
        raise RuntimeError(
            f"{MODEL}'s model.yaml no longer says {written.strip()!r}; tell this benchmark what it says now"
        )
    text = text.replace(written, f"  seed: {seed}\n").replace("source:\n", "source:\n  watched: false\n")
    file.write_text(text, encoding="utf-8")
    return folder


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
