"""Lets rows go that no release, no version and no next run needs. Killed anywhere, the next time does the rest."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Protocol

from flightworthy.dataset import DatasetVersion, PartitionVersion, Revision
from flightworthy.errors import Refused
from flightworthy.quarantine import Quarantined
from flightworthy.release import ReleaseStore
from flightworthy.retention import REMOVED, DataPolicy, PrunableData, StoredVersion, prunable_data

if TYPE_CHECKING:
    from flightworthy.spec import Spec

__all__ = ["PartitionPruner", "partition_policy_of"]

log = logging.getLogger(__name__)


class DataStore(Protocol):
    """The part of a `flightworthy.dataset.DatasetStore` that pruning needs."""

    def history(self, model: str) -> Mapping[str, Sequence[Revision]]: ...
    def has_version(self, model: str, digest: str) -> bool: ...
    def version(self, model: str, digest: str) -> DatasetVersion: ...
    def quarantined(self, model: str) -> Sequence[Quarantined]: ...
    def asked_since(self, model: str, at: datetime) -> Sequence[DatasetVersion]: ...
    def let_go(self, partition: PartitionVersion) -> None: ...


class Registered(Protocol):
    """The part of a registry that pruning needs."""

    def stored(self, model: str) -> Sequence[StoredVersion]: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class PartitionPruner:
    """``versions`` is None where no registry is known: nobody can tell then what is needed, and all rows stay."""

    releases: ReleaseStore
    data: DataStore
    versions: Registered | None

    def plan(self, model: str, policy: DataPolicy, *, now: datetime) -> list[PrunableData]:
        """What may go now. Raises `Refused` where it cannot be told what is needed."""
        needed = [*self._needed(model), *self.data.asked_since(model, now - policy.kept_time)]
        return prunable_data(policy, self.data.history(model), needed, self.data.quarantined(model), now=now)

    def prune(self, model: str, policy: DataPolicy, *, now: datetime) -> list[PrunableData]:
        """Let it go; what went."""
        found = self.plan(model, policy, now=now)
        for each in found:
            self.data.let_go(each.partition)
            log.info("pruned_data model=%s partition=%s digest=%s", model, each.partition.key, each.partition.digest)
        return found

    def _needed(self, model: str) -> list[DatasetVersion]:
        """What releases that can still be started, and versions that are still registered, learnt from."""
        if self.versions is None:
            raise Refused(
                f"No rows of {model} were let go: without a registry nobody can tell which versions need them. "
                "Set MLFLOW_TRACKING_URI.",
                model=model,
            )
        # What is missing for another reason may be rebuilt, from its data.
        gone = {name for name, why in self.releases.missing().items() if why.startswith(REMOVED)}
        told = {
            f"release {each.id}": each.bundle.get("dataset_digest", "")
            for each in self.releases.releases(model)
            if each.id not in gone
        }
        told |= {f"version {each.number}": each.dataset_digest for each in self.versions.stored(model)}
        for name, digest in told.items():
            if not digest or not self.data.has_version(model, digest):
                raise Refused(
                    f"No rows of {model} were let go: what {name} learnt from is not recorded here, so that it might "
                    "be any of them. Prune it first, or keep the data (retention.data: null).",
                    model=model,
                    needs=name,
                )
        return [self.data.version(model, digest) for digest in set(told.values())]


def partition_policy_of(spec: Spec) -> DataPolicy | None:
    """What the spec says of rows; None: they stay for ever."""
    kept = spec.retention.data
    return None if kept is None else DataPolicy(window=spec.dataset.window, kept_time=kept)
