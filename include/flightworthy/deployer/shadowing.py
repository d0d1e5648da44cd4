"""What a shadow answered beside its champion since the router copies requests, and what the judge makes of it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from flightworthy.adapters.envoy_router import ModelView, SlotView
from flightworthy.adapters.prediction_tail import PredictionTail
from flightworthy.canary import Answered, Pairs, ShadowJudge
from flightworthy.deployer.baking import LOG_PAUSE, Arms, Bake, began_anew, no_bake, since, training_of
from flightworthy.release import Deployment, Shadow


@dataclass(slots=True, kw_only=True)
class _Copies:
    """The shadow of one release, from the moment that the router confirmed it."""

    generation: int
    at: datetime
    shadow: SlotView
    champion: SlotView
    judge: ShadowJudge
    pairs: Pairs
    tail: PredictionTail
    read_at: datetime

    def goes_on(self, row: Deployment, shadow: SlotView, champion: SlotView) -> bool:
        """Whether this is still the row's shadow, counted by the same counters."""
        counters = ((self.shadow, shadow), (self.champion, champion))
        return self.generation == row.generation and not any(began_anew(was, seen) for was, seen in counters)

    def read_log(self, row: Deployment, now: datetime) -> None:
        """Pair what the servers wrote since the last look."""
        if now - self.read_at < LOG_PAUSE:
            return
        self.read_at = now
        for found in self.tail.read():
            answer = Answered(request=found.request, row=found.row, unit=found.unit, prediction=found.prediction)
            if found.is_shadow and found.release == row.challenger:
                self.pairs.add("challenger", answer)
            elif not found.is_shadow and found.release == row.champion:
                self.pairs.add("champion", answer)


class Shadowing:
    """Remembers each model's shadow and its evidence. A restarted deployer begins anew: later, never sooner.

    ``predictions`` is the folder of the prediction logs.
    """

    def __init__(self, predictions: Path) -> None:
        self._predictions = predictions
        self._copies: dict[str, _Copies] = {}

    def look(self, row: Deployment, releases: Arms, shadow: Shadow, view: ModelView, now: datetime) -> Bake:
        """What is known of the row's shadow as of ``now``; it begins when the router confirms that it copies."""
        slot = row.slot_of(row.champion)
        if slot is None or view.route is None or view.route.generation != row.generation:
            return no_bake()
        copies, champion = view.shadow, view.slots[slot]
        if copies is None or champion is None:
            return no_bake()
        known = self._copies.get(row.model)
        if known is None or not known.goes_on(row, copies, champion):
            known = self._begin(row, releases, shadow, copies, champion, now)
        known.read_log(row, now)
        shadowed_time = now - known.at
        judgement = known.judge.look(
            since(known.shadow, copies), since(known.champion, champion), known.pairs,
            is_over=shadowed_time >= shadow.bake_time,
        )  # fmt: skip
        return Bake(time=shadowed_time, judgement=judgement)

    def _begin(
        self, row: Deployment, releases: Arms, shadow: Shadow, copies: SlotView, champion: SlotView, now: datetime
    ) -> _Copies:
        strategy = releases.challenger.strategy
        known = _Copies(
            generation=row.generation,
            at=now,
            shadow=copies,
            champion=champion,
            judge=ShadowJudge(strategy, shadow, training=training_of(releases)),
            pairs=Pairs(threshold=strategy.limits.threshold),
            tail=PredictionTail(self._predictions / row.model, started_at=now),
            read_at=now,
        )
        self._copies[row.model] = known
        return known
