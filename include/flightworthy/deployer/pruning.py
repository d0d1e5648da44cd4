"""Throws away what retention lets go: an image, a folder, a version. Killed anywhere, the next time does the rest."""

from __future__ import annotations

import logging
import os
import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from flightworthy.deployer.containers import RELEASE_LABEL
from flightworthy.deployer.errands import Errands
from flightworthy.deployer.partition_pruning import PartitionPruner, partition_policy_of
from flightworthy.deployer.settings import Settings
from flightworthy.errors import Refused, Unavailable
from flightworthy.release import Release, ReleaseStore
from flightworthy.retention import REMOVED, Policy, Prunable, StoredVersion, live, prunable

if TYPE_CHECKING:
    from flightworthy.spec import Spec

log = logging.getLogger(__name__)

_DAY = timedelta(days=1)
_ASK = timedelta(minutes=10)


class Engine(Protocol):
    """The part of a Docker engine that pruning needs."""

    def clear_away(self, labels: Mapping[str, str]) -> None: ...
    def remove_image(self, digest: str) -> bool: ...


class VersionStore(Protocol):
    """The part of a Registry that pruning needs."""

    def stored(self, model: str) -> Sequence[StoredVersion]: ...
    def remove(self, model: str, number: int) -> None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Pruned:
    """What was thrown away, or would be; ``left`` says what of it stayed this time, and why; empty if nothing did."""

    what: Prunable
    left: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Pruner:
    """Where things are. ``versions`` is None where no registry is known: versions then stay."""

    store: ReleaseStore
    releases: Path
    """The folder of all releases' folders; nothing outside it is ever removed."""
    engine: Engine
    versions: VersionStore | None

    def plan(self, model: str, policy: Policy, *, now: datetime) -> list[Prunable]:
        """What may go now and is not gone yet."""
        found = prunable(
            policy,
            self.store.deployment(model),
            self.store.releases(model),
            self.store.history(model),
            versions := [] if self.versions is None else self.versions.stored(model),
            now=now,
        )
        numbers = {version.number for version in versions}
        return [each for each in found if each.kind == "version" or each.version in numbers or self._is_there(each)]

    def prune(self, model: str, policy: Policy, *, now: datetime) -> list[Pruned]:
        """Throw it away, the least needed first. Raises Unavailable where the registry or the database is away."""
        done = []
        for each in self.plan(model, policy, now=now):
            left = self._prune_release(model, each, now) if each.kind == "release" else ""
            if not left and self.versions is not None:
                # Last, since a version that is gone is not found again, and what it left would stay for ever.
                self.versions.remove(model, each.version)
            log.info("pruned model=%s kind=%s name=%s left=%s", model, each.kind, each.name, left or "-")
            done.append(Pruned(what=each, left=left))
        return done

    def _is_there(self, each: Prunable) -> bool:
        """Whether something of the release may be left: it is not known to be gone for good, or its folder is there."""
        why = self.store.missing().get(each.name, "")
        return not why.startswith(REMOVED) or self._folder(self.store.release(each.name)) is not None

    def _prune_release(self, model: str, each: Prunable, now: datetime) -> str:
        release = self.store.release(each.name)
        # Told before it is done: from here on nobody decides to go back to it. Who just did has it in the row.
        self.store.note_missing({release.id: f"{REMOVED} {now:%Y-%m-%d}, {each.why}"}, at=now)
        if release.id in live(self.store.deployment(model)):
            self.store.note_missing({release.id: None}, at=now)
            return "it was decided to go back to it meanwhile"
        try:
            if release.image_digest is not None:
                self.engine.clear_away({RELEASE_LABEL: release.id})
                if not self.engine.remove_image(release.image_digest):
                    return "a container still stands on its image"
        except Unavailable as error:
            return f"its image could not be removed: {error.message}"
        if (folder := self._folder(release)) is not None:
            # Out of sight in one step: half a folder is never taken for a release.
            gone = folder.with_name(f".{folder.name}.pruned")
            shutil.rmtree(gone, ignore_errors=True)
            folder.rename(gone)
            shutil.rmtree(gone)
        return ""

    def _folder(self, release: Release) -> Path | None:
        folder = Path(release.artifact_uri)
        inside = folder.resolve().is_relative_to(self.releases.resolve() / release.model)
        return folder if inside and folder.is_dir() else None


def policy_of(spec: Spec) -> Policy:
    """The ``retention`` section as the domain takes it."""
    kept = spec.retention
    return Policy(champions=kept.champions, unused_time=kept.unused, served_time=kept.served)


def pruner_of(store: ReleaseStore, settings: Settings) -> Pruner:
    """What throws away here: the usual engine, the folder of releases, and MLflow where its address is known."""
    from flightworthy.adapters.docker_containers import DockerContainers

    versions = None
    if settings.tracking_uri is not None:
        from flightworthy.adapters.mlflow_tracking.connection import MlflowConnection
        from flightworthy.adapters.mlflow_tracking.storage import MlflowStorage

        versions = MlflowStorage(connection=MlflowConnection(uri=settings.tracking_uri))
    return Pruner(store=store, releases=settings.home / "releases", engine=DockerContainers(), versions=versions)


def data_pruner_of(pruner: Pruner, settings: Settings) -> PartitionPruner:
    """What lets rows go here. Imports pandas."""
    from flightworthy.adapters.dataset_files import DatasetFiles

    return PartitionPruner(
        releases=pruner.store, data=DatasetFiles(root=settings.home / "datasets"), versions=pruner.versions
    )


class DailyPruning:
    """Prunes every model whose spec can be read, once a day, beside the loop. The mark is a file of the home."""

    def __init__(self, store: ReleaseStore, settings: Settings, clock: Callable[[], datetime]) -> None:
        self._store = store
        self._settings = settings
        self._clock = clock
        self._mark = settings.home / "pruned"
        self._errands = Errands(workers=1)
        # Not while everything starts: nothing waits for it.
        self._asked_at = time.monotonic()

    def tend(self) -> None:
        """Send for it if it is due. Never waits."""
        self._errands.collect("prune")
        if self._settings.prunes_itself and time.monotonic() - self._asked_at > _ASK.total_seconds():
            self._asked_at = time.monotonic()
            if not self._mark.exists() or time.time() - self._mark.stat().st_mtime > _DAY.total_seconds():
                self._errands.send("prune", self.prune, retry_time=_ASK)

    def close(self) -> None:
        self._errands.close()

    def prune(self) -> None:
        """Prune now. A model whose files are wrong keeps everything."""
        from flightworthy.adapters.spec_files import load_all

        specs = load_all(self._settings.models, os.environ)
        pruner = pruner_of(self._store, self._settings)
        for spec in specs.loaded:
            pruner.prune(spec.model, policy_of(spec), now=self._clock())
            self._prune_data(pruner, spec)
        for model, error in specs.refused.items():
            log.warning("not_pruned model=%s reason=%s", model, error.message)
        self._mark.touch()

    def _prune_data(self, pruner: Pruner, spec: Spec) -> None:
        policy = partition_policy_of(spec)
        if policy is None:
            return
        try:
            data_pruner_of(pruner, self._settings).prune(spec.model, policy, now=self._clock())
        except Refused as refused:
            log.warning("data_not_pruned model=%s reason=%s", spec.model, refused.message)
