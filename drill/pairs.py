"""Two that decide at once, from two processes: one wins, the other is told by whom and at which generation."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from threading import BrokenBarrierError
from typing import Any

from drill.acts import COURSE
from drill.forks import Fork, barrier
from drill.report import Report
from flightworthy.adapters.sql_releases import SqlReleases
from flightworthy.errors import Conflict
from flightworthy.release import (
    Cause,
    Deployment,
    Observation,
    Release,
    draft,
    promoted,
    propose,
    prove_all,
    release_id,
    roll_back,
)

KINDS = (("promote", "promote"), ("promote", "rollback"), ("rollback", "rollback"))


class AtOnce(SqlReleases):
    """A store that holds whoever has read a row until the other has read it too."""

    def __init__(self, url: str, meet: Callable[[], object]) -> None:
        super().__init__(url)
        self._meet: Callable[[], object] | None = meet

    def deployment(self, model: str) -> Deployment:
        row = super().deployment(model)
        if self._meet is not None:
            meet, self._meet = self._meet, None
            meet()
        return row


def decide_in_pairs(url: str, folder: Path, report: Report, *, pairs: int = 10) -> None:
    """So many pairs of each kind, each on a model of its own: a row for each kind."""
    for first, second in KINDS:
        report.tried(f"{pairs} pairs, {first} and {second}", partial(_pairs, url, folder, (first, second), pairs))


def _pairs(url: str, folder: Path, kinds: Sequence[str], pairs: int) -> list[str]:
    store = SqlReleases(url)
    try:
        return [wrong for number in range(pairs) for wrong in _pair(store, url, folder, kinds, number)]
    finally:
        store.close()


def _pair(store: SqlReleases, url: str, folder: Path, kinds: Sequence[str], number: int) -> Iterator[str]:
    model = f"{'-'.join(kinds)}-{number}"
    before = _serving(store, model)
    meeting = barrier(2)
    told = [folder / f"{model}-{place}.json" for place in range(2)]
    forks = [
        Fork(_decide, url, meeting, kind, model, place, told[place], log=folder / "pairs.log")
        for place, kind in enumerate(kinds)
    ]
    if any(fork.wait(60) != 0 for fork in forks):
        yield f"{model}: one of them broke: {(folder / 'pairs.log').read_text()[-500:]}"
        return
    found = [json.loads(path.read_text()) for path in told]
    yield from verdict(store, model, before, found)


def verdict(store: SqlReleases, model: str, before: Deployment, found: Sequence[dict[str, Any]]) -> Iterator[str]:
    """What is wrong with how a pair went."""
    won = [each for each in found if each["won"]]
    lost = [each for each in found if not each["won"]]
    entries = [entry for entry in store.history(model) if entry.generation > before.generation]
    if len(won) != 1 or len(entries) != 1:
        yield f"{model}: {len(won)} won, and the ledger has {len(entries)} entries"
        return
    prove_all(store)
    facts = {"model": model, "expected": before.generation, "found": before.generation + 1, "winner": won[0]["actor"]}
    if lost[0]["facts"] != facts or entries[0].actor != won[0]["actor"]:
        yield f"{model}: {won[0]['actor']} won, and the other was told {lost[0]}"


def _decide(url: str, meeting: Any, kind: str, model: str, place: int, told: Path) -> None:
    """Read, wait for the other, decide; and write down how it went."""
    actor, store = f"{kind} {place}", AtOnce(url, partial(_meet, meeting))
    now = datetime.now(UTC)
    try:
        if kind == "promote":
            propose(store, _release(model, f"{10 + place}"), actor=actor, reason="at once", now=now)
        else:
            roll_back(store, model, actor=actor, reason="at once", now=now)
        outcome: dict[str, Any] = {"actor": actor, "won": True}
    except Conflict as conflict:
        outcome = {"actor": actor, "won": False, "facts": dict(conflict.facts), "message": conflict.message}
    finally:
        store.close()
    told.write_text(json.dumps(outcome))


def _meet(meeting: Any) -> None:
    try:
        meeting.wait(30)
    except BrokenBarrierError:
        raise AssertionError("the other one never read the row") from None


def _serving(store: SqlReleases, model: str) -> Deployment:
    """A model of which one release serves and the one before it is warm."""
    row = store.deployment(model)
    for version in ("1", "2"):
        now = datetime.now(UTC)
        row = propose(store, _release(model, version), actor="drill", reason="before", now=now)
        after = promoted(row, now)
        row = store.swap(row, after, draft(row, after, "promoted", Cause(actor="drill", reason="before", at=now)))
    healthy = tuple(release for release in (row.champion, row.previous) if release is not None)
    store.observe(
        Observation(
            model=model, generation=row.generation, share_b=row.share_b, healthy=healthy, note="", at=datetime.now(UTC)
        )
    )
    return row


def _release(model: str, version: str) -> Release:
    digest = f"{version:>08}" + "0" * 56
    return Release(
        id=release_id(model, version, digest), model=model, version=version, target="process", artifact_uri="/nowhere",
        artifact_digest=digest, image_digest=None, bundle={}, strategy=COURSE,
    )  # fmt: skip
