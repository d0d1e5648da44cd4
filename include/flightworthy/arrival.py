"""Arrivals: that a partition has landed, and what became of it: seen, announced, taken by a run, considered.

An announcement is only a knock: which arrival a run takes is decided here, in one transaction of our own, so that a
knock that was lost, merged with others or repeated neither misses a partition nor deploys it twice.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Final, Literal, Protocol

from flightworthy.errors import PartitionRefused, PartitionTaken, Refused
from flightworthy.partition import Arrivals

__all__ = [
    "WAKING",
    "Announcement",
    "Arrival",
    "ArrivalStore",
    "Kind",
    "NewData",
    "Outcome",
    "RunName",
    "Stage",
    "again",
    "arrived",
    "due",
    "take",
]

NewData = Literal["latest", "each"]
"""``latest``: all that wait become one deployment, of the newest. ``each``: one after another, in time order."""

PATIENCE: Final = timedelta(seconds=30)
"""How long an announcement may go without a run before it counts as lost; doubled with each one that was."""
LONGEST_PATIENCE: Final = timedelta(minutes=5)
PATIENCE_WHILE_BUSY: Final = timedelta(hours=1)
"""The same while the model's DAG has a run that is queued or running: that run, or the one behind it, will come."""


class Kind(StrEnum):
    """Whether an arrival asks for a deployment."""

    FRESH = "fresh"
    """Newer than all that were known: it wakes one."""
    LATE = "late"
    """Never seen, yet older than the newest known: material for a backfill."""
    REVISED = "revised"
    """Known, with other content: the next run that reads its key takes it in."""
    CORRECTED = "corrected"
    """Late or revised, of a model whose spec retrains on that: it wakes a deployment of the newest partition."""

    @property
    def wakes(self) -> bool:
        return self in WAKING


WAKING: Final = frozenset({Kind.FRESH, Kind.CORRECTED})


class Stage(StrEnum):
    """How far an arrival has come."""

    SEEN = "seen"
    ANNOUNCED = "announced"
    TAKEN = "taken"
    CONSIDERED = "considered"


@dataclass(frozen=True, slots=True, kw_only=True)
class RunName:
    """A run, as Airflow names it."""

    dag_id: str
    run_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How the run that took an arrival ended: ``failed`` may be retried; ``tasks`` failed, or else were skipped."""

    failed: bool
    tasks: tuple[str, ...]

    def __str__(self) -> str:
        named = ", ".join(self.tasks)
        if self.failed:
            return f"failed at {named}" if named else "failed"
        return f"went through; skipped: {named}" if named else "went through"


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrival:
    """One content of one partition, in the source of one model; ``digest`` is of its files' names, sizes and times.

    Of a partition that shares its file with others it is of its rows.
    """

    model: str
    key: str
    digest: str
    kind: Kind
    seen_at: datetime
    announced_at: datetime | None = None
    announcements: int = 0
    run: RunName | None = None
    taken_at: datetime | None = None
    outcome: Outcome | None = None
    considered_at: datetime | None = None

    @property
    def stage(self) -> Stage:
        if self.considered_at is not None:
            return Stage.CONSIDERED
        if self.run is not None:
            return Stage.TAKEN
        return Stage.SEEN if self.announced_at is None else Stage.ANNOUNCED


@dataclass(frozen=True, slots=True, kw_only=True)
class Announcement:
    """What an event says: the newest partition that waits, and which others do."""

    model: str
    partition: str
    others: tuple[str, ...]

    def pack(self) -> dict[str, Any]:
        """The event's payload."""
        return {"model": self.model, "partition": self.partition, "with": list(self.others)}

    @property
    def keys(self) -> tuple[str, ...]:
        return (*self.others, self.partition)


class ArrivalStore(Protocol):
    """Where arrivals are kept; each method is one transaction."""

    def known(self, model: str) -> Mapping[str, str]:
        """The newest digest of every key that was ever seen."""

    def note(self, arrivals: Sequence[Arrival]) -> None:
        """Keep what was seen. One that is there already, by model, key and digest, stays as it is."""

    def waiting(self) -> Sequence[Arrival]:
        """Those of all models that wake a deployment and that no run has taken, in time order."""

    def taken(self) -> Sequence[Arrival]:
        """Those that a run has taken and that are not considered yet."""

    def failed(self, *, since: datetime) -> Sequence[Arrival]:
        """Those whose run failed, and was seen to have, since then."""

    def of(self, model: str) -> Sequence[Arrival]:
        """All of a model, in time order."""

    def announced(self, announcement: Announcement, *, at: datetime) -> None:
        """Note that it was announced; what a run has taken meanwhile is left alone."""

    def take(self, model: str, run: RunName, *, new_data: NewData, at: datetime) -> Sequence[Arrival]:
        """Give the run what waits (all, or the first); or again what it had taken before. Empty where nothing waits."""

    def conclude(self, run: RunName, outcome: Outcome, *, at: datetime) -> None:
        """Note how the run of taken arrivals ended."""

    def give_up(self, arrivals: Sequence[Arrival]) -> None:
        """Let them wait again, as if nobody had announced or taken them."""


