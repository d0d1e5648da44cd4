"""A deployment of ``diagnosis`` in real Airflow against the same verbs called in one Python process."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, fields
from datetime import date, timedelta
from pathlib import Path
from typing import Any, Self

import pandas as pd

from benchmarks.line_timeline import LINE, Spent, course_of, spent_in
from benchmarks.result import ROOT, Result, Row, machine, row, typical
from demo.airflow_api import AirflowApi
from demo.stack import Stack
from demo.traffic import Traffic
from demo.world import ENTITY, World, records
from flightworthy.adapters.sql_releases import SqlReleases

MODEL = "diagnosis"
DEPLOY = f"{MODEL}.deploy"
HOME = ROOT / ".flightworthy" / "benchmarks"
ROUNDS, KEPT = 5, 3
_WARM_UP = (100, 69)
_ROWS = 40


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployment:
    """One deployment: its seconds, those of the release's own course among them, and the load when it began."""

    total: float
    course: float
    load: float
    spent: Mapping[str, float]
    """Where the rest went: by phase in Airflow, by verb in one process."""

    @property
    def own(self) -> float:
        """Without the release's course, which is the deployer's."""
        return self.total - self.course


Pair = tuple[Deployment, Deployment]
"""One round: in Airflow, and in one process."""


@dataclass(slots=True)
class Partitions:
    """The records in a fixed shuffled order, dealt out in weekly partitions, each to one of two landing folders."""

    left: pd.DataFrame = field(default_factory=lambda: records().sample(frac=1, random_state=7))
    monday: date = date(2025, 2, 3)

    def deal(self, landing: Path, rows: int) -> str:
        """Land the next partition; its key. Keys rise over both folders, and no record comes twice."""
        key, self.monday = self.monday.isoformat(), self.monday + timedelta(weeks=1)
        dealt, self.left = self.left[:rows], self.left[rows:]
        target = landing / MODEL / f"{key}.csv"
        target.parent.mkdir(parents=True, exist_ok=True)
        part = target.with_name(f".{target.name}.part")
        dealt.to_csv(part, index=False)
        part.replace(target)
        return key


class OneProcess:
    """The peer, started once; its landing folder is its own, so that Airflow does not deploy what is for the peer."""

    def __init__(self, stack: Stack, landing: Path, *, model: str = MODEL, verb: str = "deploy", **more: str) -> None:
        self.landing = landing
        environ = {**stack.environment, "FLIGHTWORTHY_LANDING": str(landing), **more}
        self._log = (stack.places.logs / "one-process.log").open("ab")
        self._child = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.one_process", model, verb],
            cwd=ROOT, env=environ, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._log,
        )  # fmt: skip
        self._answer()

    def deploy(self, key: str) -> dict[str, Any]:
        """What ``benchmarks.one_process`` answers."""
        if self._child.stdin is None:
            raise RuntimeError("the peer was closed")
        self._child.stdin.write(f"{key}\n")
        self._child.stdin.flush()
        return self._answer()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._child.stdin is not None:
            self._child.stdin.close()
        try:
            self._child.wait(timeout=30)
        except subprocess.TimeoutExpired:
            self._child.kill()  # it has answered everything; what a library still does at its end is not measured
            self._child.wait()
        self._log.close()

    def _answer(self) -> dict[str, Any]:
        for line in self._child.stdout or ():
            if line.startswith("{"):
                answer: dict[str, Any] = json.loads(line)
                return answer
        raise RuntimeError(f"the peer ended with {self._child.wait()}; see {self._log.name}")


@dataclass(slots=True)
class Bench:
    """Both sides, one stack."""

    stack: Stack
    api: AirflowApi
    store: SqlReleases
    peer: OneProcess
    partitions: Partitions = field(default_factory=Partitions)

    def in_one_process(self, rows: int = _ROWS) -> Deployment:
        """Land a partition for the peer and have it deployed."""
        load = os.getloadavg()[0]
        answer = self.peer.deploy(self.partitions.deal(self.peer.landing, rows))
        began_at, ended_at = course_of(self.store, MODEL, answer["made"])
        course = (ended_at - began_at).total_seconds()
        verbs = {**answer["verbs"], "promote": answer["verbs"]["promote"] - course}
        return Deployment(total=answer["total"], course=course, load=load, spent=verbs)

    def in_airflow(self, rows: int = _ROWS) -> Deployment:
        """Land a partition for Airflow, whose trigger notices it; counted from the moment that the run is created."""
        load, known = os.getloadavg()[0], self._woken()
        self.partitions.deal(self.stack.landing, rows)
        run_id = self.api.wait(
            lambda: next(iter(self._woken() - known), None), within=60, what=lambda: f"an event to start {DEPLOY}"
        )
        run = self.api.wait_for_run(DEPLOY, run_id)
        if run["state"] != "success":
            raise RuntimeError(f"{run_id} ended {run['state']}: {self.api.states(DEPLOY, run_id)}")
        course = course_of(self.store, MODEL, self.api.xcom(DEPLOY, run_id, "promote"))
        spent = spent_in(self.api, DEPLOY, run, course)
        seconds = (course[1] - course[0]).total_seconds()
        return Deployment(total=spent.total + seconds, course=seconds, load=load, spent=asdict(spent))

    def _woken(self) -> set[str]:
        """The runs that an event started; the schedule's own find no partition and skip."""
        return {run["dag_run_id"] for run in self.api.runs(DEPLOY, run_type="asset_triggered")}


