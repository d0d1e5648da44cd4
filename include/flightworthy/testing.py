"""Stand-ins for the real stores, in memory, for tests of what is built on them; held to the same contracts."""

from __future__ import annotations

import hashlib
import itertools
import shutil
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path

from flightworthy.arrival import Announcement, Arrival, NewData, Outcome, RunName
from flightworthy.artifact import seal, verify
from flightworthy.errors import ReleaseRefused
from flightworthy.ledger import GENESIS, Draft, Entry, chain
from flightworthy.registry import Alias, ModelVersion
from flightworthy.release import Answer, Deployment, Drill, DrillResult, Healing, Observation, Release, conflict
from flightworthy.runtime import choice_in
from flightworthy.training import TrainingOrder, TrainingRun

__all__ = ["MemoryArrivals", "MemoryRegistry", "MemoryReleases", "MemoryRuns"]


@dataclass(frozen=True, slots=True, kw_only=True)
class MemoryRuns:
    """Implements ``training.RunStore``. Artifacts are kept under ``folder``, such as pytest's ``tmp_path``."""

    folder: Path
    finished: dict[tuple[str, str], TrainingRun] = field(default_factory=dict)
    numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    def find(self, model: str, key: str) -> TrainingRun | None:
        found = self.finished.get((model, key))
        return None if found is None else replace(found, reused=True)

    def log(self, order: TrainingOrder, metrics: Mapping[str, float], folder: Path) -> TrainingRun:
        known = self.find(order.spec.model, order.key)
        if known is not None:
            return known
        digest = seal(folder)
        run_id = f"run-{next(self.numbers)}"
        kept = self.folder / run_id
        shutil.copytree(folder, kept)
        run = TrainingRun(
            model=order.spec.model,
            run_id=run_id,
            key=order.key,
            params=dict(order.params),
            seed=order.spec.training.seed,
            metrics=dict(metrics),
            lineage=order.lineage,
            artifact_uri=str(kept),
            artifact_digest=digest,
            runtime=choice_in(folder).facts(),
        )
        self.finished[order.spec.model, order.key] = run
        return run

    def download(self, run: TrainingRun, folder: Path) -> Path:
        return _copied(run.artifact_uri, folder, digest=run.artifact_digest)


@dataclass(frozen=True, slots=True, kw_only=True)
class MemoryRegistry:
    """Implements ``registry.Registry`` over artifacts that ``MemoryRuns`` keeps."""

    kept: dict[tuple[str, int], ModelVersion] = field(default_factory=dict)
    aliases: dict[tuple[str, Alias], int] = field(default_factory=dict)
    documents: dict[tuple[str, int, str], bytes] = field(default_factory=dict)

    def create_once(self, run: TrainingRun, tags: Mapping[str, str]) -> tuple[ModelVersion, bool]:
        found = self.find(run.model, run.key)
        if found is not None:
            return found, False
        number = next(number for number in itertools.count(1) if (run.model, number) not in self.kept)
        version = ModelVersion(
            model=run.model,
            version=number,
            key=run.key,
            run_id=run.run_id,
            artifact_uri=run.artifact_uri,
            artifact_digest=run.artifact_digest,
            tags={
                **tags,
                "key": run.key,
                "artifact_uri": run.artifact_uri,
                "artifact_digest": run.artifact_digest,
            },
        )
        self.kept[run.model, number] = version
        return version, True

    def find(self, model: str, key: str) -> ModelVersion | None:
        return next((version for version in self.versions(model) if version.key == key), None)

    def version(self, model: str, number: int) -> ModelVersion | None:
        return self.kept.get((model, number))

    def versions(self, model: str) -> Sequence[ModelVersion]:
        return [version for (name, _), version in sorted(self.kept.items()) if name == model]

    def aliased(self, model: str, alias: Alias) -> ModelVersion | None:
        number = self.aliases.get((model, alias))
        return None if number is None else self.version(model, number)

    def set_alias(self, model: str, alias: Alias, number: int) -> None:
        if (model, number) not in self.kept:
            raise KeyError((model, number))
        self.aliases[model, alias] = number

    def delete_alias(self, model: str, alias: Alias) -> None:
        self.aliases.pop((model, alias), None)

    def tag(self, model: str, number: int, tags: Mapping[str, str]) -> None:
        version = self.kept[model, number]
        self.kept[model, number] = replace(version, tags={**version.tags, **tags})

    def download(self, version: ModelVersion, folder: Path) -> Path:
        return _copied(version.artifact_uri, folder, digest=version.artifact_digest)

    def attach(self, version: ModelVersion, name: str, content: bytes) -> None:
        self.documents[version.model, version.version, name] = content

    def attached(self, version: ModelVersion, name: str) -> bytes | None:
        return self.documents.get((version.model, version.version, name))


