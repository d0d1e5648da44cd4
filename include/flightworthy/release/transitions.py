"""From row to row: every decision there is, as a pure function, and the ledger's words for it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime

from flightworthy.ledger import Action, Draft, Entry
from flightworthy.release.rows import Deployment, Phase, Slot
from flightworthy.secrecy import masked


@dataclass(frozen=True, slots=True, kw_only=True)
class Cause:
    """Who or what decided, when, why, and on which evidence (digests)."""

    actor: str
    reason: str
    at: datetime
    evidence: tuple[str, ...] = ()


def requested(row: Deployment, challenger: str, now: datetime, *, phase: Phase = Phase.STARTING) -> Deployment:
    """The challenger takes the slot that has no traffic; the release that was warm there becomes cold."""
    slot: Slot = "b" if row.slot_of(row.champion) == "a" else "a"
    return _next(_fill(row, slot, challenger), now, challenger=challenger, phase=phase, step=0)


def shadowed(row: Deployment, now: datetime) -> Deployment:
    """The challenger is asked what the champion is asked; the split stays as it is."""
    return _next(row, now, phase=Phase.SHADOW)


def entered(row: Deployment, step: int, share: int, now: datetime) -> Deployment:
    """The challenger gets ``share`` percent, as step ``step`` of its strategy."""
    share_b = share if row.slot_of(row.challenger) == "b" else 100 - share
    return _next(row, now, phase=Phase.CANARY, step=step, share_b=share_b)


def promoted(row: Deployment, now: datetime) -> Deployment:
    """The challenger has all traffic; the old champion stays where it is, warm, as the way back."""
    share_b = 100 if row.slot_of(row.challenger) == "b" else 0
    return _next(
        row, now, champion=row.challenger, challenger=None, previous=row.champion,
        phase=Phase.STEADY, step=0, share_b=share_b,
    )  # fmt: skip


def withdrawn(row: Deployment, now: datetime) -> Deployment:
    """The champion has all traffic; the way back is warmed again in the slot that the challenger leaves."""
    slot = row.slot_of(row.challenger) or "b"
    share_b = 100 if row.slot_of(row.champion) == "b" else 0
    cleared = _fill(row, slot, row.previous)
    return _next(cleared, now, challenger=None, phase=Phase.STEADY, step=0, share_b=share_b)


def returned(row: Deployment, to: str, way_back: str | None, now: datetime) -> Deployment:
    """``to``, which waits in its slot, has all traffic; ``way_back`` is warmed where the undone release was."""
    slot = row.slot_of(to)
    other: Slot = "a" if slot == "b" else "b"
    return _next(
        _fill(row, other, way_back), now, champion=to, challenger=None, previous=way_back,
        phase=Phase.STEADY, step=0, share_b=100 if slot == "b" else 0,
    )  # fmt: skip


def served(history: Iterable[Entry]) -> list[str]:
    """The champions that were not undone, oldest first: the last one serves, the one before it is the way back."""
    standing: list[str] = []
    for entry in history:
        if entry.to_release is None or entry.action not in ("promoted", "rolled_back"):
            continue
        if entry.action == "rolled_back" and entry.to_release in standing:
            standing = standing[: standing.index(entry.to_release) + 1]
        else:
            standing = [*(known for known in standing if known != entry.to_release), entry.to_release]
    return standing


def way_back_from(history: Iterable[Entry], release: str) -> str | None:
    """What a rollback would restore, were ``release`` the champion."""
    standing = served(history)
    if release not in standing:
        return standing[-1] if standing else None
    place = standing.index(release)
    return standing[place - 1] if place else None


def draft(before: Deployment, after: Deployment, action: Action, cause: Cause) -> Draft:
    """The ledger's words for going from one row to the next."""
    withdrawing = action == "withdrawn"
    return Draft(
        model=before.model,
        at=cause.at,
        actor=cause.actor,
        action=action,
        from_release=before.challenger if withdrawing else before.champion,
        to_release=after.champion if withdrawing else after.challenger or after.champion,
        generation=after.generation,
        # Reasons quote logs and people, and an entry is kept for ever.
        reason=masked(cause.reason),
        evidence=cause.evidence,
        share=after.challenger_share,
    )


def _next(row: Deployment, now: datetime, **changes: object) -> Deployment:
    return replace(row, generation=row.generation + 1, since_at=now, **changes)  # type: ignore[arg-type]


def _fill(row: Deployment, slot: Slot, release: str | None) -> Deployment:
    return replace(row, slot_a=release) if slot == "a" else replace(row, slot_b=release)
