"""The models' sources as the watcher sees them, and the arrival that a run is for."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import groupby
from typing import TYPE_CHECKING, Any, Final

from flightworthy.arrival import Announcement, Arrival, RunName, arrived, due, take
from flightworthy.errors import PartitionRefused, SpecError, Unavailable
from flightworthy.partition import arrivals, key_of
from flightworthy_airflow.hooks import airflow_runs
from flightworthy_airflow.hooks.looking import Looks
from flightworthy_airflow.hooks.sources import listing, missing_of

if TYPE_CHECKING:
    from datetime import datetime

    from flightworthy.adapters.sql_releases import SqlArrivals
    from flightworthy.partition import Arrivals
    from flightworthy.spec import Spec
    from flightworthy_airflow.hooks.flightworthy import FlightworthyHook

__all__ = ["Watch", "note_named", "own_arrival"]

log = logging.getLogger(__name__)

RETRIED_FOR: Final = timedelta(days=1)
"""How long a failed run is asked again whether somebody cleared it."""


def own_arrival(hook: FlightworthyHook, spec: Spec, *, run: RunName, named: Sequence[str]) -> Arrival:
    """The arrival that a run, woken by events that named these keys, is for; from now on it is the run's own."""
    with closing(hook.arrivals()) as store:
        note_named(hook, store, spec, named)
        return take(store, spec.model, run, named=named, new_data=spec.schedule.new_data, at=hook.now())


def note_named(hook: FlightworthyHook, store: SqlArrivals, spec: Spec, named: Sequence[str]) -> None:
    """Note what an event from outside named and no look has seen yet; whoever sent it says that it is whole.

    Raises `PartitionRefused` for what the source does not hold, and `Unavailable` for what its marker does not confirm,
    or what shares its file with all others and is read by the watcher alone.
    """
    known = store.known(spec.model)
    unseen = sorted(set(named) - set(known))
    if not unseen:
        return
    _check_that_others_may_note(spec, unseen)
    files = [file for file in listing(spec.source) if file.key in unseen]
    if absent := sorted(set(unseen) - {file.key for file in files}):
        raise PartitionRefused(
            f"{spec.model} was told of partition {', '.join(absent)}, which its source does not hold: nothing lies at "
            f"{spec.source.uri}. Land the data first, and write its key as {spec.source.partition} does.",
            model=spec.model,
            keys=tuple(absent),
        )
    for key in unseen:
        if why := missing_of(spec.source, key, [file for file in files if file.key == key], counted={}):
            raise Unavailable(f"partition {key} of {spec.model} is not whole: {why}. It is tried again.", key=key)
    found = arrivals(files, before=files, known=known)
    store.note(_arrived(found, spec, hook.now()))


def _check_that_others_may_note(spec: Spec, keys: Sequence[str]) -> None:
    told = f"partition {', '.join(keys)} of {spec.model}"
    if not spec.source.watched:
        raise PartitionRefused(
            f"{told} wakes nobody: source.watched is false. Trigger {spec.model}.deploy by hand with this partition.",
            model=spec.model,
            keys=tuple(keys),
        )
    if spec.source.is_one_file:
        raise Unavailable(
            f"{told} is not known yet: {spec.source.uri} holds all partitions, and either the watcher has not read it "
            "since it was written, or it was written before the partition's interval ended. It is tried again.",
            model=spec.model,
            keys=tuple(keys),
        )


@dataclass(slots=True, kw_only=True)
class _Model:
    """What the watcher keeps in mind of one model between two looks; all of it can be found again."""

    spec: Spec
    looks: Looks
    known: Mapping[str, str] | None = None


