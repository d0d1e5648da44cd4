"""What comes next on a release's course, given what was seen. Pure: one row and one sight in, at most one move out."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from datetime import timedelta
from typing import Literal

from flightworthy.canary import Judgement, Verdict
from flightworthy.release import Deployment, Phase, Release

Kind = Literal["shadowed", "advanced", "promoted", "rolled_back", "withdrawn"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rehearsal:
    """Whether the challenger answered its golden requests as training did, and if not, what differed."""

    passed: bool
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Sight:
    """What is known of a challenger at one moment.

    ``waited_time`` runs since this deployer first saw the row as it is: nobody is late because no deployer was there.
    ``baked_time`` runs since the router confirmed the step; None before. ``judgement`` is None where nothing is judged.
    """

    has_server: bool
    refusal: str | None
    """Why no server may be started for it, if that is so."""
    is_healthy: bool
    rehearsal: Rehearsal | None
    waited_time: timedelta
    baked_time: timedelta | None
    judgement: Judgement | None
    failures: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Move:
    """One decision to make. ``step`` and ``share`` are those to go to where the move is to advance."""

    kind: Kind
    reason: str
    step: int = 0
    share: int = 0
    evidence: str | None = None
    """The judgement behind it as JSON, where there was one."""
    quotes_log: bool = False
    """Whether the end of the server's log says more."""


def next_move(row: Deployment, release: Release, sight: Sight) -> Move | None:
    """The decision that is due, or None to wait. Only a row with a challenger has any."""
    if row.phase in (Phase.STARTING, Phase.RETURNING):
        return _while_starting(row, release, sight)
    if row.phase is Phase.SHADOW and release.strategy.shadow is not None:
        ended, bake_time = "its server ended while it was a shadow", release.strategy.shadow.bake_time
        return _while_judged(release, sight, _Step(ended=ended, at="as a shadow", then=0, bake_time=bake_time))
    if row.phase is Phase.CANARY:
        ended = f"its server ended while it had {row.challenger_share} % of traffic"
        at, bake_time = f"at {row.challenger_share} %", release.strategy.bake_time
        return _while_judged(release, sight, _Step(ended=ended, at=at, then=row.step + 1, bake_time=bake_time))
    return None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Step:
    """Where a challenger is being judged, in words; the step of its strategy that comes then; how long it must last."""

    ended: str
    at: str
    then: int
    bake_time: timedelta


def _while_starting(row: Deployment, release: Release, sight: Sight) -> Move | None:
    if sight.rehearsal is not None and not sight.rehearsal.passed:
        return Move(kind="withdrawn", reason=sight.rehearsal.reason)
    if sight.refusal is not None and not sight.has_server:
        return Move(kind="withdrawn", reason=sight.refusal)
    if sight.is_healthy and sight.rehearsal is not None:
        if row.phase is Phase.RETURNING:
            return Move(kind="rolled_back", reason=f"{release.id} was started again; {sight.rehearsal.reason}")
        if row.champion is None:
            return Move(kind="promoted", reason=f"the first release; {sight.rehearsal.reason}")
        if release.strategy.shadow is not None:
            return Move(kind="shadowed", reason=sight.rehearsal.reason)
        return _onwards(release, step=0, reason=sight.rehearsal.reason, evidence=None)
    if sight.waited_time > release.strategy.deadline:
        return Move(kind="withdrawn", reason=_never_healthy(release, sight), quotes_log=True)
    return None


def _while_judged(release: Release, sight: Sight, step: _Step) -> Move | None:
    if not sight.has_server:
        return Move(kind="withdrawn", reason=step.ended, quotes_log=True)
    judgement = sight.judgement
    if judgement is None:
        return None
    baked = sight.baked_time is not None and sight.baked_time >= step.bake_time
    if judgement.verdict is Verdict.UNHEALTHY:
        return Move(kind="withdrawn", reason=judgement.reason, evidence=_written(judgement))
    # Automation may only abort early, never promote early.
    if judgement.verdict is Verdict.HEALTHY and baked:
        return _onwards(release, step=step.then, reason=judgement.reason, evidence=_written(judgement))
    if sight.waited_time > release.strategy.deadline:
        held = release.strategy.deadline.total_seconds()
        why = judgement.reason if judgement.verdict is Verdict.INCONCLUSIVE else "it did not serve its bake time"
        reason = f"inconclusive after {held:g} s {step.at}: {why}"
        return Move(kind="withdrawn", reason=reason, evidence=_written(judgement))
    return None


def _onwards(release: Release, *, step: int, reason: str, evidence: str | None) -> Move:
    share = release.strategy.steps[step]
    if share == 100:
        return Move(kind="promoted", reason=reason, evidence=evidence)
    return Move(kind="advanced", reason=reason, step=step, share=share, evidence=evidence)


def _never_healthy(release: Release, sight: Sight) -> str:
    waited = release.strategy.deadline.total_seconds()
    ended = f"; its server ended {sight.failures} times" if sight.failures else ""
    return f"not healthy within {waited:g} s{ended}"


def _written(judgement: Judgement) -> str:
    return json.dumps(asdict(judgement), sort_keys=True)
