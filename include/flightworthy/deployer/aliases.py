"""The registry's aliases, made equal to the row. For those who ask MLflow; nothing here obeys them."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Protocol

from flightworthy.deployer.errands import Errands
from flightworthy.deployer.healings import Healings
from flightworthy.registry import Alias, ModelVersion
from flightworthy.release import Deployment, ReleaseStore, outcome

log = logging.getLogger(__name__)

_REALIGN = timedelta(minutes=1)
_RETRY = timedelta(seconds=5)


class AliasRegistry(Protocol):
    """The part of a Registry that aliases need."""

    def aliased(self, model: str, alias: Alias) -> ModelVersion | None: ...
    def set_alias(self, model: str, alias: Alias, number: int) -> None: ...
    def delete_alias(self, model: str, alias: Alias) -> None: ...


def align_aliases(store: ReleaseStore, registry: AliasRegistry, row: Deployment) -> list[str]:
    """Make ``champion``, ``previous`` and ``challenger`` say what the row says; the changes made.

    ``challenger`` is also set when a version is registered, before its release is proposed: it is taken away only from
    a version whose release has ended. Raises Unavailable where the registry does not answer.
    """
    changes = [_align(store, registry, row.model, "champion", row.champion)]
    changes.append(_align(store, registry, row.model, "previous", row.previous))
    if row.challenger is not None:
        changes.append(_align(store, registry, row.model, "challenger", row.challenger))
    else:
        changes.append(_retire_challenger(store, registry, row))
    return [change for change in changes if change is not None]


def registry_maker(tracking_uri: str | None) -> Callable[[], AliasRegistry] | None:
    """How to reach MLflow, left until it is needed: importing it takes seconds. None where none is configured."""
    if tracking_uri is None:
        return None

    def make() -> AliasRegistry:
        from flightworthy.adapters.mlflow_tracking.connection import MlflowConnection
        from flightworthy.adapters.mlflow_tracking.registry import MlflowRegistry

        return MlflowRegistry(connection=MlflowConnection(uri=tracking_uri))

    return make


def _align(store: ReleaseStore, registry: AliasRegistry, model: str, alias: Alias, release: str | None) -> str | None:
    found = registry.aliased(model, alias)
    if release is None:
        if found is None:
            return None
        registry.delete_alias(model, alias)
        return f"{alias}: {found.version} -> none"
    wanted = int(store.release(release).version)
    if found is not None and found.version == wanted:
        return None
    registry.set_alias(model, alias, wanted)
    return f"{alias}: {found.version if found else 'none'} -> {wanted}"


def _retire_challenger(store: ReleaseStore, registry: AliasRegistry, row: Deployment) -> str | None:
    found = registry.aliased(row.model, "challenger")
    if found is None:
        return None
    of_version = [release for release in store.releases(row.model) if release.version == str(found.version)]
    if not of_version or outcome(store, of_version[-1].id) is None:
        return None
    registry.delete_alias(row.model, "challenger")
    return f"challenger: {found.version} -> none"


class AliasKeeper:
    """Aligns aliases beside the loop: when a row changed, and every minute against hands that moved them.

    The registry has errands of its own, so that one that does not answer blocks neither traffic nor servers.
    """

    def __init__(
        self,
        store: ReleaseStore,
        make_registry: Callable[[], AliasRegistry],
        *,
        retry_time: timedelta = _RETRY,
        realign_time: timedelta = _REALIGN,
        healings: Healings | None = None,
    ) -> None:
        self._store = store
        self._make_registry = make_registry
        self._retry_time = retry_time
        self._realign_time = realign_time
        self._healings = healings
        self._registry: AliasRegistry | None = None
        self._errands = Errands(workers=1)
        self._aligned: dict[str, tuple[int, float]] = {}

    def tend(self, row: Deployment) -> None:
        """Send for an alignment if one is due."""
        done = self._errands.collect(row.model)
        if done is not None:
            self._aligned[row.model] = (done, time.monotonic())
        generation, at = self._aligned.get(row.model, (0, 0.0))
        if row.generation != generation or time.monotonic() - at > self._realign_time.total_seconds():
            was_aligned = row.generation == generation
            self._errands.send(row.model, lambda: self._align(row, was_aligned), retry_time=self._retry_time)

    def close(self) -> None:
        self._errands.close()

    def _align(self, row: Deployment, was_aligned: bool) -> int:
        if self._registry is None:
            self._registry = self._make_registry()
        for change in align_aliases(self._store, self._registry, row):
            log.info("alias_moved model=%s generation=%s change=%s", row.model, row.generation, change)
            if was_aligned and self._healings is not None:
                # Nothing was decided since the aliases were right: somebody else moved this one.
                self._healings.note("alias", f"an alias was moved by others and put back: {change}", model=row.model)
        return row.generation
