"""What a canary answers, beside its champion: the share of positives, and the distribution of its predictions.

Without labels nobody knows which arm is right, so both criteria ask twice: does the challenger answer otherwise than
the champion, and otherwise than it did in training? A model trained anew because the world changed answers otherwise
than the one that it corrects, and as in training; one that is broken where it serves does neither. Where the requests
themselves are unlike what was learnt from, every model answers otherwise than in training: so the champion's own
distance from its training is taken off.
"""

from __future__ import annotations

from dataclasses import dataclass

from flightworthy.canary.criteria import Seen, extended, unmeasured, weighed
from flightworthy.canary.odds import either_way
from flightworthy.canary.ranks import Looks, kolmogorov_smirnov
from flightworthy.canary.samples import PREDICTION_BIN, Arm, Bins
from flightworthy.canary.verdict import Finding
from flightworthy.release import Strategy

__all__ = ["FEWEST_UNITS", "Flips", "Shift", "Training"]

FEWEST_UNITS = 30
"""Fewer entities than this on an arm say nothing of its predictions: at 30 a share still moves by 3 % with each."""

_NOTHING: Seen = (0, 0, 0, 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Training:
    """What each arm answered in its training; None where that is not known."""

    challenger: Bins | None
    champion: Bins | None


class Flips:
    """Whether the challenger says yes to another share of the entities than the champion."""

    def __init__(self, alpha: float, strategy: Strategy, limit: float, training: Training) -> None:
        self._alpha, self._limit = alpha, limit
        self._is_required = "predictions" in strategy.limits.required
        self._expected = _yes_share(training.challenger, strategy.limits.threshold)
        self._champion_expected = _yes_share(training.champion, strategy.limits.threshold)
        self._evidence, self._seen = either_way(), _NOTHING

    def look(self, challenger: Arm, champion: Arm, *, is_over: bool) -> Finding:
        """Take in what came since the last look."""
        mine, theirs = challenger.sample, champion.sample
        now = (mine.units, mine.positives, theirs.units, theirs.positives)
        self._evidence, self._seen = extended(self._evidence, self._seen, now)
        if min(mine.units, theirs.units) < FEWEST_UNITS:
            return _few_units("flips", self._is_required, mine.units, theirs.units)
        share, other = mine.positives / mine.units, theirs.positives / theirs.units
        apart = abs(share - other) >= self._limit
        since = None if self._expected is None else abs(share - self._expected)
        theirs_since = 0.0 if self._champion_expected is None else abs(other - self._champion_expected)
        unlike_training = since is None or since - theirs_since >= self._limit
        chance = self._evidence.chance
        verdict, doubt = weighed(apart and unlike_training, chance, self._alpha)
        said = f"{share:.1%} of the answers are positive, of the champion's {other:.1%}{_expecting(self._expected)}"
        numbers = {
            "positive_share": share, "champion_positive_share": other, "expected_share": self._expected,
            "champion_expected_share": self._champion_expected,
            "limit": self._limit, "units": mine.units, "champion_units": theirs.units,
            "chance": chance, "alpha": self._alpha,
        }  # fmt: skip
        return Finding(criterion="flips", verdict=verdict, reason=f"{said}{doubt}", numbers=numbers)


class Shift:
    """Whether the challenger's predictions are distributed otherwise than the champion's, and than in its training."""

    def __init__(self, alpha: float, strategy: Strategy, limit: float, training: Training) -> None:
        self._alpha, self._limit, self._training = alpha, limit, training
        self._is_required = "predictions" in strategy.limits.required
        self._looks = Looks(first=FEWEST_UNITS)
        self._found: Finding | None = None

    def look(self, challenger: Arm, champion: Arm, *, is_over: bool) -> Finding:
        """Look, if enough came since the last time."""
        mine, theirs = challenger.sample, champion.sample
        if min(mine.units, theirs.units) < FEWEST_UNITS:
            return _few_units("shift", self._is_required, mine.units, theirs.units)
        if self._looks.is_due(mine.units) or self._found is None:
            self._found = self._compare(mine.predictions, theirs.predictions)
        return self._found

    def _compare(self, mine: Bins, theirs: Bins) -> Finding:
        distance, alpha = kolmogorov_smirnov(mine, theirs), self._alpha * self._looks.share()
        moved = distance.moved * PREDICTION_BIN
        since = _moved_since(self._training.challenger, mine)
        theirs_since = _moved_since(self._training.champion, theirs)
        unlike_training = since is None or since - (theirs_since or 0.0) >= self._limit
        verdict, doubt = weighed(moved >= self._limit and unlike_training, distance.chance, alpha)
        said = f"its predictions lie {moved:.2f} from the champion's on average"
        said += "" if since is None else f", and {since:.2f} from those of its training"
        said += "" if theirs_since is None else f" (the champion's {theirs_since:.2f} from those of its own)"
        numbers = {
            "moved": moved, "moved_since_training": since, "champion_moved_since_training": theirs_since,
            "limit": self._limit, "distance": distance.value,
            "units": sum(mine.values()), "champion_units": sum(theirs.values()),
            "chance": distance.chance, "alpha": alpha, "look": self._looks.taken,
        }  # fmt: skip
        return Finding(criterion="shift", verdict=verdict, reason=f"{said}{doubt}", numbers=numbers)


def _few_units(criterion: str, is_required: bool, units: int, others: int) -> Finding:
    why = f"answers for {units} entities, and {others} of the champion's; {FEWEST_UNITS} on each arm say something"
    return unmeasured(criterion, is_required, why)


def _moved_since(training: Bins | None, now: Bins) -> float | None:
    return kolmogorov_smirnov(now, training).moved * PREDICTION_BIN if training else None


def _yes_share(expected: Bins | None, threshold: float) -> float | None:
    if not expected:
        return None
    return sum(count for place, count in expected.items() if place >= threshold * 1000) / sum(expected.values())


def _expecting(share: float | None) -> str:
    return "" if share is None else f", in its training {share:.1%}"