def _copied(source: str, folder: Path, *, digest: str) -> Path:
    verify(Path(source), digest=digest)
    return Path(shutil.copytree(source, folder, dirs_exist_ok=True))


@dataclass(slots=True, kw_only=True)
class MemoryReleases:
    """Implements ``release.ReleaseStore``. May be shared between threads."""

    rows: dict[str, Deployment] = field(default_factory=dict)
    entries: list[Entry] = field(default_factory=list)
    proposed: dict[str, Release] = field(default_factory=dict)
    seen: dict[str, Observation] = field(default_factory=dict)
    bodies: dict[str, str] = field(default_factory=dict)
    healed: list[Healing] = field(default_factory=list)
    gone: dict[str, str] = field(default_factory=dict)
    drills: list[Drill] = field(default_factory=list)
    answered: dict[tuple[str, str], Answer] = field(default_factory=dict)
    _one_at_a_time: threading.Lock = field(default_factory=threading.Lock)

    def close(self) -> None:
        """As one in SQL is closed; what is kept here stays."""

    def deployment(self, model: str) -> Deployment:
        return self.rows.get(model, Deployment.empty(model))

    def deployments(self) -> list[Deployment]:
        return [self.rows[model] for model in sorted(self.rows)]

    def add_release(self, release: Release) -> None:
        self.proposed.setdefault(release.id, release)

    def restock(self, release: Release) -> None:
        if self.gone.pop(release.id, None) is None:
            raise ReleaseRefused(f"{release.id} is not missing; it is left as it is", release=release.id)
        self.proposed[release.id] = replace(
            self.proposed[release.id],
            target=release.target,
            artifact_uri=release.artifact_uri,
            image_digest=release.image_digest,
        )

    def release(self, release_id: str) -> Release:
        if release_id not in self.proposed:
            raise ReleaseRefused(f"there is no release {release_id}", release=release_id)
        return self.proposed[release_id]

    def releases(self, model: str) -> list[Release]:
        return [release for release in self.proposed.values() if release.model == model]

    def swap(self, before: Deployment, after: Deployment, entry: Draft) -> Deployment:
        with self._one_at_a_time:
            found = self.deployment(before.model)
            if found.generation != before.generation:
                made = [known for known in self.history(found.model) if known.generation == found.generation]
                raise conflict(before, found, made[0] if made else None)
            self.rows[before.model] = after
            self.entries.append(chain(entry, seq=len(self.entries) + 1, previous_hash=self.head()))
        return after

    def remark(self, entry: Draft) -> Entry:
        with self._one_at_a_time:
            lowest = min((known.generation for known in self.entries if known.model == entry.model), default=0)
            numbered = replace(entry, generation=min(lowest, 0) - 1)
            self.entries.append(chain(numbered, seq=len(self.entries) + 1, previous_hash=self.head()))
            return self.entries[-1]

    def history(self, model: str | None = None) -> list[Entry]:
        return [entry for entry in self.entries if model in (None, entry.model)]

    def head(self) -> str:
        return self.entries[-1].hash if self.entries else GENESIS

    def observe(self, observation: Observation) -> None:
        self.seen[observation.model] = observation

    def observation(self, model: str) -> Observation | None:
        return self.seen.get(model)

    def note_healing(self, healing: Healing) -> None:
        self.healed.append(healing)

    def healings(self, model: str, *, limit: int) -> list[Healing]:
        return [healing for healing in self.healed if healing.model in (model, None)][-limit:]

    def note_missing(self, found: Mapping[str, str | None], *, at: datetime) -> None:
        for release, why in found.items():
            self.gone.pop(release, None)
            if why is not None:
                self.gone[release] = why

    def missing(self) -> dict[str, str]:
        return dict(self.gone)

    def keep_answer(self, answer: Answer) -> None:
        self.answered[answer.digest, answer.user] = answer

    def answers(self, digest: str) -> list[Answer]:
        return [answer for (known, _), answer in self.answered.items() if known == digest]

    def open_drill(self, model: str, release: str, *, actor: str, at: datetime) -> Drill:
        with self._one_at_a_time:
            for known in self.open_drills():
                if (known.model, known.release) == (model, release):
                    return known
            asked = Drill(
                number=len(self.drills) + 1, model=model, release=release, asked_by=actor, asked_at=at,
                passed=None, reason="", took_time=None, ended_at=None,
            )  # fmt: skip
            self.drills.append(asked)
            return asked

    def end_drill(self, number: int, result: DrillResult) -> None:
        if (known := self.drill(number)).ended_at is None:
            self.drills[number - 1] = replace(
                known, passed=result.passed, reason=result.reason, took_time=result.took_time, ended_at=result.ended_at
            )

    def open_drills(self) -> list[Drill]:
        return [drill for drill in self.drills if drill.ended_at is None]

    def last_drill(self, model: str) -> Drill | None:
        return next((drill for drill in reversed(self.drills) if drill.model == model), None)

    def drill(self, number: int) -> Drill:
        if not 0 < number <= len(self.drills):
            raise ReleaseRefused(f"there is no drill {number}", number=number)
        return self.drills[number - 1]

    def keep_evidence(self, body: str) -> str:
        digest = hashlib.sha256(body.encode()).hexdigest()
        self.bodies[digest] = body
        return digest

    def evidence(self, digest: str) -> str | None:
        return self.bodies.get(digest)


