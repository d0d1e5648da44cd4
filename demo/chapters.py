"""The chapters of the tour: what is done, and how one sees that it had the effect it should."""

from __future__ import annotations

import json
import re
import time
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

__all__ = ["CHAPTERS", "Chapter", "NotAsExpected", "Story"]

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
    """``play`` returns what was observed, or raises NotAsExpected."""

    name: str
    expected: str
    play: Callable[[Story], str]


def expect(holds: bool, otherwise: str) -> None:
    """Raise NotAsExpected unless it holds."""
    if not holds:
        raise NotAsExpected(otherwise)


def _first_data(story: Story) -> str:
    story.api.wait_for_dags(DEPLOY, MONITOR, f"{MODEL}.rollback")
    known = story.known(DEPLOY)
    story.world.first()
    run = story.woken(DEPLOY, known)
    story.finished(DEPLOY, run, expected="success")
    answer = requests.post(
        f"{story.stack.settings.router_url}/{MODEL}/invocations",
        json={"dataframe_records": [{k: v for k, v in next(story.world.requests()).items() if k != calendar.ENTITY}]},
        timeout=10,
    )
    expect(answer.status_code == 200, f"the router answered {answer.status_code}: {answer.text[:300]}")
    version = answer.headers["x-flightworthy-version"]
    expect(version == "1", f"version {version} answered")
    story.traffic.start()
    return f"{run['run_type']} run; version 1 answers {answer.json()}"


def _better_version(story: Story) -> str:
    known = story.known(DEPLOY)
    story.world.second()
    run = story.woken(DEPLOY, known)
    story.finished(DEPLOY, run, expected="success")
    run_id = run["dag_run_id"]
    trials = sum(task["task_id"] == "train" for task in story.api.tasks(DEPLOY, run_id))
    expect(trials >= 2, f"{trials} trial was trained")
    evaluation = story.api.xcom(DEPLOY, run_id, "evaluate")
    mine, theirs = evaluation["metrics"]["log_loss"], evaluation["champion_metrics"]["log_loss"]
    expect(mine < theirs, f"log loss {mine:.3f} of version 2 against {theirs:.3f} of version 1")
    story.serves("2")
    steps = [
        each
        for each in story.said("flightworthy", "history", MODEL, "--json")["entries"]
        if each["action"] == "advanced"
    ]
    return (
        f"{trials} trials; log loss {theirs:.3f} → {mine:.3f} on the same holdout; "
        f"a canary of {len(steps)} steps; version 2 serves"
    )


def _broken_partition(story: Story) -> str:
    before, known = story.status(), story.known(DEPLOY)
    story.world.broken()
    run = story.woken(DEPLOY, known)
    story.finished(DEPLOY, run, expected="failed")
    states = story.api.states(DEPLOY, run["dag_run_id"])
    expect(states["check_expectations"] == "failed", f"the refusal came from elsewhere: {states}")
    log = story.api.log(DEPLOY, run["dag_run_id"], "check_expectations")
    for column in ("mean_area", "mean_texture", "worst_radius"):
        expect(column in log, f"the task's log does not name {column}")
    waiting = story.said("flightworthy", "quarantine", "list", MODEL, "--json")["partitions"]
    expect([each["key"] for each in waiting] == [calendar.BROKEN], f"in quarantine: {waiting}")
    expect(waiting[0]["freezes"], "it freezes nothing")
    expect(story.status()["champion"] == before["champion"], "the champion changed")
    reasons = len(waiting[0]["objections"])
    return f"refused for {reasons} reasons, in quarantine, its window frozen; {before['champion']} untouched"


def _worse_model(story: Story) -> str:
    before, versions = story.status(), len(story.versions())
    conf = {"partition": calendar.SECOND, "parameters": {"C": 1e-6}}
    run = story.api.run(DEPLOY, story.api.trigger(DEPLOY, conf=conf))
    story.finished(DEPLOY, run, expected="failed")
    log = story.api.log(DEPLOY, run["dag_run_id"], "evaluate")
    said = [line.split("objection: ")[1] for line in log.splitlines() if "objection: " in line]
    objections = [re.split(r" \w+=", line)[0] for line in said]  # the rest are the keys of the log
    expect(len(objections) >= 2, f"the gates named {len(objections)} objections:\n{log[-1500:]}")
    expect(len(story.versions()) == versions, "a version was registered")
    expect(story.status()["generation"] == before["generation"], "the row moved")
    return f"refused with {len(objections)} objections, such as “{objections[0]}”; nothing moved"


