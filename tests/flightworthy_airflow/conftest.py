"""One small model and its line: real files under tmp_path, stand-ins for MLflow and for the database."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from airflow.sdk.exceptions import AirflowSkipException, TaskDeferred

from flightworthy.adapters.dataset_files import DatasetFiles
from flightworthy.baseline import Worth
from flightworthy.evaluation import Estimate
from flightworthy.gates import Decision
from flightworthy.release import Cause, Release, draft, outcome, promoted, withdrawn
from flightworthy.testing import MemoryArrivals, MemoryRegistry, MemoryReleases, MemoryRuns
from flightworthy_airflow.hooks.flightworthy import FlightworthyHook
from flightworthy_airflow.hooks.mlflow import MlflowHook
from flightworthy_airflow.operators.approve import ApproveOperator
from flightworthy_airflow.operators.check_expectations import CheckExpectationsOperator
from flightworthy_airflow.operators.containerize import ContainerizeOperator
from flightworthy_airflow.operators.evaluate import EvaluateOperator
from flightworthy_airflow.operators.ingest import IngestOperator
from flightworthy_airflow.operators.promote import PromoteOperator
from flightworthy_airflow.operators.register import RegisterOperator
from flightworthy_airflow.operators.train import TrainOperator
from flightworthy_airflow.references import EvaluationReference, pack
from tests.training_material import TRAIN, make_frame

if TYPE_CHECKING:
    from tests.flightworthy_airflow.yards import Yard

ROOT = Path(__file__).parents[2]
MODEL = "shop"
MONDAY, NEXT_MONDAY = "2026-01-05", "2026-01-12"
COLUMNS = ["customer", "age", "income", "bought"]
SPEC: dict[str, Any] = {
    "model": MODEL,
    "owner": "tests",
    "entity": "customer",
    "target": "bought",
    "features": {"age": {"type": "integer"}, "income": {"type": "number", "nullable": True}},
    "source": {"uri": "${FLIGHTWORTHY_LANDING}/shop/{partition}.csv", "partition": "%Y-%m-%d"},
    "schedule": {"cron": "0 0 * * 1", "start_at": "2026-01-05"},
    "training": {"search": {"C": [1.0]}},
    "evaluation": {"bootstrap": 20},
    "gates": [{"metric": "roc_auc", "at_least": 0.6}],
    "release": {"target": "process"},
    "drift": {"min_requests": 40, "cool_down": "1h"},
}
SUITE: dict[str, Any] = {
    "rows": {"minimum": 20, "maximum": 1000},
    "expectations": [{"type": "expect_column_values_to_be_unique", "kwargs": {"column": "customer"}}],
}
WORTH = Worth(
    metrics={"roc_auc": Estimate(value=0.8, low=0.7, high=0.9)},
    baseline="age alone",
    baseline_metrics={"roc_auc": Estimate(value=0.7, low=0.6, high=0.8)},
)


@dataclass(slots=True, kw_only=True)
class Line:
    """The operators of the line one by one, each as its task would run it, and what they leave behind."""

    home: Path
    models: Path
    runs: MemoryRuns
    registry: MemoryRegistry = field(default_factory=MemoryRegistry)
    releases: MemoryReleases = field(default_factory=MemoryReleases)
    arrivals: MemoryArrivals = field(default_factory=MemoryArrivals)

    def land(self, key: str = MONDAY, *, rows: int = 240, seed: int = 5, **columns: Any) -> None:
        frame = make_frame(rows, seed=seed)[COLUMNS].assign(**columns)
        folder = self.home / "landing" / MODEL
        folder.mkdir(parents=True, exist_ok=True)
        frame.to_csv(folder / f"{key}.csv", index=False)

    def say(self, **changes: Any) -> None:
        """Change model.yaml."""
        (self.models / MODEL / "model.yaml").write_text(yaml.safe_dump({**SPEC, **changes}, sort_keys=False))

    @property
    def store(self) -> DatasetFiles:
        return DatasetFiles(root=self.home / "datasets")

    # -- the tasks -----------------------------------------------------------------------------------------------------

    def ingest(self, context: Any) -> Any:
        return IngestOperator(task_id="ingest", model=MODEL).execute(context)

    def check(self, context: Any, dataset: Any) -> Any:
        operator = CheckExpectationsOperator(task_id="check_expectations", model=MODEL, dataset=dataset)
        return operator.execute(context)

    def train(self, context: Any, dataset: Any, **trial: Any) -> Any:
        operator = TrainOperator(task_id="train", model=MODEL, dataset=dataset, trial=trial or {"C": 1.0})
        return operator.execute(context)

    def evaluate(self, context: Any, dataset: Any, runs: Any) -> Any:
        return EvaluateOperator(task_id="evaluate", model=MODEL, dataset=dataset, runs=runs).execute(context)

    def register(self, context: Any, evaluation: Any) -> Any:
        return RegisterOperator(task_id="register", model=MODEL, evaluation=evaluation).execute(context)

    def containerize(self, context: Any, version: Any) -> Any:
        return ContainerizeOperator(task_id="containerize", model=MODEL, version=version).execute(context)

    def approve(self, context: Any, version: Any) -> Any:
        return ApproveOperator(task_id="approve", model=MODEL, version=version).execute(context)

    def promote(self, context: Any, version: Any) -> Any:
        return PromoteOperator(task_id="promote", model=MODEL, version=version).execute(context)

    # -- further on ----------------------------------------------------------------------------------------------------

    def evaluated(self, context: Any, **trial: Any) -> Any:
        dataset = self.ingest(context)
        return self.evaluate(context, dataset, [self.train(context, dataset, **trial)])

    def registered(self, context: Any) -> Any:
        """A version of the run's partition, with the gates' word for it and without the seconds that a report takes."""
        dataset = self.ingest(context)
        approved = Decision(objections=(), notes=())
        evaluation = EvaluationReference(
            model=MODEL,
            run=self.train(context, dataset),
            decision=approved.pack(),
            metrics={},
            champion_metrics=None,
            worth=WORTH.pack(),
            report="",
            backtest=None,
            intent=dataset["intent"],
        )
        return self.register(context, pack(evaluation))

    def packaged(self, context: Any) -> Any:
        """A registered version whose build context is laid out."""
        version = self.registered(context)
        with pytest.raises(AirflowSkipException, match="the context was laid out"):
            self.containerize(context, version)
        return version

    def released(self, context: Any) -> Release:
        """A version that went all the way to champion."""
        with pytest.raises(TaskDeferred):
            self.promote(context, self.packaged(context))
        return self.decide("promoted")

    # -- the deployer's part -------------------------------------------------------------------------------------------

    def decide(self, action: Any, *, reason: str = "as it should") -> Release:
        """End the course of the challenger as the deployer would; the release it was about."""
        before = self.releases.deployment(MODEL)
        assert before.challenger
        at = datetime.now(UTC)
        after = promoted(before, at) if action == "promoted" else withdrawn(before, at)
        self.releases.swap(before, after, draft(before, after, action, Cause(actor="deployer", reason=reason, at=at)))
        assert outcome(self.releases, before.challenger)
        return self.releases.release(before.challenger)


@dataclass(frozen=True, slots=True)
class Presence:
    """Answers for the registry, as MLflow's server does for its own."""

    registry: MemoryRegistry

    def has(self, model: str, version: int) -> bool:
        return self.registry.version(model, version) is not None


