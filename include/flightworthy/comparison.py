"""Comparison: challenger and champion on the same holdout rows, by a paired bootstrap."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Self

from flightworthy.errors import Refused
from flightworthy.evaluation import Method, Scored, bootstrap, check, is_evidence, percentile, rows_of
from flightworthy.spec import LOWER_IS_BETTER

__all__ = ["Comparison", "Worsening", "compare"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Worsening:
    """By how much the challenger is worse than the champion; negative where it is better, also where lower is better.

    ``bound`` is the 95th percentile of the paired bootstrap: with 95 % confidence it is not worse by more than this.
    """

    value: float
    bound: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """Challenger against champion on the same holdout rows."""

    rows: int
    metrics: Mapping[str, Worsening]
    slices: Mapping[str, Mapping[str, Mapping[str, Worsening]]]
    """Feature → its value → metric; a value without evidence is absent."""

    def pack(self) -> dict[str, Any]:
        """As JSON types."""
        return asdict(self)

    @classmethod
    def unpack(cls, packed: Mapping[str, Any]) -> Self:
        """What ``pack`` made."""
        return cls(
            rows=packed["rows"],
            metrics=_worsenings(packed["metrics"]),
            slices={
                name: {value: _worsenings(found) for value, found in values.items()}
                for name, values in packed["slices"].items()
            },
        )


def compare(challenger: Scored, champion: Scored, method: Method) -> Comparison:
    """Compare two models' predictions of the same rows, by a paired bootstrap. Raises Refused where rows differ."""
    check(challenger)
    check(champion)
    if list(challenger.labels) != list(champion.labels):
        raise Refused(
            f"Challenger ({len(challenger.labels)} rows) and champion ({len(champion.labels)} rows) were scored on "
            "different holdout rows, so they cannot be compared. Score both on the holdout of one dataset version.",
            challenger_rows=len(challenger.labels),
            champion_rows=len(champion.labels),
        )
    return Comparison(
        rows=len(challenger.labels),
        metrics=_worsening(challenger, champion, range(len(challenger.labels)), method),
        slices={
            name: {
                value: _worsening(challenger, champion, rows, method)
                for value, rows in rows_of(values).items()
                if is_evidence([challenger.labels[row] for row in rows])
            }
            for name, values in challenger.slices.items()
        },
    )


def _worsening(challenger: Scored, champion: Scored, rows: Sequence[int], method: Method) -> dict[str, Worsening]:
    labels = [challenger.labels[row] for row in rows]
    ours, theirs = ([scored.predictions[row] for row in rows] for scored in (challenger, champion))
    our_values, their_values = (
        method.metrics.measure(labels, predictions, threshold=method.threshold) for predictions in (ours, theirs)
    )
    our_drawn, their_drawn = (bootstrap(labels, predictions, method) for predictions in (ours, theirs))
    found = {}
    for name in our_values:
        sign = 1.0 if name in LOWER_IS_BETTER else -1.0
        drawn = [sign * (our - their) for our, their in zip(our_drawn[name], their_drawn[name], strict=True)]
        value = sign * (our_values[name] - their_values[name])
        if math.isfinite(value):
            found[name] = Worsening(value=value, bound=percentile(drawn, 95.0))
    return found


def _worsenings(packed: Mapping[str, Mapping[str, float]]) -> dict[str, Worsening]:
    return {name: Worsening(**worsening) for name, worsening in packed.items()}