@dataclass(slots=True, kw_only=True)
class Watch:
    """Looks into the sources of all models, a call for each, so that they may be looked into side by side.

    All methods block; call them from threads, no two at once for one model.
    """

    hook: FlightworthyHook
    _models: dict[str, _Model] = field(default_factory=dict)
    _marks: dict[str, tuple[int, int]] = field(default_factory=dict)
    _store: SqlArrivals | None = None

    @property
    def store(self) -> SqlArrivals:
        if self._store is None:
            raise RuntimeError("ask for the models first: that opens the database, once for all who look")
        return self._store

    def close(self) -> None:
        if self._store is not None:
            self._store.close()

    def models(self) -> tuple[str, ...]:
        """Those whose sources are watched: all that can be read, and whose spec does not say otherwise.

        A model.yaml is read again when it changed; one that cannot be read is named once and leaves the others alone.
        """
        if self._store is None:
            self._store = self.hook.arrivals()
        found = {path.parent.name: path for path in self.hook.places.models.glob("[!._]*/model.yaml")}
        for model, path in found.items():
            status = path.stat()
            mark = (status.st_mtime_ns, status.st_size)
            if self._marks.get(model) != mark:
                self._marks[model] = mark
                self._read(model)
        for gone in self._marks.keys() - found.keys():
            del self._marks[gone]
            self._models.pop(gone, None)
        return tuple(model for model, kept in self._models.items() if kept.spec.source.watched)

    def _read(self, model: str) -> None:
        try:
            spec = self.hook.spec(model)
            self._models[model] = _Model(spec=spec, looks=Looks(source=spec.source, called=model))
        except SpecError as refused:
            log.warning("not_watched model=%s reason=%s", model, refused)
            self._models.pop(model, None)

    def look(self, model: str) -> None:
        """Note what has arrived since the last look. What a look saw and could not note is seen by the next."""
        kept = self._models[model]
        if kept.known is None:
            kept.known = self.store.known(model)
        now = self.hook.now()
        seen = kept.looks.look(kept.known, now=now)
        found = _arrived(seen, kept.spec, now)
        self.store.note(found)
        kept.known = seen.known
        for each in found:
            log.info("arrived model=%s partition=%s kind=%s digest=%s", model, each.key, each.kind, each.digest[:12])

    def due(self) -> list[Announcement]:
        """What to announce now, one of a model at most."""
        waiting = sorted(self.store.waiting(), key=lambda each: (each.model, each.key))
        of_models = {model: list(group) for model, group in groupby(waiting, key=lambda each: each.model)}
        announcements = (
            self._due(self._models[model].spec, of_models[model]) for model in of_models if model in self._models
        )
        return [each for each in announcements if each is not None]

    def settle(self) -> None:
        """Ask Airflow how the runs that have taken something stand, and note how they ended."""
        for run, group in _by_run(self.store.taken()).items():
            self._settle(run, group)

    def settle_failed(self) -> None:
        """The same for what failed lately and may have been cleared since, from a task behind ``ingest``."""
        for run, group in _by_run(self.store.failed(since=self.hook.now() - RETRIED_FOR)).items():
            self._settle(run, group)

    def _settle(self, run: RunName, group: Sequence[Arrival]) -> None:
        try:
            ending = airflow_runs.ending_of(run) if airflow_runs.is_there(run) else None
            is_gone = ending is None and not airflow_runs.is_there(run)
        except Exception as error:  # noqa: BLE001 - what Airflow cannot say of one run keeps no other waiting
            log.warning("run_not_asked run=%s reason=%s", run.run_id, error)
            return
        if ending is not None and ending != group[0].outcome:
            self.store.conclude(run, ending, at=self.hook.now())
            log.info("considered run=%s partitions=%s outcome=%s", run.run_id, [each.key for each in group], ending)
        elif is_gone and group[0].outcome is None:
            log.warning("run_gone run=%s partitions=%s", run.run_id, [each.key for each in group])
            self.store.give_up(group)

    def _due(self, spec: Spec, waiting: Sequence[Arrival]) -> Announcement | None:
        asked: dict[str, Any] = {"new_data": spec.schedule.new_data, "now": self.hook.now()}
        found = due(waiting, **asked, is_busy=False)
        # Airflow is only asked where an announcement seems to be lost.
        if found is not None and any(each.announced_at is not None for each in waiting):
            return due(waiting, **asked, is_busy=_is_busy(f"{spec.model}.deploy"))
        return found


def _arrived(seen: Arrivals, spec: Spec, at: datetime) -> tuple[Arrival, ...]:
    window = spec.dataset.window if spec.dataset.revisions == "retrain" else 0
    return arrived(seen, model=spec.model, first=_first(spec), at=at, retrained_window=window)


def _is_busy(dag_id: str) -> bool:
    try:
        return airflow_runs.is_busy(dag_id)
    except Exception as error:  # noqa: BLE001 - nor may one model's DAG; what is not known counts as a run on its way
        log.warning("dag_not_asked dag=%s reason=%s", dag_id, error)
        return True


def _first(spec: Spec) -> str:
    """The oldest key that wakes a deployment: with ``each`` that of the model's first interval, else any."""
    return key_of(spec.schedule.start_at, spec.source.partition) if spec.schedule.new_data == "each" else ""


def _by_run(found: Sequence[Arrival]) -> dict[RunName, list[Arrival]]:
    runs: dict[RunName, list[Arrival]] = {}
    for each in found:
        if each.run is not None:
            runs.setdefault(each.run, []).append(each)
    return runs
