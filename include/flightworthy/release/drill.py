"""A drill: proof that the release a rollback would restore boots, answers as in training, and could take traffic."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from flightworthy.release.rows import ReleaseStore


@dataclass(frozen=True, slots=True, kw_only=True)
class Drill:
    """Asked for by whoever wants the proof, done by the deployer; it decides nothing, and gets no traffic.

    ``passed``, ``took_time`` and ``ended_at`` are None while it is open.
    """

    number: int
    model: str
    release: str
    asked_by: str
    asked_at: datetime
    passed: bool | None
    reason: str
    took_time: timedelta | None
    ended_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class DrillResult:
    """What a drill found. ``took_time`` runs from the start of the server to the last answer that was held."""

    passed: bool
    reason: str
    took_time: timedelta
    ended_at: datetime


def ask_drill(store: ReleaseStore, model: str, *, actor: str, now: datetime) -> Drill | None:
    """Ask the deployer to drill the model's previous release; None where it has none.

    Idempotent while it is open: who asks for the same release again is given the same drill.
    """
    previous = store.deployment(model).previous
    return None if previous is None else store.open_drill(model, previous, actor=actor, at=now)
