"""A whole spec: a model's standing order, and the rules that hold between its sections."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated

from pydantic import BeforeValidator, Field, model_validator
from pydantic_core import PydanticCustomError

from flightworthy.spec.quantities import ColumnName, sequence_of
from flightworthy.spec.sections import (
    Dataset,
    Drift,
    Evaluation,
    Feature,
    Gate,
    ReleasePlan,
    Schedule,
    Section,
    Source,
    Training,
)

__all__ = ["Spec"]

At = tuple[str | int, ...]


class Spec(Section):
    """``model.yaml`` parsed."""

    folder: Path = Field(default=Path(), exclude=True)
    """Where the model's files are; known from where model.yaml lies, never written in it."""
    model: Annotated[str, Field(pattern=r"^[a-z][a-z0-9]*(?:[_-][a-z0-9]+)*$", max_length=63)]
    """The model's name, which is its folder's name: part of DAG ids, URLs, paths and image names."""
    description: str = ""
    """What the model is for, in a sentence."""
    owner: Annotated[str, Field(min_length=1)]
    """Who answers for it."""
    entity: ColumnName
    """Column that names the subject; rows are split, and requests routed, by it."""
    target: ColumnName
    """Column to predict."""
    positive: bool | int | str = 1
    """The value of the target whose probability is predicted."""
    features: Annotated[Mapping[str, Feature], Field(min_length=1)]
    """Columns that the model sees, in this order."""
    source: Source
    """Where partitions come from."""
    schedule: Schedule
    """When a deployment runs by time."""
    dataset: Dataset = Field(default_factory=Dataset)
    """Which partitions, and how they are split."""
    training: Training = Field(default_factory=Training)
    """What train.py is called with."""
    evaluation: Evaluation = Field(default_factory=Evaluation)
    """How versions are measured."""
    gates: Annotated[tuple[Gate, ...], BeforeValidator(sequence_of), Field(min_length=1)]
    """What a challenger must satisfy."""
    release: ReleasePlan = Field(default_factory=ReleasePlan)
    """How it gets its traffic."""
    drift: Drift = Field(default_factory=Drift)
    """When the champion is doubted."""

    @property
    def config_digest(self) -> str:
        """sha256 of what the spec says, whatever its comments, key order and spelling of defaults.

        Without ``source.uri``: the dataset's own digest names the data, and where it lay differs between machines.
        """
        said = self.model_dump(mode="json", exclude={"source": {"uri"}})
        canonical = json.dumps(said, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        return hashlib.sha256(canonical.encode()).hexdigest()

    @model_validator(mode="after")
    def _agree(self) -> Spec:
        problems = [{"at": at, "message": message} for at, message in _disagreements(self)]
        if problems:
            joined = "; ".join(f"{'.'.join(map(str, p['at']))}: {p['message']}" for p in problems)
            raise PydanticCustomError("spec", "{joined}", {"joined": joined, "problems": problems})
        return self


def _disagreements(spec: Spec) -> Iterator[tuple[At, str]]:
    yield from _columns(spec)
    yield from _source(spec)
    yield from _split(spec)
    yield from _steps(spec)
    yield from _slices(spec)


def _columns(spec: Spec) -> Iterator[tuple[At, str]]:
    for role, column in (("target", spec.target), ("entity", spec.entity)):
        if column in spec.features:
            yield (
                ("features", column),
                f"is the {role} and must not be a feature: the model would be told the answer"
                if role == "target"
                else "is the entity and must not be a feature: the model would learn names",
            )
    if spec.target == spec.entity:
        yield ("target",), f"must not be the entity ({spec.entity})"


def _source(spec: Spec) -> Iterator[tuple[At, str]]:
    has_key = "{partition}" in spec.source.uri
    if spec.source.event_time is None and not has_key:
        yield ("source", "uri"), "must contain {partition}, or source.event_time must say which rows are whose"
    if spec.source.event_time is not None and has_key:
        yield ("source", "uri"), "must not contain {partition}, since source.event_time picks rows out of one file"
    if not spec.source.uri.endswith((".csv", ".parquet")):
        yield ("source", "uri"), "must end in .csv or .parquet"


def _split(spec: Spec) -> Iterator[tuple[At, str]]:
    if spec.dataset.validation + spec.dataset.holdout >= 1:
        yield ("dataset", "holdout"), "leaves nothing to train on: validation and holdout together must be below 100%"


def _steps(spec: Spec) -> Iterator[tuple[At, str]]:
    steps = spec.release.steps
    for place in range(1, len(steps)):
        if steps[place] <= steps[place - 1]:
            yield ("release", "steps", place), f"must be greater than the previous step ({steps[place - 1]})"
    if steps[-1] != 100:
        yield ("release", "steps", len(steps) - 1), "must be 100: the last step gives all traffic to the challenger"


def _slices(spec: Spec) -> Iterator[tuple[At, str]]:
    for place, name in enumerate(spec.evaluation.slices):
        feature = spec.features.get(name)
        if feature is None or feature.type not in {"category", "boolean"}:
            yield ("evaluation", "slices", place), "must be one of the features, of type category or boolean"
    for place, gate in enumerate(spec.gates):
        if gate.slice is not None and gate.slice not in spec.evaluation.slices:
            known = ", ".join(spec.evaluation.slices) or "none"
            yield ("gates", place, "slice"), f"must be one of evaluation.slices ({known})"
