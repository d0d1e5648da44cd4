"""The first partition: it lands, and a model goes live without anybody's asking."""

from __future__ import annotations

import requests

from demo import world as calendar
from demo.story import DEPLOY, MODEL, MONITOR, Chapter, Story, expect

__all__ = ["CHAPTER"]


def _play(story: Story) -> str:
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


CHAPTER = Chapter(
    name="New data",
    expected="a partition lands, nobody triggers anything, version 1 goes live and answers",
    acts=_play,
)
