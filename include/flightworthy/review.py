"""The review: challenger, opponent and baseline measured on the same holdout rows, and what the gates say to it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from flightworthy.baseline import Baselines, Worth
from flightworthy.comparison import Comparison, compare
from flightworthy.evaluation import Estimate, Evaluation, Method, Metrics, Scored, evaluate
from flightworthy.gates import Decision, decide
from flightworthy.spec import Spec
from flightworthy.training import Artifacts, Frames

__all__ = ["Contender", "Examiners", "Opponent", "Review", "review"]

Kind = Literal["champion", "predecessor", "baseline"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Opponent:
    """Whose artifact a challenger is compared with.

    A ``champion`` serves, or did at the time that a backfill answers for: gates go by it. A ``predecessor`` is the
    version of an interval before, where nothing served: it is shown, and no gate goes by it.
    """

    kind: Literal["champion", "predecessor"]
    name: str
    version: int
    folder: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Contender:
    """Who else was measured on the holdout, and how the challenger compares."""

    kind: Kind
    name: str
    scored: Scored
    evaluation: Evaluation
    comparison: Comparison


@dataclass(frozen=True, slots=True, kw_only=True)
class Review:
    """All that a person needs to follow the decision. ``opponent`` is None where there was none."""

    decision: Decision
    scored: Scored
    challenger: Evaluation
    opponent: Contender | None
    baseline: Contender

    @property
    def worth(self) -> Worth:
        """What stays with the version, and stands on its model card."""
        return Worth(
            metrics=_certain(self.challenger),
            baseline=self.baseline.name,
            baseline_metrics=_certain(self.baseline.evaluation),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Examiners:
    """What a review needs of the outside."""

    artifacts: Artifacts
    metrics: Metrics
    baselines: Baselines


def review(
    spec: Spec, *, holdout: Any, frames: Frames, challenger: Path, opponent: Opponent | None, examiners: Examiners
) -> Review:
    """Score ``holdout`` (a frame that no model was trained on) with all of them, and ask the gates.

    The holdout follows from each row's entity alone, so an opponent trained on another dataset version has not seen
    these rows either. Raises ArtifactRefused, and Refused where the holdout cannot tell the two classes apart.
    """
    method = Method(
        metrics=examiners.metrics,
        threshold=spec.evaluation.threshold,
        resamples=spec.evaluation.bootstrap,
        seed=spec.training.seed,
    )
    scored = examiners.artifacts.score(challenger, spec, holdout)
    measured = evaluate(scored, method)
    plain = examiners.baselines.score(spec, frames, holdout)
    baseline = _contender("baseline", plain.name, scored, plain.scored, method)
    faced = None
    if opponent is not None:
        theirs = examiners.artifacts.score(opponent.folder, spec, holdout)
        faced = _contender(opponent.kind, opponent.name, scored, theirs, method)
    champion = faced if faced is not None and faced.kind == "champion" else None
    return Review(
        decision=decide(
            spec.gates,
            measured,
            None if champion is None else champion.evaluation,
            None if champion is None else champion.comparison,
            baseline=baseline.comparison,
        ),
        scored=scored,
        challenger=measured,
        opponent=faced,
        baseline=baseline,
    )


def _contender(kind: Kind, name: str, ours: Scored, theirs: Scored, method: Method) -> Contender:
    whole = Scored(labels=ours.labels, predictions=ours.predictions, slices={}) if kind == "baseline" else ours
    return Contender(
        kind=kind,
        name=name,
        scored=theirs,
        evaluation=evaluate(theirs, method),
        comparison=compare(whole, theirs, method),
    )


def _certain(found: Evaluation) -> dict[str, Estimate]:
    """The metrics that have an interval: one that some resample leaves undefined is no figure to stand for itself."""
    return {name: each for name, each in found.metrics.items() if math.isfinite(each.high - each.low)}
