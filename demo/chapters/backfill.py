"""Backfill: past intervals are trained and registered, once, and none is released."""

from __future__ import annotations

import time

from demo import world as calendar
from demo.story import DEPLOY, Chapter, NotAsExpected, Story, expect

__all__ = ["CHAPTER"]


def _play(story: Story) -> str:
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


CHAPTER = Chapter(
    name="Backfill",
    expected="four past intervals, four versions, none released; the same again registers nothing",
    acts=_play,
)
