"""The section of model.yaml that says how a challenger gets its traffic, and what before: a shadow, a yes of people."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from datetime import timedelta
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from flightworthy.spec.quantities import ColumnNames, Cron, Duration, Share, sequence_of
from flightworthy.spec.section import Section, problem, problems

__all__ = ["Approval", "ReleasePlan", "ShadowPlan"]

_NAMED: Mapping[str, Mapping[str, Any]] = {
    "blue-green": {"steps": [100]},
    "all-at-once": {"steps": [100], "warm_time": "0s"},
}
"""Strategies with fewer steps than a canary."""
_SHORT_FOR: Mapping[str, Mapping[str, Any]] = {"one": {}, "not_the_author": {"not_the_author": True}}
_SHORTEST_WAIT = timedelta(seconds=10)


class ShadowPlan(Section):
    """What a challenger must show by answers that nobody gets, before its first share of traffic."""

    bake_time: Duration = Field(default="10m", validate_default=True)
    """How long it answers copies of real requests."""
    min_requests: Annotated[int, Field(ge=1)] = 200
    """Requests that it and the champion must both have answered before it can be judged."""
    max_flip_rate: Share = 0.05
    """Share of entities that may be answered yes by one of the two and no by the other."""


class Approval(Section):
    """Who must say yes before any traffic. ``one`` and ``not_the_author`` are short for the commonest."""

    of: ColumnNames = ()
    """Whose answers count, as Airflow's login knows them; anybody's who may answer where it is empty."""
    at_least: Annotated[int, Field(ge=1, le=20)] = 1
    """How many of them."""
    not_the_author: bool = False
    """Whether nobody counts who triggered the run or last changed the model's folder."""
    within: Duration = Field(default="3d", validate_default=True)
    """How long each answer is waited for; then the release is refused."""

    @model_validator(mode="before")
    @classmethod
    def _spell_out(cls, written: Any) -> Any:
        if not isinstance(written, str):
            return written
        if written not in _SHORT_FOR:
            raise problem(f"must be one of {', '.join(_SHORT_FOR)}, or say of, at_least, not_the_author, within")
        return dict(_SHORT_FOR[written])

    @model_validator(mode="after")
    def _can_be_satisfied(self) -> Approval:
        if self.of and self.at_least > len(self.of):
            raise problem(f"at_least ({self.at_least}) is more than the {len(self.of)} who are named in of")
        if self.within < _SHORTEST_WAIT:
            raise problem(f"within must be at least {_SHORTEST_WAIT.total_seconds():g}s: people have to read first")
        return self


def _growing_to_all_traffic(steps: tuple[int, ...]) -> tuple[int, ...]:
    found = [
        ((place,), f"must be greater than the previous step ({before})")
        for place, (before, step) in enumerate(itertools.pairwise(steps), start=1)
        if step <= before
    ]
    if steps[-1] != 100:
        found.append(((len(steps) - 1,), "must be 100: the last step gives all traffic"))
    if found:
        raise problems(found)
    return steps


Criterion = Literal["errors", "latency", "predictions"]
Step = Annotated[int, Field(ge=1, le=100)]
Steps = Annotated[
    tuple[Step, ...], BeforeValidator(sequence_of), Field(min_length=1), AfterValidator(_growing_to_all_traffic)
]


class ReleasePlan(Section):
    """How a challenger gets its traffic."""

    target: Literal["auto", "process", "container"] = "auto"
    """What serves: a container, a process, or a container wherever there is a Docker engine."""
    strategy: Literal["canary", "blue-green", "all-at-once"] = "canary"
    """By steps; at once and with the old release kept warm; or at once and for good."""
    steps: Steps = (10, 50, 100)
    """Percent of traffic, step by step; must increase and end at 100."""
    bake_time: Duration = Field(default="10m", validate_default=True)
    """How long each step must serve without trouble."""
    min_requests: Annotated[int, Field(ge=1)] = 100
    """Requests that a step must have answered before it can be judged."""
    deadline: Duration = Field(default="1h", validate_default=True)
    """A step without a healthy verdict after this long is withdrawn."""
    max_error_rate: Share = 0.01
    """Share of failed attempts above which the challenger is withdrawn."""
    max_slowdown: Share | None = 0.1
    """How much slower than the champion it may be, at the median."""
    max_p99_latency: Duration | None = None
    """What 99 of 100 of its requests must not take longer than, whatever the champion takes."""
    max_flip_rate: Share | None = 0.2
    """How far its share of positive answers may lie from the champion's and from that of its training."""
    max_prediction_shift: Share | None = 0.15
    """How far its predictions may lie from both on average, in probability."""
    min_positive_share: Share | None = None
    """The least share of positive answers, whatever the champion says."""
    max_positive_share: Share | None = None
    """The largest."""
    required: Annotated[tuple[Criterion, ...], BeforeValidator(sequence_of), Field(min_length=1)] = ("errors",)
    """Evidence without which a step holds; what else is named here counts where there is any."""
    shadow: ShadowPlan | None = None
    """The step before the first share of traffic; without it there is none."""
    warm_time: Duration | None = None
    """How long the release before stays warm after a promotion; without it until its slot is needed."""
    golden_requests: Annotated[int, Field(ge=1, le=1000)] = 20
    """Requests replayed against the challenger before it gets traffic."""
    approval: Approval | None = None
    """Who must say yes before a challenger gets any traffic; none: the gates alone decide."""
    drill: Cron | None = None
    """When it is proven that the previous release could still serve; none: when somebody asks."""

    @model_validator(mode="before")
    @classmethod
    def _fewer_steps(cls, written: Any) -> Any:
        """What a strategy's name says, where it is not written out."""
        said = _NAMED.get(str(written.get("strategy")), {}) if isinstance(written, dict) else {}
        return {**said, **written} if said else written

    @model_validator(mode="after")
    def _mean_one_strategy(self) -> ReleasePlan:
        if self.strategy != "canary" and self.steps != (100,):
            raise problem(f"strategy {self.strategy} has no steps before all traffic; leave steps out, or write canary")
        if self.strategy == "all-at-once" and self.warm_time != timedelta():
            raise problem("strategy all-at-once keeps nothing warm; leave warm_time out, or write blue-green")
        return self

    @model_validator(mode="after")
    def _leave_time_to_bake(self) -> ReleasePlan:
        if self.deadline <= self.bake_time:
            raise problem("deadline must be longer than bake_time, or no step could ever end well")
        if self.shadow is not None and self.deadline <= self.shadow.bake_time:
            raise problem("deadline must be longer than shadow.bake_time, or no shadow could ever end well")
        return self

    @model_validator(mode="after")
    def _require_what_is_judged(self) -> ReleasePlan:
        if "latency" in self.required and self.max_slowdown is None:
            raise problem("required names latency, which max_slowdown: null leaves out; give max_slowdown a share")
        if "predictions" in self.required and self.max_flip_rate is None and self.max_prediction_shift is None:
            raise problem("required names predictions, of which nothing is judged; give max_flip_rate a share")
        if (self.min_positive_share or 0.0) >= (1.0 if self.max_positive_share is None else self.max_positive_share):
            raise problem("min_positive_share must be less than max_positive_share: nothing would pass")
        return self
