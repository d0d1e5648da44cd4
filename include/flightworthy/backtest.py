"""The backtest: what a model's versions of past intervals were worth, each measured as of its own time.

A backfill keeps one `Point` per interval. It is what a person looks at, over time; and it is how the same backfill
knows that an interval was done: by the content key of all its work, and without asking anything that takes long.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Literal, Protocol, Self

from flightworthy.artifact import digest_of
from flightworthy.evaluation import Estimate, Evaluation, estimates
from flightworthy.ledger import Entry, standing_at
from flightworthy.registry import ModelVersion
from flightworthy.review import Contender, Review

__all__ = [
    "BacktestStore",
    "Measured",
    "Other",
    "Point",
    "measured",
    "newest",
    "predecessor_of",
    "served_at",
    "work_of",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Other:
    """Whom a version was measured beside, on the same rows."""

    kind: Literal["champion", "predecessor", "baseline"]
    name: str
    metrics: Mapping[str, Estimate]


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """What the evaluation of an interval found. ``work`` is the key of all that decided it."""

    partition_key: str
    work: str
    dataset_digest: str
    rows: int
    positives: int
    metrics: Mapping[str, Estimate]
    opponent: Other | None
    baseline: Other
    objections: tuple[str, ...]
    report: str

    def pack(self) -> dict[str, Any]:
        """As JSON types."""
        return {**asdict(self), "objections": list(self.objections)}

    @classmethod
    def unpack(cls, packed: Mapping[str, Any]) -> Self:
        """What ``pack`` made. Raises TypeError on a missing or unknown field."""
        baseline, opponent = _other(packed["baseline"]), packed["opponent"]
        return cls(
            **{
                **packed,
                "metrics": estimates(packed["metrics"]),
                "opponent": None if opponent is None else _other(opponent),
                "baseline": baseline,
                "objections": tuple(packed["objections"]),
            }
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """One interval of the backtest: the version that its backfill registered, or found, and what it was worth."""

    model: str
    version: int
    measured: Measured

    def pack(self) -> dict[str, Any]:
        """As JSON types."""
        return {"model": self.model, "version": self.version, "measured": self.measured.pack()}

    @classmethod
    def unpack(cls, packed: Mapping[str, Any]) -> Self:
        """What ``pack`` made."""
        return cls(**{**packed, "measured": Measured.unpack(packed["measured"])})


class BacktestStore(Protocol):
    """Where points are kept."""

    def keep(self, point: Point) -> None:
        """Keep a point in place of one of the same interval and work; all of it, or nothing."""
        ...

    def points(self, model: str, partition_key: str | None = None) -> Sequence[Point]:
        """Every point of a model, or of one interval; in time order, then by version."""
        ...


def work_of(keys: Iterable[str], *, config_digest: str, champion: str | None) -> str:
    """The key of an interval's work: its trials' content keys, what model.yaml says, and who served then."""
    return digest_of({"trials": sorted(keys), "config": config_digest, "champion": champion})


def served_at(history: Iterable[Entry], at: datetime) -> str | None:
    """The release that was champion at ``at``, by the ledger; history does not change, so neither does the answer."""
    champion = standing_at(history, at).champion
    return None if champion is None else champion.release


def predecessor_of(versions: Iterable[ModelVersion], partition_key: str) -> ModelVersion | None:
    """The newest version of the latest interval before this one; intervals are done in any order, so perhaps none."""
    before = [each for each in versions if "" < each.tags.get("partition_key", "") < partition_key]
    return max(before, key=lambda each: (each.tags["partition_key"], each.version), default=None)


def newest(points: Iterable[Point]) -> list[Point]:
    """For each interval the point of its highest version: what the code and the spec of last time made of it."""
    by_key: dict[str, Point] = {}
    for point in sorted(points, key=lambda each: (each.measured.partition_key, each.version)):
        by_key[point.measured.partition_key] = point
    return list(by_key.values())


def measured(review: Review, *, partition_key: str, work: str, dataset_digest: str, report: str) -> Measured:
    """What of a review is kept."""
    found: Evaluation = review.challenger
    return Measured(
        partition_key=partition_key,
        work=work,
        dataset_digest=dataset_digest,
        rows=found.rows,
        positives=found.positives,
        metrics=found.metrics,
        opponent=None if review.opponent is None else _beside(review.opponent),
        baseline=_beside(review.baseline),
        objections=tuple(str(objection) for objection in review.decision.objections),
        report=report,
    )


def _beside(contender: Contender) -> Other:
    return Other(kind=contender.kind, name=contender.name, metrics=contender.evaluation.metrics)


def _other(packed: Mapping[str, Any]) -> Other:
    return Other(**{**packed, "metrics": estimates(packed["metrics"])})
