"""Every partition that arrives is considered, and none twice, whoever is killed meanwhile; and who may push."""

from __future__ import annotations

import os
import random
import time
from collections.abc import Iterator

import pytest

from demo.airflow_api import AirflowApi
from demo.stack import Stack
from flightworthy.arrival import Stage
from tests.stack.arriving import Killer, arriving_stack, considered, day, land, taken_in, wait_until_considered

pytestmark = [pytest.mark.stack, pytest.mark.slow]

LONG = "FLIGHTWORTHY_ARRIVALS" in os.environ
COUNT = int(os.environ.get("FLIGHTWORTHY_ARRIVALS", "12"))
MODELS = tuple(f"model-{number}" for number in range(5 if LONG else 3))
KILLS = 12 if LONG else 2
PUSHED = "pushed"


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Airflow with models whose runs are one task."""
    with arriving_stack(tmp_path_factory.mktemp("arriving"), (*MODELS, PUSHED)) as up:
        yield up


@pytest.fixture(scope="module")
def airflow(stack: Stack) -> AirflowApi:
    api = stack.airflow()
    api.wait_for_dags(*(f"{model}.deploy" for model in (*MODELS, PUSHED)), within=300)
    api._watch = lambda: None  # components die here because somebody asked them to
    return api


def test_every_arrival_is_considered_and_none_twice_while_scheduler_and_triggerer_are_killed(
    stack: Stack, airflow: AirflowApi
) -> None:
    """By SIGKILL, at random; FLIGHTWORTHY_ARRIVALS=200 for the long form."""
    seed = random.randrange(2**32)
    print(f"seed {seed}")  # noqa: T201 - to play it again; with -s
    chance = random.Random(seed)
    each = COUNT // len(MODELS)
    began = time.monotonic()
    with Killer(stack=stack, kills=KILLS, between=(15, 40) if LONG else (2, 6), chance=chance) as killer:
        for number in range(each):
            for model in chance.sample(MODELS, len(MODELS)):
                land(stack, model, day(number), rows=chance.randrange(2, 50))
                time.sleep(chance.uniform(0, 2) if LONG else chance.uniform(0, 0.5))
        while len(killer.killed) < KILLS:
            time.sleep(0.2)
        wait_until_considered(stack, MODELS, each * len(MODELS), within=3600 if LONG else 300)
    runs = sum(len(airflow.runs(f"{model}.deploy", limit=500)) for model in MODELS)
    took = time.monotonic() - began
    print(f"{each * len(MODELS)} arrivals, {len(killer.killed)} kills, {runs} runs, {took:.0f} s")  # noqa: T201

    keys = [day(number) for number in range(each)]
    assert {model: taken_in(airflow, model) for model in MODELS} == dict.fromkeys(MODELS, keys)
    for arrivals in considered(stack, MODELS).values():
        assert [(one.key, one.stage, str(one.outcome)) for one in arrivals] == [
            (key, Stage.CONSIDERED, "went through") for key in keys
        ]
