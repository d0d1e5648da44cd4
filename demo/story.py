"""What the chapters of the tour share: the stack, what is seen of it, and how a chapter says that it went otherwise."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import requests

from demo import world as calendar
from demo.airflow_api import AirflowAnswer, AirflowApi, Json
from demo.processes import ComponentDied
from demo.stack import Stack
from demo.traffic import Traffic
from demo.world import World

__all__ = ["DEPLOY", "MODEL", "MONITOR", "Chapter", "NotAsExpected", "Story", "expect"]

MODEL = "diagnosis"
DEPLOY, MONITOR = f"{MODEL}.deploy", f"{MODEL}.monitor"


class NotAsExpected(Exception):
    """A chapter that went otherwise; says what was seen instead."""


@dataclass(slots=True)
class Story:
    """What the chapters share: the stack, the world that sends data, and the audience that sends requests."""

    stack: Stack
    api: AirflowApi = field(init=False)
    world: World = field(init=False)
    traffic: Traffic = field(init=False)
    rollback_seconds: float | None = None

    def __post_init__(self) -> None:
        self.api = self.stack.airflow()
        self.world = World(landing=self.stack.landing)
        self.traffic = Traffic(
            self.stack.settings.router_url, model=MODEL, rows=self.world.requests(), entity=calendar.ENTITY
        )

    def close(self) -> str:
        """Stop the requests and count them."""
        count = self.traffic.stop()
        expect(count.sent > 0, "no request was ever sent")
        expect(count.failed == 0, f"{count.failed} of {count.sent} requests failed: {count.failures[:3]}")
        return f"{count.sent} requests sent, 0 failed, answered by versions {', '.join(sorted(count.versions))}"

    # -- what is seen --------------------------------------------------------------------------------------------------

    def status(self) -> Json:
        """The model's row, as ``flightworthy status`` tells it."""
        found: Json = self.said("flightworthy", "status", MODEL, "--json")["models"][0]
        return found

    def said(self, *words: str) -> Any:
        """A command's JSON."""
        return json.loads(self.stack.command(*words).stdout)

    def quarantined(self) -> list[Json]:
        """What waits in quarantine, as ``flightworthy quarantine list`` tells it."""
        found: list[Json] = self.said("flightworthy", "quarantine", "list", MODEL, "--json")["partitions"]
        return found

    def versions(self) -> list[Json]:
        """The registered versions, as MLflow tells them."""
        settings = self.stack.settings
        answer = requests.get(
            f"{settings.mlflow_url}/api/2.0/mlflow/model-versions/search",
            params={"filter": f"name='{MODEL}'", "max_results": "200"},
            auth=("admin", self.stack.places.secret("mlflow_password")),
            timeout=30,
        )
        answer.raise_for_status()
        found: list[Json] = answer.json().get("model_versions", [])
        return found

    def finished(self, dag_id: str, run: Json, *, expected: str) -> Json:
        """Wait for the run's end and hold its state against what was expected, naming the tasks that went otherwise."""
        run_id = run["dag_run_id"]
        done = self.api.wait_for_run(dag_id, run_id)
        if done["state"] != expected:
            states = self.api.states(dag_id, run_id)
            failed = [task for task, state in states.items() if state == "failed"]
            logs = "\n".join(self.api.log(dag_id, run_id, task.split("[")[0])[-1500:] for task in failed[:1])
            raise NotAsExpected(f"{dag_id} ended {done['state']}: {states}\n{logs}")
        return done

    def known(self, dag_id: str) -> set[str]:
        """The ids of the runs there are."""
        return {run["dag_run_id"] for run in self.api.runs(dag_id)}

    def woken(self, dag_id: str, known: set[str]) -> Json:
        """The next run of the DAG that an event started."""

        def found() -> Json | None:
            fresh = [run for run in self.api.runs(dag_id) if run["dag_run_id"] not in known]
            return next((run for run in fresh if run["run_type"] == "asset_triggered"), None)

        return self.api.wait(found, within=60, what=lambda: f"an event to start {dag_id}")

    def serves(self, version: str) -> None:
        """Wait until every answer comes from that version."""

        def only() -> bool | None:
            return True if set(self.traffic.recent(within=1)) == {version} else None

        self.api.wait(only, within=20, what=lambda: f"version {version} to give every answer: {self.traffic.recent()}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Chapter:
    """What should happen, and ``acts``, which lets it happen and returns what was observed."""

    name: str
    expected: str
    acts: Callable[[Story], str]

    def play(self, story: Story) -> str:
        """What was observed. Raises NotAsExpected, also where it is the stack that says what went otherwise."""
        try:
            return self.acts(story)
        except (AirflowAnswer, ComponentDied, requests.RequestException) as error:
            raise NotAsExpected(str(error)) from error


def expect(holds: bool, otherwise: str) -> None:
    """Raise NotAsExpected unless it holds."""
    if not holds:
        raise NotAsExpected(otherwise)
