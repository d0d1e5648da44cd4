"""Rows, releases and ledger, in memory."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

from flightworthy.errors import ReleaseRefused
from flightworthy.ledger import GENESIS, Draft, Entry, chain
from flightworthy.release import Answer, Deployment, Drill, DrillResult, Healing, Observation, Release, conflict

__all__ = ["MemoryReleases"]


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