@dataclass(slots=True, kw_only=True)
class MemoryArrivals:
    """Implements ``arrival.ArrivalStore``. May be shared between threads."""

    kept: dict[tuple[str, str, str], Arrival] = field(default_factory=dict)
    _one_at_a_time: threading.RLock = field(default_factory=threading.RLock)

    def close(self) -> None:
        """As one in SQL is closed; what is kept here stays."""

    def known(self, model: str) -> Mapping[str, str]:
        found = sorted(self.of(model), key=lambda each: each.seen_at)
        return {each.key: each.digest for each in found}

    def note(self, arrivals: Sequence[Arrival]) -> None:
        for each in arrivals:
            self.kept.setdefault((each.model, each.key, each.digest), each)

    def waiting(self) -> list[Arrival]:
        return [each for each in self._ordered() if each.kind.wakes and each.run is None and each.considered_at is None]

    def taken(self) -> list[Arrival]:
        return [each for each in self._ordered() if each.run is not None and each.considered_at is None]

    def failed(self, *, since: datetime) -> list[Arrival]:
        ended = [each for each in self._ordered() if each.considered_at is not None and each.considered_at >= since]
        return [each for each in ended if each.outcome is not None and each.outcome.failed]

    def of(self, model: str) -> list[Arrival]:
        return [each for each in self._ordered() if each.model == model]

    def announced(self, announcement: Announcement, *, at: datetime) -> None:
        with self._one_at_a_time:
            for each in self.waiting():
                if each.model == announcement.model and each.key in announcement.keys:
                    self._put(replace(each, announced_at=at, announcements=each.announcements + 1))

    def take(self, model: str, run: RunName, *, new_data: NewData, at: datetime) -> list[Arrival]:
        with self._one_at_a_time:
            had = [each for each in self.of(model) if each.run == run]
            if had:
                return [self._put(replace(each, outcome=None, considered_at=None)) for each in had]
            found = [each for each in self.waiting() if each.model == model]
            chosen = found if new_data == "latest" else found[:1]
            return [self._put(replace(each, run=run, taken_at=at)) for each in chosen]

    def conclude(self, run: RunName, outcome: Outcome, *, at: datetime) -> None:
        with self._one_at_a_time:
            for each in self._ordered():
                if each.run == run:
                    self._put(replace(each, outcome=outcome, considered_at=at))

    def give_up(self, arrivals: Sequence[Arrival]) -> None:
        free = {"announced_at": None, "run": None, "taken_at": None, "outcome": None, "considered_at": None}
        with self._one_at_a_time:
            for each in arrivals:
                self._put(replace(each, **free))  # type: ignore[arg-type]

    def _ordered(self) -> list[Arrival]:
        return sorted(self.kept.values(), key=lambda each: (each.key, each.seen_at))

    def _put(self, arrival: Arrival) -> Arrival:
        self.kept[arrival.model, arrival.key, arrival.digest] = arrival
        return arrival
