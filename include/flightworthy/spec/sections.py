"""The sections of model.yaml, as types: what may be written in each, with which default, within which bounds."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator
from pydantic_core import PydanticCustomError

from flightworthy.spec.quantities import ColumnName, Cron, Duration, Instant, Scalar, Share, sequence_of

__all__ = [
    "LOWER_IS_BETTER",
    "METRICS",
    "Dataset",
    "Drift",
    "Evaluation",
    "EventTime",
    "Feature",
    "Gate",
    "ReleasePlan",
    "Schedule",
    "Section",
    "Source",
    "Training",
]

Metric = Literal["roc_auc", "average_precision", "log_loss", "brier", "accuracy", "precision", "recall", "f1"]
METRICS: tuple[str, ...] = Metric.__args__  # type: ignore[attr-defined]
LOWER_IS_BETTER = frozenset({"log_loss", "brier"})


class Section(BaseModel):
    """A part of a spec: immutable, no unknown keys, no conversions that guess."""

    model_config = ConfigDict(
        frozen=True, strict=True, extra="forbid", allow_inf_nan=False, use_attribute_docstrings=True
    )


class Feature(Section):
    """One column that the model sees; ``age: integer`` is short for ``age: {type: integer}``."""

    type: Literal["number", "integer", "category", "boolean"]
    """How the column is read, checked and sent in a request."""
    nullable: bool = False
    """Whether it may be missing."""
    minimum: float | None = None
    """Lowest allowed value of a number or integer."""
    maximum: float | None = None
    """Highest allowed value of a number or integer."""
    values: Annotated[tuple[str, ...], BeforeValidator(sequence_of)] | None = None
    """The allowed categories, as text."""

    @model_validator(mode="before")
    @classmethod
    def _spell_out(cls, written: Any) -> Any:
        return {"type": written} if isinstance(written, str) else written


class EventTime(Section):
    """Where each row of one big file says when it happened; rows are picked by their partition key."""

    columns: Annotated[tuple[ColumnName, ...], BeforeValidator(sequence_of), Field(min_length=1)]
    """Columns whose values, joined by a blank, are the time."""
    format: str
    """How that time is written, as ``strptime`` reads it."""


class Source(Section):
    """Where partitions come from."""

    uri: str
    """An fsspec URL or path of a .csv or .parquet file; ``{partition}`` stands for the partition key."""
    partition: str
    """The partition key of a data interval: its start, as ``strftime`` writes it."""
    event_time: EventTime | None = None
    """Present where one file holds all partitions; then ``uri`` has no ``{partition}``."""


class Schedule(Section):
    """When a deployment runs by time."""

    cron: Cron
    """Five fields: minute, hour, day, month, weekday (UTC)."""
    start_at: Instant
    """Start of the first data interval."""


class Dataset(Section):
    """Which partitions make a dataset version, and how its rows are split."""

    window: Annotated[int, Field(ge=1)] = 52
    """How many of the newest partitions are used."""
    validation: Annotated[Share, Field(gt=0, lt=1)] = 0.2
    """Share of entities on which trials are compared."""
    holdout: Annotated[Share, Field(gt=0, lt=1)] = 0.2
    """Share of entities kept from training for ever; gates are decided on it."""


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

    @property
    def trials(self) -> tuple[dict[str, Scalar], ...]:
        """The parameters of every trial, in the order written; one trial where nothing is searched."""
        points = itertools.product(*self.search.values())
        return tuple({**self.params, **dict(zip(self.search, point, strict=True))} for point in points)


class Evaluation(Section):
    """How challenger and champion are measured on the holdout."""

    threshold: Annotated[float, Field(gt=0, lt=1)] = 0.5
    """Probability from which a row counts as positive."""
    slices: Annotated[tuple[ColumnName, ...], BeforeValidator(sequence_of)] = ()
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

    @model_validator(mode="after")
    def _state_a_bound(self) -> Gate:
        if self.at_least is None and self.at_most is None and self.not_worse_by is None:
            raise PydanticCustomError("spec", "needs a bound: at_least, at_most or not_worse_by")
        if self.at_least is not None and self.at_most is not None and self.at_least > self.at_most:
            message = (
                f"at_least ({self.at_least:g}) must not be greater than at_most ({self.at_most:g}): nothing would pass"
            )
            raise PydanticCustomError("spec", "{problem}", {"problem": message})
        return self


Step = Annotated[int, Field(ge=1, le=100)]


class ReleasePlan(Section):
    """How a challenger gets its traffic."""

    target: Literal["auto", "process", "container"] = "auto"
    """What serves: a container, a process, or a container wherever there is a Docker engine."""
    steps: Annotated[tuple[Step, ...], BeforeValidator(sequence_of), Field(min_length=1)] = (10, 50, 100)
    """Percent of traffic, step by step; must increase and end at 100."""
    bake_time: Duration = Field(default="10m", validate_default=True)  # type: ignore[assignment]
    """How long each step must serve without trouble."""
    min_requests: Annotated[int, Field(ge=1)] = 100
    """Requests that a step must have answered before it can be judged."""
    deadline: Duration = Field(default="1h", validate_default=True)  # type: ignore[assignment]
    """A step without a healthy verdict after this long is withdrawn."""
    max_error_rate: Share = 0.01
    """Share of failed attempts above which the challenger is withdrawn."""
    golden_requests: Annotated[int, Field(ge=1, le=1000)] = 20
    """Requests replayed against the challenger before it gets traffic."""


class Drift(Section):
    """When requests are compared with the data that the champion learnt from."""

    cron: Cron = "0 * * * *"
    """When the prediction log is looked at."""
    min_requests: Annotated[int, Field(ge=1)] = 500
    """Fewer requests than this say nothing."""
    drifted_share: Annotated[Share, Field(gt=0)] = 0.3
    """Share of drifted features from which the model counts as drifted."""
    windows: Annotated[int, Field(ge=1)] = 1
    """How many looks in a row must say so."""
    cool_down: Duration = Field(default="1d", validate_default=True)  # type: ignore[assignment]
    """How long after one retraining drift starts no other."""