def main() -> int:
    """Measure, publish; 0 whether the figure was reached or not."""
    with _bench() as bench:
        bench.in_one_process(_WARM_UP[0])
        traffic = Traffic(
            bench.stack.settings.router_url,
            model=MODEL,
            rows=World(landing=bench.stack.landing).requests(),
            entity=ENTITY,
        )
        traffic.start()
        bench.in_airflow(_WARM_UP[1])
        rounds = [_round(bench, number) for number in range(1, ROUNDS + 1)]
        traffic.stop()
    kept = sorted(rounds, key=lambda pair: max(side.load for side in pair))[:KEPT]
    Result(name="line_overhead", machine=machine(), rows=_rows(kept), notes=_notes(kept, rounds)).publish()
    return 0


def _round(bench: Bench, number: int) -> Pair:
    """Airflow's deployment and the peer's; who goes first alternates, since the dataset grows."""
    if number % 2:
        airflow, peer = bench.in_airflow(), bench.in_one_process()
    else:
        peer, airflow = bench.in_one_process(), bench.in_airflow()
    for name, side in (("Airflow", airflow), ("one process", peer)):
        print(
            f"  round {number}, {name}: {side.total:.1f} s, without the release's course {side.own:.1f} s", flush=True
        )
        print("   ", ", ".join(f"{phase} {seconds:.2f}" for phase, seconds in side.spent.items()), flush=True)
    return airflow, peer


def _rows(kept: Sequence[Pair]) -> tuple[Row, ...]:
    airflow, peer = ([pair[side] for pair in kept] for side in (0, 1))
    whole, whole_peer = typical(each.total for each in airflow), typical(each.total for each in peer)
    own, own_peer = typical(each.own for each in airflow), typical(each.own for each in peer)
    return (
        row("a deployment in Airflow", whole, "s"),
        row("the same in one process", whole_peer, "s"),
        row("ratio", whole / whole_peer, "times", at_most=2.0),
        row("in Airflow, without the release's course", own, "s"),
        row("in one process, without it", own_peer, "s"),
        row("ratio without it", own / own_peer, "times", at_most=2.0),
        *(
            row(f"in Airflow: {phase.name}", typical(each.spent[phase.name] for each in airflow), "s")
            for phase in fields(Spent)
        ),
        *(row(f"in one process: {verb}", typical(each.spent[verb] for each in peer), "s") for verb in LINE),
    )


def _notes(kept: Sequence[Pair], rounds: Sequence[Pair]) -> tuple[str, ...]:
    load = max(side.load for pair in kept for side in pair)
    as_process = (
        "The release runs as a process (release.target: process), so that no image build, the same on both sides, "
        "hides the difference; and its gates let a challenger pass that is no better than the champion."
    )
    quietest = (
        f"The medians of the {KEPT} of {ROUNDS} interleaved rounds that began at the lowest load average (at most "
        f"{load:.1f} on {os.cpu_count()} cores; the stack itself and fifty requests a second are part of it)."
    )
    ratios = sorted(airflow.own / peer.own for airflow, peer in rounds)
    spread = f"Over all the rounds the ratio without the release's course was {ratios[0]:.2f} to {ratios[-1]:.2f}."
    airflow = "Airflow on SQLite with LocalExecutor, every process real, with the settings of `make up`."
    return as_process, airflow, quietest, spread


@contextmanager
def _bench() -> Iterator[Bench]:
    """A stack of its own with diagnosis alone, and the peer beside it."""
    stack = Stack(HOME / "stack")
    stack.wipe()
    os.environ["FLIGHTWORTHY_MODELS"] = str(_model(HOME / "models"))
    with stack:
        api = stack.airflow()
        api.wait_for_dags(DEPLOY)
        with OneProcess(stack, HOME / "stack" / "landing-one-process") as peer:
            yield Bench(stack=stack, api=api, store=SqlReleases(stack.places.database), peer=peer)


def _model(folder: Path) -> Path:
    """Diagnosis, served by a process whether or not there is a Docker engine, and never refused for being no better.

    The comparison with the champion is made all the same; but forty records more make no model reliably better.
    """
    shutil.rmtree(folder, ignore_errors=True)
    copy = folder / MODEL
    shutil.copytree(ROOT / "include" / "models" / MODEL, copy, ignore=shutil.ignore_patterns("__pycache__", "test_*"))
    spec = copy / "model.yaml"
    text = spec.read_text(encoding="utf-8")
    for written, wanted in (("target: auto", "target: process"), ("not_worse_by: 0.05", "not_worse_by: 10")):
        if written not in text:
            raise RuntimeError(f"{MODEL}'s model.yaml no longer says {written!r}; tell this benchmark what it says now")
        text = text.replace(written, wanted)
    spec.write_text(text, encoding="utf-8")
    return folder


if __name__ == "__main__":
    sys.exit(main())
