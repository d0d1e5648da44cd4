"""The sections of model.yaml that say how a model learns and what it must be worth: training, evaluation, gates."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, model_validator

from flightworthy.spec.quantities import ColumnName, ColumnNames, Scalar, sequence_of
from flightworthy.spec.section import Section, problem

__all__ = ["LOWER_IS_BETTER", "METRICS", "Evaluation", "Gate", "Training"]

Metric = Literal["roc_auc", "average_precision", "log_loss", "brier", "accuracy", "precision", "recall", "f1"]
METRICS: tuple[str, ...] = Metric.__args__  # type: ignore[attr-defined]
LOWER_IS_BETTER = frozenset({"log_loss", "brier"})
MOST_TRIALS = 100


class Training(Section):
    """What ``train(frame, params, seed)`` is called with."""

    seed: Annotated[int, Field(ge=0, lt=2**32)] = 7
    """Seed of everything random."""
    params: Mapping[str, Scalar] = Field(default_factory=dict)
    """Parameters of every trial."""
    search: Mapping[str, Annotated[tuple[Scalar, ...], BeforeValidator(sequence_of), Field(min_length=1)]] = Field(
        default_factory=dict
    )
    """Parameters to try; each combination of their values is one trial."""
    select: Metric = "log_loss"
    """Metric by which the best trial is chosen, on the validation rows."""

    @model_validator(mode="after")
    def _search_what_is_free(self) -> Training:
        twice = sorted(self.params.keys() & self.search.keys())
        if twice:
            raise problem(f"{', '.join(twice)}: both fixed in params and searched; keep one of the two")
        count = math.prod(len(values) for values in self.search.values())
        if count > MOST_TRIALS:
            raise problem(
                f"search has {count} combinations; {MOST_TRIALS} is the most, since each is a task of its own"
            )
        return self

    @property
    def trials(self) -> tuple[dict[str, Scalar], ...]:
        """The parameters of every trial, in the order written; one trial where nothing is searched."""
        points = itertools.product(*self.search.values())
        return tuple({**self.params, **dict(zip(self.search, point, strict=True))} for point in points)


class Evaluation(Section):
    """How challenger and champion are measured on the holdout."""

    threshold: Annotated[float, Field(gt=0, lt=1)] = 0.5
    """Probability from which a row counts as positive."""
    slices: ColumnNames = ()
    """Features by whose values every metric is measured too."""
    bootstrap: Annotated[int, Field(ge=20, le=10_000)] = 200
    """Resamples behind every confidence interval."""


class Gate(Section):
    """A rule that a challenger must satisfy."""

    metric: Metric
    """What is measured."""
    slice: ColumnName | None = None
    """A feature of ``evaluation.slices``: the rule must hold for each of its values."""
    at_least: float | None = None
    """The lowest score that passes."""
    at_most: float | None = None
    """The highest score that passes."""
    not_worse_by: Annotated[float, Field(ge=0)] | None = None
    """How much worse than the champion's score, on the same rows, still passes."""
    better_than_baseline: Annotated[float, Field(ge=0)] | None = None
    """How much better than the best single feature's score, on the same rows, it must be."""

    @model_validator(mode="after")
    def _state_a_bound(self) -> Gate:
        bounds = [bound for bound in (self.at_least, self.at_most) if bound is not None]
        if not bounds and self.not_worse_by is None and self.better_than_baseline is None:
            raise problem("needs a bound: at_least, at_most or not_worse_by; or better_than_baseline")
        if self.slice is not None and self.better_than_baseline is not None:
            raise problem("the baseline is measured as a whole: better_than_baseline has no slice")
        if len(bounds) == 2 and bounds[0] > bounds[1]:
            raise problem(
                f"at_least ({bounds[0]:g}) must not be greater than at_most ({bounds[1]:g}): nothing would pass"
            )
        if self.metric in LOWER_IS_BETTER and self.at_most is None and bounds:
            raise problem(f"lower is better for {self.metric}, so that at_least would pass the worst; write at_most")
        if any(bound < 0 or (bound > 1 and self.metric != "log_loss") for bound in bounds):
            raise problem(f"{self.metric} lies between 0 and 1, and so must its bounds")
        return self
