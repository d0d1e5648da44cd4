"""Twenty-five expectations on 13,000 rows: the whole task in real Airflow, against Great Expectations alone.

The task counts from the start of its process to its end: reading spec and suite, the check on the stored partition, its
comparison with those before it, Data Docs. Once as Airflow runs tasks by default, each importing for itself, and once
with the settings of `make up`, where they are forked from a process that has imported. The peer is one Python process,
start to end: the same expectations on pandas, and their Data Docs; without Airflow, store and comparison.

``python -m benchmarks.expectations_task [ROUNDS]`` measures; with ``--once FILE EXPECTATIONS`` it is the peer.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

from benchmarks.result import ROOT, Result, machine, row, typical

MODEL, DEPLOY, TASK = "wide", "wide.deploy", "check_expectations"
HOME = ROOT / ".flightworthy" / "benchmarks"
ROWS, ROUNDS, EXPECTATIONS = 13_000, 5, 25
FEATURES = ("n0", "n1", "n2", "n3", "n4", "n5")
_SPEC = """\
model: wide
description: Thirteen thousand rows a partition, to time their expectations.
owner: benchmarks
entity: id
target: label
positive: 1
features:
{features}
source:
  uri: ${{FLIGHTWORTHY_LANDING:-.flightworthy/landing}}/wide/{{partition}}.csv
  partition: "%Y-%m-%d"
schedule: {{cron: "0 0 * * 1", start_at: 2025-01-06}}
gates:
  - {{metric: roc_auc, at_least: 0.9999}}   # nobody passes: what comes after the expectations is not measured
"""
_SUITE = """\
expectations:
  - type: expect_column_values_to_be_unique
    kwargs: {column: id}
"""


def main(rounds: int = ROUNDS) -> int:
    """Measure, publish; 0 whether the figures were reached or not."""
    found: dict[str, list[float]] = {}
    peer: list[float] = []
    for how, preload in (("each task imports for itself", False), ("forked from what has imported", True)):
        with _stack(preload) as (api, landing):
            found[how], files = [], _partitions(landing, rounds + 1)
            next(files)()
            _wait_for_task(api, known=set())  # the first of all makes folders and bytecode
            for land in files:
                known = {run["dag_run_id"] for run in api.runs(DEPLOY)}
                land()
                found[how].append(seconds := _wait_for_task(api, known))
                peer.append(_peer())  # in turn, so that both see the same machine
                print(f"  {how}: {seconds:.2f} s, Great Expectations alone: {peer[-1]:.2f} s", flush=True)
    whole, preloaded = (typical(found[how]) for how in found)
    Result(
        name="expectations_task",
        machine=machine(),
        rows=(
            row("the task in Airflow, as its defaults run it", whole, "s", at_most=10),
            row("the task in Airflow, forked from what has imported", preloaded, "s", at_most=10),
            row("Great Expectations alone, one process", typical(peer), "s"),
            row("the task against it", whole / typical(peer), "times"),
            row("forked, the task against it", preloaded / typical(peer), "times"),
        ),
        notes=(
            f"{EXPECTATIONS} expectations on {ROWS:,} rows of {2 + len(FEATURES)} columns; medians of {rounds} each.",
            "The task compares each partition with those before it besides, which the peer does not.",
            "Airflow on SQLite with LocalExecutor, every process real.",
        ),
    ).publish()
    return 0


@contextmanager
def _stack(preload: bool) -> Iterator[tuple[Any, Path]]:
    """A stack of its own with this model alone; neither the deployer nor a router is needed."""
    from demo.stack import Stack

    stack = Stack(HOME / "stack", parts=("mlflow", "airflow"), preload=preload)
    stack.wipe()
    os.environ["FLIGHTWORTHY_MODELS"] = str(_models(HOME / "models-wide"))
    with stack:
        api = stack.airflow()
        api.wait_for_dags(DEPLOY)
        yield api, stack.landing / MODEL


def _models(folder: Path) -> Path:
    """The model, with as many expectations as said. The lock above it is the project's."""
    model = folder / MODEL
    model.mkdir(parents=True, exist_ok=True)
    features = "\n".join(f"  {name}: {{type: number, minimum: -9, maximum: 9}}" for name in FEATURES)
    (model / "model.yaml").write_text(_SPEC.format(features=features), encoding="utf-8")
    (model / "suite.yaml").write_text(_SUITE, encoding="utf-8")
    trained = (ROOT / "include" / "models" / "diagnosis" / "train.py").read_text(encoding="utf-8")
    (model / "train.py").write_text(trained.replace('"malignant"', '"label"'), encoding="utf-8")
    if len(found := _expectations(model)) != EXPECTATIONS:
        raise RuntimeError(f"the model has {len(found)} expectations, not {EXPECTATIONS}")
    return folder


