"""Seconds to parse ``dags/``, and what each further model adds: every DAG file in a process of its own.

So does Airflow's DAG processor: it forks a process per file, which fills a DagBag from it (*parse*) and serializes the
DAGs it found. ``python -m benchmarks.parse`` measures; with ``--once FILE`` it is such a process.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from benchmarks.result import ROOT, Result, machine, row, typical

FEW, MANY = 3, 200
ROUNDS, KEPT = 7, 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Parsed:
    """Seconds over all DAG files, imports of Airflow itself not counted, and the load when they began."""

    parse: float
    serialize: float
    load: float


def main() -> int:
    """Measure, publish; 0 whether the figure was reached or not."""
    with tempfile.TemporaryDirectory(prefix="flightworthy-parse-") as scratch:
        folders = {count: _models(Path(scratch) / f"models-{count}", count) for count in (FEW, MANY)}
        found: dict[int, list[Parsed]] = {FEW: [], MANY: []}
        for number in range(1, ROUNDS + 1):
            for count, folder in folders.items():
                found[count].append(parsed := _parse_all(folder, Path(scratch) / "airflow", expected=count))
                print(
                    f"  round {number}, {count} models: parse {parsed.parse:.2f} s, serialize {parsed.serialize:.2f} s"
                )
    kept = {count: sorted(rounds, key=lambda each: each.load)[:KEPT] for count, rounds in found.items()}
    few, many = (typical(each.parse for each in kept[count]) for count in (FEW, MANY))
    more = 1000 * (many - few) / (MANY - FEW)
    serialized = (typical(each.serialize for each in kept[count]) for count in (MANY, FEW))
    load = max(each.load for rounds in kept.values() for each in rounds)
    quietest = (
        f"The medians of the {KEPT} of {ROUNDS} interleaved rounds that began at the lowest load average (at most "
        f"{load:.1f} on {os.cpu_count()} cores)."
    )
    Result(
        name="parse",
        machine=machine(),
        rows=(
            row(f"parse dags/ with {FEW} models", few, "s"),
            row(f"parse dags/ with {MANY} models", many, "s"),
            row("each model more", more, "ms", at_most=15),
            row("Airflow's own serialization, each model more", _difference(*serialized), "ms"),
        ),
        notes=(
            "Summed over all the DAG files, each in a new process; a model is a copy of diagnosis (30 features).",
            "The import of Airflow itself, seconds in a new process, is not counted: its DAG processor forks.",
            quietest,
        ),
    ).publish()
    return 0


def parse_once(dag_file: Path) -> None:
    """Fill a DagBag from the file and serialize what is in it, as Airflow's DAG processor does; print the seconds."""
    import logging

    from airflow.dag_processing.dagbag import BundleDagBag
    from airflow.serialization.serialized_objects import DagSerialization

    logging.disable(logging.INFO)
    began_at = time.perf_counter()
    bag = BundleDagBag(dag_folder=str(dag_file), bundle_path=dag_file.parent, bundle_name="dags", load_op_links=False)
    parsed_at = time.perf_counter()
    for dag in bag.dags.values():
        DagSerialization.to_dict(dag)
    ended_at = time.perf_counter()
    found = {"dags": len(bag.dags), "errors": bag.import_errors}
    print(json.dumps({**found, "parse": parsed_at - began_at, "serialize": ended_at - parsed_at}))


def _parse_all(models: Path, home: Path, *, expected: int) -> Parsed:
    load = os.getloadavg()[0]
    files = sorted((ROOT / "dags").glob("*.py"))
    seconds = [_parse(file, models, home, expected) for file in files]
    return Parsed(parse=sum(each[0] for each in seconds), serialize=sum(each[1] for each in seconds), load=load)


def _parse(file: Path, models: Path, home: Path, expected: int) -> tuple[float, float]:
    environ = {
        **os.environ,
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__DAGS_FOLDER": str(ROOT / "dags"),
        "AIRFLOW__CORE__PLUGINS_FOLDER": str(ROOT / "plugins"),
        "FLIGHTWORTHY_MODELS": str(models),
    }
    command = [sys.executable, "-m", "benchmarks.parse", "--once", str(file)]
    done = subprocess.run(command, cwd=ROOT, env=environ, capture_output=True, text=True, timeout=300, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"{file.name} was not parsed:\n{done.stderr}")
    found = json.loads(done.stdout.splitlines()[-1])
    if found["errors"] or found["dags"] not in (expected, 0):  # none from the file that only reports refused models
        raise RuntimeError(f"{file.name} gave {found['dags']} DAGs, not {expected}: {found['errors']}")
    return found["parse"], found["serialize"]


def _models(folder: Path, count: int) -> Path:
    """That many copies of diagnosis, each under a name of its own."""
    original = ROOT / "include" / "models" / "diagnosis"
    texts = {name: (original / name).read_text(encoding="utf-8") for name in ("model.yaml", "suite.yaml", "train.py")}
    for number in range(count):
        copy = folder / f"model_{number:03}"
        copy.mkdir(parents=True)
        for name, text in texts.items():
            (copy / name).write_text(text.replace("model: diagnosis", f"model: {copy.name}"), encoding="utf-8")
    return folder


def _difference(many: float, few: float) -> float:
    return 1000 * (many - few) / (MANY - FEW)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--once"]:
        parse_once(Path(sys.argv[2]))
    else:
        sys.exit(main())
