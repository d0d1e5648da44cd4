"""What a release is, and the one row per model that says where it stands.

A model has two slots for servers and one integer for traffic, ``share_b``: no flip in two steps to be interrupted.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Literal, Protocol

from flightworthy.errors import ReleaseRefused
from flightworthy.ledger import Draft, Entry
from flightworthy.release.approval import Answer
from flightworthy.release.drill import Drill, DrillResult
from flightworthy.release.healing import Healing

Target = Literal["process", "container"]
Slot = Literal["a", "b"]


class Phase(StrEnum):
    """Where a model's row stands. Only ``steady`` takes a new proposal."""

    STEADY = "steady"
    """The champion has all traffic, or there is no champion yet."""
    STARTING = "starting"
    """A challenger is being started and vetted; it has no traffic."""
    SHADOW = "shadow"
    """The challenger answers real requests too; its answers are compared, and nobody gets them."""
    CANARY = "canary"
    """The challenger has the share of its current step."""
    RETURNING = "returning"
    """A former champion is being started again to take over; it has no traffic yet."""


Criterion = Literal["errors", "latency", "predictions"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """By what else than errors a canary is judged. Shares are 0 to 1; None is a criterion that is not asked for."""

    max_slowdown: float | None
    """How much slower than the champion, at the median."""
    max_p99_latency: timedelta | None
    max_flip_rate: float | None
    """How far the arms' shares of positive answers may lie apart."""
    max_prediction_shift: float | None
    """How far the arms' predictions may lie apart on average."""
    min_positive_share: float | None
    max_positive_share: float | None
    threshold: float
    """The probability from which an answer counts as positive."""
    required: tuple[Criterion, ...]
    """Criteria without whose evidence no step is healthy; others count where there is evidence."""


NO_LIMITS = Limits(
    max_slowdown=None, max_p99_latency=None, max_flip_rate=None, max_prediction_shift=None,
    min_positive_share=None, max_positive_share=None, threshold=0.5, required=("errors",),
)  # fmt: skip
"""Judged by errors alone, as every release was that was proposed before there was more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shadow:
    """What a challenger must show before its first share of traffic, by answers that nobody gets."""

    bake_time: timedelta
    min_requests: int
    """Requests that both releases must have answered, so that their answers can be compared."""
    max_flip_rate: float
    """The share of entities, 0 to 1, that may be answered yes by one release and no by the other."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Strategy:
    """How a challenger earns traffic.

    ``steps`` are shares of traffic in percent, growing, the last one 100: reaching it is the promotion. Each step
    serves for ``bake_time`` at least, and has until ``deadline`` to show what it needs; so have the start and the
    shadow, where there is one.
    """

    steps: tuple[int, ...]
    bake_time: timedelta
    min_requests: int
    deadline: timedelta
    max_error_rate: float
    limits: Limits
    shadow: Shadow | None = None
    warm_time: timedelta | None = None
    """How long the release that it replaces is kept warm; None: until another takes its slot."""

    def __post_init__(self) -> None:
        grows = all(low < high for low, high in zip(self.steps, self.steps[1:], strict=False))
        if not self.steps or not grows or self.steps[0] < 1 or self.steps[-1] != 100:
            raise ReleaseRefused(
                f"release steps {list(self.steps)} do not lead from a share to all traffic; "
                "give growing percentages that end at 100, such as [10, 50, 100]",
                steps=list(self.steps),
            )
        if self.min_requests < 1:
            raise ReleaseRefused(
                f"min_requests={self.min_requests} would let a step pass that nobody used; give at least 1",
                min_requests=self.min_requests,
            )

    @property
    def judged_steps(self) -> int:
        """How many times a challenger is judged on its course; reaching the last step is the promotion."""
        return len(self.steps) - 1 + (self.shadow is not None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Release:
    """Everything that going live with one model version, or back to it, needs. Never changed once written."""

    id: str
    model: str
    version: str
    target: Target
    artifact_uri: str
    artifact_digest: str
    image_digest: str | None
    bundle: Mapping[str, str]
    strategy: Strategy


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployment:
    """What one model should serve: the row that every decision swaps and that all else is made equal to.

    ``previous`` is what a rollback restores. It was a champion, is kept warm in the other slot, and may answer when the
    champion's server cannot; a challenger may not.
    """

    model: str
    generation: int
    slot_a: str | None
    slot_b: str | None
    share_b: int
    champion: str | None
    challenger: str | None
    previous: str | None
    phase: Phase
    step: int
    since_at: datetime | None

    @staticmethod
    def empty(model: str) -> Deployment:
        """The row of a model that never released anything."""
        return Deployment(
            model=model, generation=0, slot_a=None, slot_b=None, share_b=0, champion=None, challenger=None,
            previous=None, phase=Phase.STEADY, step=0, since_at=None,
        )  # fmt: skip

    def release_in(self, slot: Slot) -> str | None:
        return self.slot_a if slot == "a" else self.slot_b

    def slot_of(self, release_id: str | None) -> Slot | None:
        if release_id is None:
            return None
        return "a" if release_id == self.slot_a else "b" if release_id == self.slot_b else None

    @property
    def challenger_share(self) -> int:
        """The challenger's share of traffic in percent; it has one only as a canary."""
        if self.challenger is None or self.phase is not Phase.CANARY:
            return 0
        return self.share_b if self.slot_of(self.challenger) == "b" else 100 - self.share_b


@dataclass(frozen=True, slots=True, kw_only=True)
class Observation:
    """What the deployer last saw to be so. ``generation`` is the newest one whose traffic the router confirmed."""

    model: str
    generation: int
    share_b: int
    healthy: tuple[str, ...]
    note: str
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How a release's course ended."""

    release_id: str
    kind: Literal["promoted", "withdrawn", "rolled_back"]
    reason: str
    generation: int
    at: datetime


class ReleaseStore(Protocol):
    """Where rows, releases and the ledger are kept; in memory for tests, in SQL for work."""

    def deployment(self, model: str) -> Deployment: ...
    def deployments(self) -> list[Deployment]: ...
    def add_release(self, release: Release) -> None: ...
    def restock(self, release: Release) -> None: ...
    def release(self, release_id: str) -> Release: ...
    def releases(self, model: str) -> list[Release]: ...
    def swap(self, before: Deployment, after: Deployment, entry: Draft) -> Deployment: ...
    def remark(self, entry: Draft) -> Entry: ...
    def history(self, model: str | None = None) -> list[Entry]: ...
    def head(self) -> str: ...
    def observe(self, observation: Observation) -> None: ...
    def observation(self, model: str) -> Observation | None: ...
    def note_healing(self, healing: Healing) -> None: ...
    def healings(self, model: str, *, limit: int) -> list[Healing]: ...
    def note_missing(self, found: Mapping[str, str | None], *, at: datetime) -> None: ...
    def missing(self) -> dict[str, str]: ...
    def open_drill(self, model: str, release: str, *, actor: str, at: datetime) -> Drill: ...
    def end_drill(self, number: int, result: DrillResult) -> None: ...
    def open_drills(self) -> list[Drill]: ...
    def last_drill(self, model: str) -> Drill | None: ...
    def drill(self, number: int) -> Drill: ...
    def keep_answer(self, answer: Answer) -> None: ...
    def answers(self, digest: str) -> list[Answer]: ...
    def keep_evidence(self, body: str) -> str: ...
    def evidence(self, digest: str) -> str | None: ...


def release_id(model: str, version: str, artifact_digest: str) -> str:
    """The name of a release: the same content under the same version is the same release."""
    return f"{model}-{version}-{artifact_digest[:8]}"