def _expectations(model: Path) -> list[tuple[str, dict[str, Any]]]:
    from flightworthy.adapters.spec_files import load, read
    from flightworthy.expectations import standing_expectations, suite_from

    spec, suite = load(model, os.environ), suite_from(read(model / "suite.yaml", os.environ), folder=model)
    return [(each.type, dict(each.kwargs)) for each in (*standing_expectations(spec, suite), *suite.expectations)]


def _partitions(landing: Path, count: int) -> Iterator[Any]:
    """That many weekly partitions, each landed when its turn is called."""
    for number in range(count):
        key = (date(2025, 2, 3) + timedelta(weeks=number)).isoformat()
        yield lambda key=key, number=number: _write(landing / f"{key}.csv", number)


def _write(file: Path, seed: int) -> None:
    """Rows that meet every expectation; written beside and renamed."""
    import numpy as np
    import pandas as pd

    random = np.random.default_rng(seed)
    columns: dict[str, Any] = {"id": np.arange(ROWS) + seed * ROWS}
    columns |= {name: random.normal(size=ROWS).clip(-9, 9) for name in FEATURES}
    noise = random.normal(size=ROWS)
    columns["label"] = (columns["n0"] + noise > 0).astype(int)
    file.parent.mkdir(parents=True, exist_ok=True)
    part = file.with_name(f".{file.name}.part")
    pd.DataFrame(columns).to_csv(part, index=False)
    part.replace(file)


def _wait_for_task(api: Any, known: set[str]) -> float:
    """The seconds of the task in the run that new data woke, start to end of its process; the run is over then."""
    run_id = api.wait(
        lambda: next((each["dag_run_id"] for each in _woken(api) if each["dag_run_id"] not in known), None),
        within=120,
        what=lambda: f"an event to start {DEPLOY}",
    )
    api.wait_for_run(DEPLOY, run_id, within=300)
    task = next(each for each in api.tasks(DEPLOY, run_id) if each["task_id"] == TASK)
    if task["state"] != "success":
        raise RuntimeError(f"{TASK} ended {task['state']}:\n{api.log(DEPLOY, run_id, TASK)}")
    began_at, ended_at = (datetime.fromisoformat(task[name]) for name in ("start_date", "end_date"))
    return (ended_at - began_at).total_seconds()


def _woken(api: Any) -> Sequence[Any]:
    found: Sequence[Any] = api.runs(DEPLOY, run_type="asset_triggered")
    return found


def _peer() -> float:
    with tempfile.TemporaryDirectory(prefix="flightworthy-peer-") as scratch:
        file, said = Path(scratch) / "rows.csv", Path(scratch) / "expectations.json"
        _write(file, 0)
        said.write_text(json.dumps(_expectations(HOME / "models-wide" / MODEL)), encoding="utf-8")
        began_at = time.perf_counter()
        command = [sys.executable, "-m", "benchmarks.expectations_task", "--once", str(file), str(said)]
        subprocess.run(command, cwd=scratch, env={**os.environ, "PYTHONPATH": _path()}, check=True, timeout=600)
        return time.perf_counter() - began_at


def _path() -> str:
    return os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])


def once(file: Path, expectations: Path) -> None:
    """What one would write with Great Expectations alone. Raises RuntimeError where the suite did not pass."""
    import great_expectations as gx
    import pandas as pd
    from great_expectations.checkpoint.actions import UpdateDataDocsAction
    from great_expectations.expectations.expectation_configuration import ExpectationConfiguration

    context: Any = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = {"globally": False}
    batch = (
        context.data_sources.add_pandas("rows").add_dataframe_asset("rows").add_batch_definition_whole_dataframe("all")
    )
    said = json.loads(expectations.read_text(encoding="utf-8"))
    suite = context.suites.add(
        gx.ExpectationSuite(
            name="wide",
            expectations=[ExpectationConfiguration(type=kind, kwargs=kwargs).to_domain_obj() for kind, kwargs in said],
        )
    )
    definition = context.validation_definitions.add(gx.ValidationDefinition(name="wide", data=batch, suite=suite))
    action = UpdateDataDocsAction(name="docs")
    checkpoint = context.checkpoints.add(
        gx.Checkpoint(name="wide", validation_definitions=[definition], actions=[action])
    )
    if not checkpoint.run(batch_parameters={"dataframe": pd.read_csv(file)}).success:
        raise RuntimeError("the peer's suite did not pass")


if __name__ == "__main__":
    if sys.argv[1:2] == ["--once"]:
        once(Path(sys.argv[2]), Path(sys.argv[3]))
    else:
        sys.exit(main(*map(int, sys.argv[1:2])))
