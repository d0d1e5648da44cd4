"""The peer of line_overhead: the whole line in one Python process, which knows the verbs and adapters but no scheduler.

Reads a partition key per line, and answers each with a line of JSON: the release, and the seconds that each verb took.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

import flightworthy_airflow.preload  # noqa: F401  every import that a task may need, before the clock runs
from flightworthy.dataset import ingest
from flightworthy.errors import Refused
from flightworthy.expectations import check_expectations
from flightworthy.registry import register
from flightworthy.release import outcome, propose
from flightworthy.training import TrainingOrder, choose, train
from flightworthy_airflow.hooks.flightworthy import FlightworthyHook
from flightworthy_airflow.hooks.mlflow import MlflowHook
from flightworthy_airflow.hooks.opponents import champion_now
from flightworthy_airflow.hooks.releases import build_context, release_of
from flightworthy_airflow.hooks.sources import source_of
from flightworthy_airflow.hooks.workshop import frames_of, lineage_of, reviewed, workshop_of
from flightworthy_airflow.references import DatasetReference
from flightworthy_airflow.runs import Intent, Run

if TYPE_CHECKING:
    from flightworthy.review import Review
    from flightworthy.spec import Spec
    from flightworthy.training import TrainingRun

_LONGEST_WAIT = 180.0


@dataclass(slots=True)
class Line:
    """One deployment of a model, verb by verb."""

    spec: Spec
    hook: FlightworthyHook
    mlflow: MlflowHook
    run: Run
    seconds: dict[str, float] = field(default_factory=dict)

    def deploy(self, key: str) -> str:
        """From the partition to the end of its release's course; the release's id."""
        with self._timed("ingest"):
            taken = ingest(
                source_of(self.spec),
                self.hook.datasets(),
                model=self.spec.model,
                key=key,
                window=self.spec.dataset.window,
                now=self.hook.now(),
            )
        with self._timed("check_expectations"):
            dataset = self._checked(taken.version.digest, key)
        with self._timed("train"):
            trained = self._trained(dataset)
        with self._timed("evaluate"):
            review = self._reviewed(dataset, trained)
        with self._timed("register"):
            number = register(self.mlflow.registry(), trained, review.decision, intent="manual").version.version
        with self._timed("containerize"):
            build_context(self.hook, self.mlflow, self.spec, number)
        with self._timed("promote"):
            return self._promoted(number)

    def _checked(self, digest: str, key: str) -> DatasetReference:
        store = self.hook.datasets()
        checked = check_expectations(
            store,
            self.hook.instruments(),
            version=store.version(self.spec.model, digest),
            spec=self.spec,
            suite=self.hook.suite(self.spec.model),
            now=self.hook.now(),
        )
        if checked.quarantined:
            raise Refused(f"{key} was refused: {checked.quarantined[0].objections}")
        partition = checked.version.partition
        return DatasetReference(
            model=self.spec.model,
            partition=key,
            partition_digest=partition.digest if partition else "",
            dataset_digest=checked.version.digest,
            rows=checked.version.rows,
            intent=self.run.intent,
        )

    def _trained(self, dataset: DatasetReference) -> TrainingRun:
        workshop = workshop_of(self.hook, self.mlflow)
        lineage = lineage_of(self.hook, self.spec, dataset, self.run, code_digest=workshop.code.digest(self.spec.model))
        frames = frames_of(self.hook, self.spec, dataset)
        orders = [
            TrainingOrder(spec=self.spec, params=dict(trial), lineage=lineage) for trial in self.spec.training.trials
        ]
        return choose([train(order, frames, workshop) for order in orders], self.spec.training.select)

    def _reviewed(self, dataset: DatasetReference, trained: TrainingRun) -> Review:
        opponent = partial(champion_now, self.hook, self.mlflow, self.spec.model)
        review = reviewed(self.hook, self.mlflow, self.spec, dataset, trained, opponent).review
        if not review.decision.approved:
            raise Refused(f"the gates refused: {[str(each) for each in review.decision.objections]}")
        return review

    def _promoted(self, number: int) -> str:
        store = self.hook.releases()
        release = release_of(self.hook, self.mlflow, self.spec, number)
        propose(store, release, actor=self.run.actor, reason="benchmark", now=self.hook.now())
        deadline = time.monotonic() + _LONGEST_WAIT
        while (ended := outcome(store, release.id)) is None and time.monotonic() < deadline:
            time.sleep(0.02)
        if ended is None or ended.kind != "promoted":
            raise Refused(f"{release.id} was not promoted: {ended}")
        return release.id

    @contextmanager
    def _timed(self, verb: str) -> Iterator[None]:
        began_at = time.monotonic()
        try:
            yield
        finally:
            self.seconds[verb] = time.monotonic() - began_at


def main(model: str) -> None:
    """Deploy every partition that is asked for, until there are no more."""
    print(json.dumps({"ready": True}), flush=True)
    for key in (line.strip() for line in sys.stdin):
        began_at = time.monotonic()
        hook = FlightworthyHook()
        run = Run(
            run_id=f"one-process-{key}",
            dag_id="one-process",
            intent=Intent.MANUAL,
            named=(),
            partition=key,
            interval_start=None,
            interval_end=None,
            actor="one-process",
            user=None,
            parameters={},
        )
        line = Line(spec=hook.spec(model), hook=hook, mlflow=MlflowHook(), run=run)
        release = line.deploy(key)
        answer = {"release": release, "total": time.monotonic() - began_at, "verbs": line.seconds}
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main(sys.argv[1])