def arrived(seen: Arrivals, *, model: str, first: str, at: datetime, retrained_window: int = 0) -> tuple[Arrival, ...]:
    """What one look found, to be noted. Partitions before the key ``first`` wake nobody, however new they are.

    Of the newest ``retrained_window`` partitions what comes late or revised wakes a deployment too.
    """
    learnt = [key for key in sorted(seen.known)[-retrained_window:] if key >= first] if retrained_window else []
    kinds = {
        **{key: Kind.FRESH if key >= first else Kind.LATE for key in seen.fresh},
        **{key: Kind.CORRECTED if key in learnt else Kind.LATE for key in seen.late},
        **{key: Kind.CORRECTED if key in learnt else Kind.REVISED for key in seen.revised},
    }
    return tuple(
        Arrival(model=model, key=key, digest=seen.known[key], kind=kind, seen_at=at)
        for key, kind in sorted(kinds.items())
    )


def due(waiting: Sequence[Arrival], *, new_data: NewData, now: datetime, is_busy: bool) -> Announcement | None:
    """What of one model's ``waiting`` arrivals to announce now, unless a run is on its way for one announced before.

    One knock at a time, so that none can be merged; the run that it wakes takes what waits by then.
    """
    if not waiting:
        return None
    made = [(each.announced_at, each) for each in waiting if each.announced_at is not None]
    if made:
        at, last = max(made, key=lambda pair: pair[0])
        if now < at + _patience(last, is_busy=is_busy):
            return None
    chosen = waiting[-1] if new_data == "latest" else waiting[0]
    others = tuple(each.key for each in waiting[:-1]) if new_data == "latest" else ()
    return Announcement(model=chosen.model, partition=chosen.key, others=others)


def _patience(arrival: Arrival, *, is_busy: bool) -> timedelta:
    if is_busy:
        return PATIENCE_WHILE_BUSY
    doublings = max(0, min(arrival.announcements, 10) - 1)
    return min(LONGEST_PATIENCE, PATIENCE * float(2**doublings))


def take(
    store: ArrivalStore, model: str, run: RunName, *, named: Sequence[str], new_data: NewData, at: datetime
) -> Arrival:
    """The arrival that the run is for, by now its own; what it took along is older, and in its window.

    ``named`` are the keys that its events named: only a knock, and the reason given where nothing waits. Raises
    `PartitionTaken` where others were faster, and `PartitionRefused` where what was named wakes nobody.
    """
    mine = store.take(model, run, new_data=new_data, at=at)
    if mine:
        return mine[-1]
    found = [each for each in store.of(model) if each.key in named]
    owned = next((each for each in reversed(found) if each.run is not None), None)
    if owned is not None and owned.run is not None:
        raise PartitionTaken(
            f"partition {owned.key} of {model} was taken by run {owned.run.run_id} already, and nothing else waits. "
            "This run was woken a second time by the same arrival and has nothing to do.",
            model=model,
            key=owned.key,
            run_id=owned.run.run_id,
        )
    raise _wakes_nobody(model, found, named)


def again(store: ArrivalStore, model: str, key: str) -> Arrival:
    """Let an arrival whose run failed wait for another run; as it was. Raises `PartitionRefused` for any other."""
    found = [each for each in store.of(model) if each.key == key and each.kind.wakes]
    arrival = found[-1] if found else None
    if arrival is None:
        why = "is none that has woken a deployment; trigger it by hand, or backfill its interval"
    elif arrival.run is None:
        why = "waits for a run already; is the DAG paused, or the triggerer down?"
    elif arrival.outcome is None:
        why = f"is with run {arrival.run.run_id}, which is under way; wait for its end, or mark it as failed in Airflow"
    elif not arrival.outcome.failed:
        why = f"was considered by run {arrival.run.run_id}, which went through; trigger it by hand with this partition"
    else:
        store.give_up([arrival])
        return arrival
    raise PartitionRefused(f"partition {key} of {model} {why}. Nothing was changed.", model=model, key=key)


def _wakes_nobody(model: str, found: Sequence[Arrival], named: Sequence[str]) -> Refused:
    kind = found[-1].kind if found else None
    why = {
        Kind.LATE: "is older than the newest that is known: late data wakes no deployment. Backfill its interval, or",
        Kind.REVISED: "is known with other content: a revision wakes no deployment. The next run takes it in, or",
        None: "is not among what has arrived. Land it first, or",
        Kind.CORRECTED: "waits no more. Look at `flightworthy status`, or",
        Kind.FRESH: "waits no more. Look at `flightworthy status`, or",
    }[kind]
    keys = ", ".join(named) or "(none was named)"
    return PartitionRefused(
        f"partition {keys} of {model} {why} trigger {model}.deploy by hand with this partition.",
        model=model,
        keys=tuple(named),
    )
