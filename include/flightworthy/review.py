"""The review: challenger and champion measured on the same holdout rows, and what the gates say to it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from flightworthy.comparison import Comparison, compare
from flightworthy.evaluation import Evaluation, Method, Metrics, Scored, evaluate
from flightworthy.gates import Decision, decide
from flightworthy.spec import Spec
from flightworthy.training import Artifacts

__all__ = ["Review", "review"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Review:
    """All that a person needs to follow the decision. The three last are None where there is no champion."""

    decision: Decision
    scored: Scored
    challenger: Evaluation
    champion_scored: Scored | None
    champion: Evaluation | None
    comparison: Comparison | None


def review(
    spec: Spec, *, holdout: Any, challenger: Path, champion: Path | None, artifacts: Artifacts, metrics: Metrics
) -> Review:
    """Score ``holdout`` (a frame that neither of the two was trained on) with both artifacts, and ask the gates.

    The holdout follows from each row's entity alone, so a champion trained on an older dataset version has not seen
    these rows either. Raises ArtifactRefused, and Refused where the holdout cannot tell the two classes apart.
    """
    method = Method(
        metrics=metrics,
        threshold=spec.evaluation.threshold,
        resamples=spec.evaluation.bootstrap,
        seed=spec.training.seed,
    )
    scored = artifacts.score(challenger, spec, holdout)
    measured = evaluate(scored, method)
    if champion is None:
        decision = decide(spec.gates, measured, None, None)
        return Review(
            decision=decision,
            scored=scored,
            challenger=measured,
            champion_scored=None,
            champion=None,
            comparison=None,
        )
    champion_scored = artifacts.score(champion, spec, holdout)
    champion_measured = evaluate(champion_scored, method)
    comparison = compare(scored, champion_scored, method)
    return Review(
        decision=decide(spec.gates, measured, champion_measured, comparison),
        scored=scored,
        challenger=measured,
        champion_scored=champion_scored,
        champion=champion_measured,
        comparison=comparison,
    )
