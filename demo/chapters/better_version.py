"""A better version: more data, a search, and a release through a canary."""

from __future__ import annotations

from demo.story import DEPLOY, MODEL, Chapter, Story, expect

__all__ = ["CHAPTER"]


def _play(story: Story) -> str:
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


CHAPTER = Chapter(
    name="A better version",
    expected="more data, a search over two trials, better on the same holdout, released through a canary",
    acts=_play,
)
