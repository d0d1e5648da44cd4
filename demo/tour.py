"""``make demo``: the life of a model in eight chapters, in real Airflow, with requests flowing all the while.

Each chapter says what should happen, lets it happen, and looks whether it did. Outcome: ``.flightworthy/demo.json``.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

from demo.chapters import CHAPTERS
from demo.places import ROOT
from demo.stack import Stack, describe
from demo.story import NotAsExpected, Story
from demo.traffic import Count

HOME = ROOT / ".flightworthy" / "demo"
RESULT = ROOT / ".flightworthy" / "demo.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """How one chapter went."""

    name: str
    expected: str
    observed: str
    passed: bool
    seconds: float


def main() -> int:
    """Play the tour; 0 if every chapter went as expected and no request failed."""
    began_at = time.monotonic()
    stack = Stack(HOME)
    stack.wipe()
    print(f"Starting Airflow, MLflow, the deployer and its router in {HOME.relative_to(ROOT)} …", flush=True)
    with stack:
        print(describe(stack), flush=True)
        story = Story(stack)
        told = [_closing(story)] if not (chapters := _play(story)) else [*chapters, _closing(story)]
    count = story.traffic.count()
    _write(told, count, story.rollback_seconds, time.monotonic() - began_at)
    _print_table(told, count, story.rollback_seconds, time.monotonic() - began_at)
    return 0 if all(chapter.passed for chapter in told) else 1


def _play(story: Story) -> list[Told]:
    """Chapter after chapter; one that went wrong ends the tour, since the next would tell of another world."""
    told: list[Told] = []
    for number, chapter in enumerate(CHAPTERS, start=1):
        print(f"\n{number}. {chapter.name}\n   expected: {chapter.expected}", flush=True)
        told.append(_told(chapter.name, chapter.expected, lambda play=chapter.play: play(story)))  # type: ignore[misc]
        if not told[-1].passed:
            break
    return told


def _told(name: str, expected: str, play: Callable[[], str]) -> Told:
    began_at = time.monotonic()
    try:
        observed, passed = play(), True
    except NotAsExpected as surprise:
        observed, passed = str(surprise), False
    seconds = round(time.monotonic() - began_at, 1)
    print(f"   {'observed' if passed else 'BUT'}: {observed}   ({seconds:.1f} s)", flush=True)
    return Told(name=name, expected=expected, observed=observed, passed=passed, seconds=seconds)


def _closing(story: Story) -> Told:
    expected = "not one request failed, over all of it"
    print(f"\n8. The count\n   expected: {expected}", flush=True)
    return _told("The count", expected, story.close)


def _write(told: list[Told], count: Count, rollback_seconds: float | None, seconds: float) -> None:
    RESULT.write_text(
        json.dumps(
            {
                "chapters": [asdict(chapter) for chapter in told],
                "requests_sent": count.sent,
                "requests_failed": count.failed,
                "rollback_seconds": rollback_seconds,
                "seconds": round(seconds, 1),
            },
            indent=2,
        )
        + "\n",
        encoding="utf-8",
    )


def _print_table(told: list[Told], count: Count, rollback_seconds: float | None, seconds: float) -> None:
    width = max(len(chapter.name) for chapter in told)
    print(f"\n{'chapter':{width}}  {'':6}  {'seconds':>7}  observed")
    for chapter in told:
        verdict = "passed" if chapter.passed else "FAILED"
        print(f"{chapter.name:{width}}  {verdict}  {chapter.seconds:7.1f}  {chapter.observed}")
    took = "-" if rollback_seconds is None else f"{rollback_seconds:.2f} s"
    print(f"\nrequests sent {count.sent}, failed {count.failed}; rollback {took}; all of it {seconds:.0f} s")
    for failure in count.failures:
        print(f"  failed at {failure.second} s: {failure.detail}")
    print(f"written to {Path(RESULT).relative_to(ROOT)}; logs and reports are in {HOME.relative_to(ROOT)}")


if __name__ == "__main__":
    sys.exit(main())