def _drift(story: Story) -> str:
    look = story.api.trigger(MONITOR)
    story.finished(MONITOR, story.api.run(MONITOR, look), expected="success")
    calm = story.api.xcom(MONITOR, look, "monitor_drift")
    expect(not calm["retrain"], f"a retrain was asked for before anything drifted: {calm['reasons']}")
    story.world.mended()
    story.traffic.rows, story.traffic.rate = story.world.requests(drifted=True), 100
    sent = story.traffic.count().sent
    story.api.wait(
        lambda: True if story.traffic.count().sent > sent + 400 else None, within=30, what=lambda: "requests"
    )
    story.traffic.rate = 50
    known = story.known(DEPLOY)
    look = story.api.trigger(MONITOR)
    story.finished(MONITOR, story.api.run(MONITOR, look), expected="success")
    drifted = story.api.xcom(MONITOR, look, "monitor_drift")
    expect(drifted["retrain"], f"no drift was seen: {drifted['reasons']}")
    run = story.woken(DEPLOY, known)
    story.finished(DEPLOY, run, expected="success")
    frozen = [
        each
        for each in story.said("flightworthy", "quarantine", "list", MODEL, "--json")["partitions"]
        if each["freezes"]
    ]
    expect(not frozen, f"the corrected partition did not end the freeze: {frozen}")
    story.serves("3")
    return (
        f"{len(drifted['drifted'])} features drifted over {drifted['requests']} requests; retrained; version 3 serves"
    )


def _roll_back(story: Story) -> str:
    before = story.status()
    story.rollback_seconds = None
    began_at = time.monotonic()
    done = story.said("flightworthy", "rollback", MODEL, "--reason", "tour: show the way back", "--json")
    story.rollback_seconds = round(time.monotonic() - began_at, 2)
    expect(done["to"] == before["previous"], f"went back to {done['to']}, not to {before['previous']}")
    story.serves("2")
    took = f"the command took {story.rollback_seconds:.2f} s, traffic {done['seconds']:.2f} s"
    return f"{done['from']} → {done['to']}; {took}"


def _backfill(story: Story) -> str:
    before, versions = story.status(), len(story.versions())
    story.world.history()
    first = _backfilled(story, "none")
    registered = len(story.versions()) - versions
    expect(
        registered == len(calendar.HISTORY),
        f"{registered} versions were registered over {len(calendar.HISTORY)} intervals",
    )
    second = _backfilled(story, "completed")
    again = len(story.versions()) - versions - registered
    expect(again == 0, f"{again} versions were registered by the same backfill again")
    after = story.status()
    expect(after["generation"] == before["generation"], "the row moved")
    return (
        f"{registered} versions trained and registered ({first:.0f} s), 0 the second time ({second:.0f} s), "
        f"none released; {after['champion']} untouched"
    )


def _backfilled(story: Story, reprocess: str) -> float:
    """Run the backfill of the four past intervals; how long it took."""
    began_at = time.monotonic()
    known = {(run["dag_run_id"], run["end_date"]) for run in story.api.runs(DEPLOY, run_type="backfill")}
    story.stack.command(
        "airflow", "backfill", "create", "--dag-id", DEPLOY, "--from-date", calendar.HISTORY[0],
        "--to-date", calendar.HISTORY[-1], "--max-active-runs", "2", "--reprocess-behavior", reprocess,
    )  # fmt: skip

    def all_done() -> bool | None:
        runs = [
            run
            for run in story.api.runs(DEPLOY, run_type="backfill")
            if run["end_date"] and (run["dag_run_id"], run["end_date"]) not in known
        ]
        if failed := [run["dag_run_id"] for run in runs if run["state"] == "failed"]:
            raise NotAsExpected(f"failed: { {each: story.api.states(DEPLOY, each) for each in failed} }")
        closed = all(each["completed_at"] for each in story.api.get("/backfills", dag_id=DEPLOY)["backfills"])
        return True if len(runs) == len(calendar.HISTORY) and closed else None

    story.api.wait(all_done, within=180, what=lambda: f"four runs: {[r['state'] for r in story.api.runs(DEPLOY)]}")
    return time.monotonic() - began_at


def _kept(play: Callable[[Story], str]) -> Callable[[Story], str]:
    """What the stack says when something does not come to pass is a surprise too."""

    def played(story: Story) -> str:
        try:
            return play(story)
        except (AirflowAnswer, ComponentDied, requests.RequestException) as error:
            raise NotAsExpected(str(error)) from error

    return played


CHAPTERS = (
    Chapter(
        name="New data",
        expected="a partition lands, nobody triggers anything, version 1 goes live and answers",
        play=_kept(_first_data),
    ),
    Chapter(
        name="A better version",
        expected="more data, a search over two trials, better on the same holdout, released through a canary",
        play=_kept(_better_version),
    ),
    Chapter(
        name="A broken partition",
        expected="the expectations refuse it, it waits in quarantine and freezes its window, the champion is untouched",
        play=_kept(_broken_partition),
    ),
    Chapter(
        name="A worse model",
        expected="the gates refuse it and name every objection, nothing moves",
        play=_kept(_worse_model),
    ),
    Chapter(
        name="Drift",
        expected="the monitor is calm, then sees drift in the prediction log and starts a retrain, which takes in the "
        "mended partition; version 3",
        play=_kept(_drift),
    ),
    Chapter(
        name="Rollback",
        expected="one command, and the previous release serves again",
        play=_kept(_roll_back),
    ),
    Chapter(
        name="Backfill",
        expected="four past intervals, four versions, none released; the same again registers nothing",
        play=_kept(_backfill),
    ),
)
"""The eighth is the count, which is made however the tour ends."""
