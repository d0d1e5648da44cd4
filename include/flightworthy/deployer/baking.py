"""What each arm attempted, failed, took and answered since a step began, and what the judge makes of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

from flightworthy.adapters.envoy_router import ModelView, SlotView
from flightworthy.adapters.prediction_tail import PredictionTail, predictions_in_training
from flightworthy.canary import (
    UNKNOWN,
    Arm,
    ArmCounts,
    ArmSample,
    Bins,
    Judge,
    Judgement,
    Training,
    binned,
    no_metrics,
)
from flightworthy.deployer.projection import other
from flightworthy.release import Deployment, Release

LOG_PAUSE = timedelta(milliseconds=250)
"""Between two looks into the log, which a server writes about twice a second."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bake:
    """How long a step has served, None before the router confirmed it; and the verdict so far."""

    time: timedelta | None
    judgement: Judgement


@dataclass(slots=True, kw_only=True)
class _Step:
    """One step of one release, from the moment that the router confirmed it."""

    generation: int
    at: datetime
    challenger: SlotView
    champion: SlotView
    judge: Judge
    tail: PredictionTail
    read_at: datetime
    samples: dict[str, ArmSample] = field(default_factory=dict)

    def arm(self, release: str | None, was: SlotView, seen: SlotView) -> Arm:
        return Arm(counts=since(was, seen), sample=self.samples.setdefault(release or "", ArmSample()))

    def goes_on(self, row: Deployment, challenger: SlotView, champion: SlotView) -> bool:
        """Whether this is still the row's step, counted by the same counters."""
        counters = ((self.challenger, challenger), (self.champion, champion))
        return self.generation == row.generation and not any(began_anew(was, seen) for was, seen in counters)

    def read_log(self, now: datetime, threshold: float) -> None:
        """Add what the servers wrote since the last look to the arms' samples."""
        if now - self.read_at < LOG_PAUSE:
            return
        self.read_at = now
        for row in self.tail.read():
            if row.is_shadow:
                continue  # a copy whose answer the shadow made late
            sample = self.samples.setdefault(row.release, ArmSample())
            sample.add_prediction(row.unit, row.prediction, threshold=threshold)
            if row.latency_ms is not None:
                sample.add_latency(row.latency_ms)


@dataclass(frozen=True, slots=True, kw_only=True)
class Arms:
    """The two releases of a canary."""

    challenger: Release
    champion: Release | None


class Baking:
    """Remembers each model's step and its evidence. A restarted deployer begins its bake again: later, never sooner.

    ``predictions`` is the folder of the prediction logs.
    """

    def __init__(self, predictions: Path) -> None:
        self._predictions = predictions
        self._steps: dict[str, _Step] = {}

    def look(self, row: Deployment, releases: Arms, view: ModelView, now: datetime) -> Bake:
        """The bake of the row's step as of ``now``; it begins when the router confirms the row's split."""
        release = releases.challenger
        slot = row.slot_of(row.challenger)
        if slot is None or view.route is None or view.route.generation != row.generation:
            return no_bake()
        challenger, champion = view.slots[slot], view.slots[other(slot)]
        if challenger is None or champion is None:
            return no_bake()
        step = self._steps.get(row.model)
        if step is None or not step.goes_on(row, challenger, champion):
            step = self._begin(row, releases, challenger, champion, now)
        step.read_log(now, release.strategy.limits.threshold)
        baked_time = now - step.at
        judgement = step.judge.look(
            step.arm(row.challenger, step.challenger, challenger),
            step.arm(row.champion, step.champion, champion),
            is_over=baked_time >= release.strategy.bake_time,
        )
        return Bake(time=baked_time, judgement=judgement)

    def _begin(self, row: Deployment, releases: Arms, challenger: SlotView, champion: SlotView, now: datetime) -> _Step:
        step = _Step(
            generation=row.generation,
            at=now,
            challenger=challenger,
            champion=champion,
            judge=Judge(releases.challenger.strategy, training=training_of(releases)),
            tail=PredictionTail(self._predictions / row.model, started_at=now),
            read_at=now,
        )
        self._steps[row.model] = step
        return step


def no_bake() -> Bake:
    """Nothing is known of a step yet."""
    return Bake(time=None, judgement=no_metrics())


def began_anew(was: SlotView, seen: SlotView) -> bool:
    """Whether counters restarted: another server in a slot, or another router."""
    return (was.host, was.port) != (seen.host, seen.port) or seen.attempts < was.attempts


def since(was: SlotView, seen: SlotView) -> ArmCounts:
    """What was counted between two looks."""
    return ArmCounts(attempts=seen.attempts - was.attempts, errors=seen.errors - was.errors)


def training_of(releases: Arms) -> Training:
    """What both answered in training, where the challenger's strategy has a use for it."""
    limits = releases.challenger.strategy.limits
    if limits.max_flip_rate is None and limits.max_prediction_shift is None:
        return UNKNOWN
    champion = releases.champion
    return Training(
        challenger=_expected(releases.challenger), champion=None if champion is None else _expected(champion)
    )


def _expected(release: Release) -> Bins | None:
    found = predictions_in_training(Path(release.artifact_uri) / "model")
    return None if found is None else binned(found)
