"""A worse model: the gates refuse it, and nothing moves."""

from __future__ import annotations

import re

from demo import world as calendar
from demo.story import DEPLOY, Chapter, Story, expect

__all__ = ["CHAPTER"]


def _play(story: Story) -> str:
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


CHAPTER = Chapter(
    name="A worse model",
    expected="the gates refuse it and name every objection, nothing moves",
    acts=_play,
)