@pytest.fixture
def line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Line:
    """The hooks hand out stand-ins for MLflow and the database; files, expectations and training are the real ones."""
    home, models = tmp_path / "home", tmp_path / "models"
    built = Line(home=home, models=models, runs=MemoryRuns(folder=tmp_path / "artifacts"))
    (models / MODEL).mkdir(parents=True)
    (models / MODEL / "suite.yaml").write_text(yaml.safe_dump(SUITE))
    (models / MODEL / "train.py").write_text(TRAIN)
    (tmp_path / "requirements.lock").write_text((ROOT / "requirements.lock").read_text())
    built.say()
    extra = {"home": str(home), "models": str(models)}
    for name in ("FLIGHTWORTHY_SIGNING_KEY", "FLIGHTWORTHY_VERIFYING_KEY"):
        monkeypatch.delenv(name, raising=False)  # those of a stack that other tests have left
    monkeypatch.setenv("FLIGHTWORTHY_LANDING", str(home / "landing"))
    monkeypatch.setenv("AIRFLOW_CONN_FLIGHTWORTHY_DEFAULT", json.dumps({"conn_type": "generic", "extra": extra}))
    monkeypatch.setenv("AIRFLOW_CONN_MLFLOW_DEFAULT", "http://mlflow.example:5000")
    monkeypatch.setattr(FlightworthyHook, "releases", lambda _: built.releases)
    monkeypatch.setattr(FlightworthyHook, "arrivals", lambda _: built.arrivals)
    monkeypatch.setattr(MlflowHook, "runs", lambda _: built.runs)
    monkeypatch.setattr(MlflowHook, "registry", lambda _: built.registry)
    monkeypatch.setattr(MlflowHook, "presence", lambda _: Presence(built.registry))
    return built


@pytest.fixture
def yard(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Yard:
    """Airflow's word on its runs is the one thing that is not real here; tests/stack has the real one."""
    from flightworthy_airflow.hooks import airflow_runs
    from tests.flightworthy_airflow.yards import Yard

    built, now = Yard(root=tmp_path), FlightworthyHook.now
    monkeypatch.setattr(FlightworthyHook, "now", staticmethod(lambda: now() + built.later))
    monkeypatch.setattr(airflow_runs, "is_busy", lambda dag_id: dag_id in built.busy)
    monkeypatch.setattr(FlightworthyHook, "arrivals", lambda _: built.store)
    extra = {"home": str(tmp_path), "models": str(tmp_path / "models")}
    monkeypatch.setenv("AIRFLOW_CONN_FLIGHTWORTHY_DEFAULT", json.dumps({"conn_type": "generic", "extra": extra}))
    return built


def run_of(run_type: str, *, run_id: str = "run-1", at: str = MONDAY, user: str | None = None, **more: Any) -> Any:
    """The context of a task in a run of that type, with Airflow's names; ``more`` adds to it."""
    started_at = datetime.fromisoformat(at).replace(tzinfo=UTC)
    dag_run = SimpleNamespace(
        run_id=run_id,
        dag_id=f"{MODEL}.deploy",
        run_type=run_type,
        data_interval_start=started_at,
        data_interval_end=started_at + timedelta(days=7),
        run_after=more.pop("run_after", started_at),
        triggering_user_name=user,
    )
    return {"dag_run": dag_run, "triggering_asset_events": {}, "params": {}, **more}


def by_hand(**params: Any) -> Any:
    """A manual run, with what was filled into its form."""
    return run_of("manual", user="ada", params=params)


def woken_by(*partitions: str, run_id: str = "run-1") -> Any:
    """A run that arrivals started."""
    events = [SimpleNamespace(extra={"payload": {"model": MODEL, "partition": key}}) for key in partitions]
    return run_of("asset_triggered", run_id=run_id, triggering_asset_events={"shop.new_partition": events})
