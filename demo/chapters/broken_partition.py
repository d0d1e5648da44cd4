"""A broken partition: it is refused and waits, and who serves is left alone."""

from __future__ import annotations

from demo import world as calendar
from demo.story import DEPLOY, Chapter, Story, expect

__all__ = ["CHAPTER"]


def _play(story: Story) -> str:
    before, known = story.status(), story.known(DEPLOY)
    story.world.broken()
    run = story.woken(DEPLOY, known)
    story.finished(DEPLOY, run, expected="failed")
    states = story.api.states(DEPLOY, run["dag_run_id"])
    expect(states["check_expectations"] == "failed", f"the refusal came from elsewhere: {states}")
    log = story.api.log(DEPLOY, run["dag_run_id"], "check_expectations")
    for column in ("mean_area", "mean_texture", "worst_radius"):
        expect(column in log, f"the task's log does not name {column}")
    waiting = story.quarantined()
    expect([each["key"] for each in waiting] == [calendar.BROKEN], f"in quarantine: {waiting}")
    expect(waiting[0]["freezes"], "it freezes nothing")
    expect(story.status()["champion"] == before["champion"], "the champion changed")
    reasons = len(waiting[0]["objections"])
    return f"refused for {reasons} reasons, in quarantine, its window frozen; {before['champion']} untouched"


CHAPTER = Chapter(
    name="A broken partition",
    expected="the expectations refuse it, it waits in quarantine and freezes its window, the champion is untouched",
    acts=_play,
)
