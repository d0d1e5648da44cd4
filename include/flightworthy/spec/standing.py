"""A whole spec: a model's standing order, and the rules that hold between its sections."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, model_validator

from flightworthy.known import KnownSince
from flightworthy.partition import key_of
from flightworthy.personal import Treatment, Way
from flightworthy.spec.in_service import Drift, Requests, Retention
from flightworthy.spec.inputs import Dataset, Feature, Schedule, Source
from flightworthy.spec.learning import Evaluation, Gate, Training
from flightworthy.spec.personal import Personal
from flightworthy.spec.quantities import ColumnName, Label, sequence_of
from flightworthy.spec.releasing import ReleasePlan
from flightworthy.spec.section import Section, problems

__all__ = ["MODEL_NAME", "Spec"]

MODEL_NAME = r"^[a-z][a-z0-9]*(?:[_-][a-z0-9]+)*$"
"""What a model's name may be, in 63 characters at most."""

At = tuple[str | int, ...]


class Spec(Section):
    """``model.yaml`` parsed."""

    folder: Path = Field(default=Path(), exclude=True)
    """Where the model's files are; known from where model.yaml lies, never written in it."""
    model: Annotated[str, Field(pattern=MODEL_NAME, max_length=63)]
    """The model's name, which is its folder's name: part of DAG ids, URLs, paths and image names."""
    description: str = ""
    """What the model is for, in a sentence."""
    owner: Annotated[str, Field(min_length=1)]
    """Who answers for it."""
    entity: ColumnName
    """Column that names the subject; rows are split, and requests routed, by it."""
    target: ColumnName
    """Column to predict."""
    positive: Label = 1
    """The value of the target whose probability is predicted."""
    features: Annotated[Mapping[str, Feature], Field(min_length=1)]
    """Columns that the model sees, in this order."""
    personal: Personal = Field(default_factory=Personal)
    """Which columns name a person."""
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
    requests: Requests = Field(default_factory=Requests)
    """What becomes of requests unlike the rows that it was trained on."""
    drift: Drift = Field(default_factory=Drift)
    """When the champion is doubted."""
    retention: Retention = Field(default_factory=Retention)
    """What is kept of what does not serve."""

    def treatment(self, column: str) -> Treatment | None:
        """What becomes of a column's cells before they are written; None where it names nobody."""
        said = self.personal.columns.get(column)
        return None if said is None else said.treatment

    @property
    def config_digest(self) -> str:
        """sha256 of what the spec says, whatever its comments, key order and spelling of defaults.

        Without ``source.uri`` and ``source.largest``: the dataset's own digest names the data; where it lay, and how
        large a file may be, differs between machines.
        Without ``retention``, ``release.approval``, ``release.drill`` and ``dataset.revisions``, which make no version
        another one.
        """
        left_out: Any = {
            "source": {"uri", "largest"},
            "dataset": {"revisions"},
            "retention": True,
            "release": {"approval", "drill"},
        }
        said = self.model_dump(mode="json", exclude=left_out)
        said["features"] = list(said["features"].items())  # their order is the order of an estimator's inputs
        canonical = json.dumps(said, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        return hashlib.sha256(canonical.encode()).hexdigest()

    @property
    def rows_known_since(self) -> KnownSince | None:
        """``source.known_since`` as the domain takes it."""
        said = self.source.known_since
        return None if said is None else KnownSince(columns=said.columns, written=said.format, target=self.target)

    @property
    def column_types(self) -> dict[str, str]:
        """What each column is read as: number, integer, category or boolean. The target is what ``positive`` is."""
        target = {bool: "boolean", int: "integer", str: "category"}[type(self.positive)]
        # As it is written: 01.10 is no number.
        times = dict.fromkeys(self.source.known_since.columns if self.source.known_since else (), "category")
        return {**times, **{name: feature.type for name, feature in self.features.items()}, self.target: target}

    @model_validator(mode="after")
    def _agree(self) -> Spec:
        found = [
            *_about_columns(self),
            *_about_personal(self),
            *_about_slices(self),
            *_about_requests(self),
            *_about_cadence(self),
        ]
        if found:
            raise problems(found)
        return self


def _about_columns(spec: Spec) -> Iterator[tuple[At, str]]:
    if spec.target in spec.features:
        yield ("features", spec.target), "is the target and must not be a feature: the model would be told the answer"
    if spec.entity in spec.features:
        yield ("features", spec.entity), "is the entity and must not be a feature: the model would learn names by heart"
    if spec.target == spec.entity:
        yield ("target",), "must not be the entity"
    for place, name in enumerate(spec.source.known_since.columns if spec.source.known_since else ()):
        if name in spec.features:
            yield (
                ("source", "known_since", "columns", place),
                "must not be a feature: the model would be told what nobody knew when the row happened",
            )
    known = {name.lower(): name for name in (spec.entity, spec.target)}
    for name in spec.features:
        if (other := known.setdefault(name.lower(), name)) != name:
            yield ("features", name), f"differs from {other} only in case: databases take one for the other"


_FEATURE_TYPES = {
    Way.PSEUDONYM: {"category"}, Way.PREFIX: {"category"}, Way.ZIP3: {"category"}, Way.DATE: {"category"},
    Way.BUCKET: {"number", "integer"},
}  # fmt: skip
"""What a feature must be once it was treated."""


def _about_personal(spec: Spec) -> Iterator[tuple[At, str]]:
    times = _times(spec.source)
    for name, column in spec.personal.columns.items():
        at, way = ("personal", "columns", name), column.treatment.way
        if name in spec.personal.not_personal:
            yield at, "is under not_personal too; it cannot be both"
        if name == spec.target:
            yield at, "is the target, which is learnt as it is"
        if name == spec.entity and way is not Way.PSEUDONYM:
            yield at, "is the entity: only a pseudonym still tells one from another"
        if name in times:
            yield at, f"says {times[name]}, and is needed as it is"
        feature = spec.features.get(name)
        if feature is not None and feature.type not in _FEATURE_TYPES.get(way, set()):
            yield at, _about_feature(way)
        elif feature is not None and feature.values is not None and way is Way.PSEUDONYM:
            yield ("features", name, "values"), "cannot be listed: what is stored, and asked, are pseudonyms"


def _times(source: Source) -> dict[str, str]:
    """What each column of times says of its row."""
    known = dict.fromkeys(source.known_since.columns if source.known_since else (), "since when a row is known")
    return {**known, **dict.fromkeys(source.event_time.columns if source.event_time else (), "when a row happened")}


def _about_feature(way: Way) -> str:
    if way is Way.DROP:
        return "is a feature, and cannot be left out of the rows; leave it out of the features too"
    types = " or ".join(sorted(_FEATURE_TYPES[way]))
    return f"is a feature of another type than {way} leaves: make it a {types}"


def _about_slices(spec: Spec) -> Iterator[tuple[At, str]]:
    for place, name in enumerate(spec.evaluation.slices):
        feature = spec.features.get(name)
        if feature is None or feature.type not in {"category", "boolean"}:
            yield ("evaluation", "slices", place), "must be one of the features, a category or boolean"
    for place, gate in enumerate(spec.gates):
        if gate.slice is not None and gate.slice not in spec.evaluation.slices:
            known = ", ".join(spec.evaluation.slices) or "empty"
            yield ("gates", place, "slice"), f"must be one of evaluation.slices ({known})"


def _about_requests(spec: Spec) -> Iterator[tuple[At, str]]:
    if spec.requests.unseen_category != "missing":
        return
    for name, feature in spec.features.items():
        if feature.type == "category" and not feature.nullable and name not in spec.personal.columns:
            yield (
                ("requests", "unseen_category"),
                f"cannot be where {name} may not be missing; make it nullable, or write flag or refuse",
            )


_SOME_DAY = datetime(2026, 1, 5, 10, 0, tzinfo=UTC)


def _about_cadence(spec: Spec) -> Iterator[tuple[At, str]]:
    """Two data intervals must not share a key: the second would replace the first one's partition."""
    minute, hour, day, month, weekday = spec.schedule.cron.split()
    if not minute.isdigit():
        shortest, words = timedelta(minutes=1), "every few minutes"
    elif not hour.isdigit():
        shortest, words = timedelta(hours=1), "every few hours"
    elif weekday.isalnum() and day == "*":
        shortest, words = timedelta(days=7), "every week"
    elif not day.isdigit() or weekday != "*":
        shortest, words = timedelta(days=1), "every day"
    elif not month.isdigit():
        shortest, words = timedelta(days=31), "every month"
    else:
        return
    pattern = spec.source.partition
    if key_of(_SOME_DAY, pattern) == key_of(_SOME_DAY + shortest, pattern):
        yield (
            ("source", "partition"),
            f"is too coarse for schedule.cron, which runs {words}: several runs would share a key",
        )
