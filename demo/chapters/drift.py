"""Drift: the monitor sees what the requests have become, and starts a retrain."""

from __future__ import annotations

from demo.story import DEPLOY, MONITOR, Chapter, Story, expect

__all__ = ["CHAPTER"]


def _play(story: Story) -> str:
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
    frozen = [each for each in story.quarantined() if each["freezes"]]
    expect(not frozen, f"the corrected partition did not end the freeze: {frozen}")
    story.serves("3")
    return (
        f"{len(drifted['drifted'])} features drifted over {drifted['requests']} requests; retrained; version 3 serves"
    )


CHAPTER = Chapter(
    name="Drift",
    expected="the monitor is calm, then sees drift in the prediction log and starts a retrain, which takes in the "
    "mended partition; version 3",
    acts=_play,
)
