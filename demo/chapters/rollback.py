"""Rollback: the previous release serves again, by one command."""

from __future__ import annotations

import time

from demo.story import MODEL, Chapter, Story, expect

__all__ = ["CHAPTER"]


def _play(story: Story) -> str:
    before = story.status()
    story.rollback_seconds = None
    began_at = time.monotonic()
    done = story.said("flightworthy", "rollback", MODEL, "--reason", "tour: show the way back", "--json")
    story.rollback_seconds = round(time.monotonic() - began_at, 2)
    expect(done["to"] == before["previous"], f"went back to {done['to']}, not to {before['previous']}")
    story.serves("2")
    took = f"the command took {story.rollback_seconds:.2f} s, traffic {done['seconds']:.2f} s"
    return f"{done['from']} → {done['to']}; {took}"


CHAPTER = Chapter(
    name="Rollback",
    expected="one command, and the previous release serves again",
    acts=_play,
)
