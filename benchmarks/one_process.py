"""The peer of line_overhead and backfill: the line in one Python process, which knows the verbs but no scheduler.

Reads a partition key per line, and answers each with a line of JSON: the release, or the version of a backfill, and the
seconds that each verb took.
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
from flightworthy.backtest import measured
from flightworthy.dataset import ingest
from flightworthy.errors import Refused
from flightworthy.expectations import check_expectations
from flightworthy.known import Ask
from flightworthy.registry import register
from flightworthy.release import outcome, propose
from flightworthy.training import TrainingOrder, choose, train
from flightworthy_airflow.hooks.backfills import keep_point, work_key
from flightworthy_airflow.hooks.flightworthy import FlightworthyHook
from flightworthy_airflow.hooks.mlflow import MlflowHook
from flightworthy_airflow.hooks.opponents import champion_now, opponent_then
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
        dataset, trained = self._learnt(key)
        with self._timed("evaluate"):
            review = self._reviewed(dataset, trained)
        with self._timed("register"):
            number = register(
                self.mlflow.registry(), trained, review.decision, intent="manual", worth=review.worth
            ).version.version
        with self._timed("containerize"):
            build_context(self.hook, self.mlflow, self.spec, number)
        with self._timed("promote"):
            return self._promoted(number)

    def backfill(self, key: str) -> str:
        """What the tasks of a backfill do for one interval; the version's number."""
        dataset, trained = self._learnt(key)
        with self._timed("evaluate"):
            then = partial(opponent_then, self.hook, self.mlflow, self.spec.model, key, at=self.hook.now())
            found = reviewed(self.hook, self.mlflow, self.spec, dataset, trained, lambda scratch: then(scratch=scratch))
            point = measured(
                found.review,
                partition_key=key,
                work=work_key(self.hook, self.spec, dataset, self.run),
                dataset_digest=dataset.dataset_digest,
                report=self.hook.report_path(found.report),
            )
        with self._timed("register"):
            version = register(
                self.mlflow.registry(),
                trained,
                found.review.decision,
                intent="backfill",
                worth=found.review.worth,
                signer=self.hook.signer(),
            ).version.version
            keep_point(self.hook, self.spec.model, version, point.pack())
        return str(version)

    def _learnt(self, key: str) -> tuple[DatasetReference, TrainingRun]:
        with self._timed("ingest"):
            ask = Ask(
                model=self.spec.model, key=key, window=self.spec.dataset.window, as_of=None,
                known_since=self.spec.rows_known_since,
            )  # fmt: skip
            source = source_of(self.spec, self.hook.protection(self.spec), progress=lambda _: None)
            taken = ingest(source, self.hook.datasets(), ask, now=self.hook.now())
        with self._timed("check_expectations"):
            dataset = self._checked(taken.version.digest, key)
        with self._timed("train"):
            return dataset, self._trained(dataset)

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


def main(model: str, verb: str) -> None:
    """Deploy, or backfill, every partition that is asked for, until there are no more."""
    print(json.dumps({"ready": True}), flush=True)
    for key in (line.strip() for line in sys.stdin):
        began_at = time.monotonic()
        hook = FlightworthyHook()
        run = Run(
            run_id=f"one-process-{key}",
            dag_id="one-process",
            intent=Intent.BACKFILL if verb == "backfill" else Intent.MANUAL,
            named=(),
            partition=key,
            interval_start=None,
            interval_end=None,
            actor="one-process",
            user=None,
            parameters={},
        )
        line = Line(spec=hook.spec(model), hook=hook, mlflow=MlflowHook(), run=run)
        made = line.backfill(key) if verb == "backfill" else line.deploy(key)
        answer = {"made": made, "total": time.monotonic() - began_at, "verbs": line.seconds}
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
