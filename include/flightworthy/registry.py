"""The registry: numbered versions of a model, registered once per content key, with their lineage."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal, Protocol, Self

from flightworthy.artifact import canonical, digest_of
from flightworthy.baseline import Worth
from flightworthy.gates import Decision
from flightworthy.signing import SIGNATURE, Signer
from flightworthy.training import TrainingRun

__all__ = ["Alias", "ModelVersion", "Registration", "Registry", "lineage_tags", "register"]

Alias = Literal["champion", "challenger", "previous"]

_INTENTS_THAT_RELEASE = frozenset({"schedule", "new_data", "drift", "manual"})


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelVersion:
    """A registered result. The number is given once and never reused; the artifact never changes, tags may be added."""

    model: str
    version: int
    key: str
    run_id: str
    artifact_uri: str
    artifact_digest: str
    tags: Mapping[str, str]

    def pack(self) -> dict[str, Any]:
        """As JSON types."""
        return asdict(self)

    @classmethod
    def unpack(cls, packed: Mapping[str, Any]) -> Self:
        """What ``pack`` made."""
        return cls(**packed)


@dataclass(frozen=True, slots=True, kw_only=True)
class Registration:
    """What ``register`` left."""

    version: ModelVersion
    is_new: bool
    """False where the same content was registered before."""
    is_challenger: bool
    """Whether the version was given the alias ``challenger``: approved, and not of a backfill."""


class Registry(Protocol):
    """Where versions are kept. Every method raises Unavailable where it does not answer."""

    def create_once(self, run: TrainingRun, tags: Mapping[str, str]) -> tuple[ModelVersion, bool]:
        """The version with the run's key, and whether it is new. Of two callers at once one creates it, both get it.

        The version is visible with all its ``tags`` or not at all.
        """
        ...

    def find(self, model: str, key: str) -> ModelVersion | None:
        """The version with this content key."""
        ...

    def version(self, model: str, number: int) -> ModelVersion | None:
        """The version with this number, or None where it never was or was deleted."""
        ...

    def versions(self, model: str) -> Sequence[ModelVersion]:
        """All versions, oldest first."""
        ...

    def aliased(self, model: str, alias: Alias) -> ModelVersion | None:
        """The version that an alias points at."""
        ...

    def set_alias(self, model: str, alias: Alias, number: int) -> None:
        """Point an alias at a version, whatever it pointed at before."""
        ...

    def delete_alias(self, model: str, alias: Alias) -> None:
        """Remove an alias; harmless where there is none."""
        ...

    def tag(self, model: str, number: int, tags: Mapping[str, str]) -> None:
        """Add tags, such as the image digest, which is known only later."""
        ...

    def download(self, version: ModelVersion, folder: Path) -> Path:
        """The version's artifact in ``folder``, verified against the digest it was registered with.

        Raises ArtifactRefused where a file was changed, added or removed since.
        """
        ...

    def attach(self, version: ModelVersion, name: str, content: bytes) -> None:
        """Keep a document about the version beside it, in place of one of that name."""
        ...

    def attached(self, version: ModelVersion, name: str) -> bytes | None:
        """A document that was attached, or None."""
        ...


def register(
    registry: Registry,
    run: TrainingRun,
    decision: Decision,
    *,
    intent: str,
    worth: Worth | None = None,
    signer: Signer | None = None,
) -> Registration:
    """Register a training run with its lineage and, where it was measured, its ``worth``; idempotent by content key.

    ``intent`` is why it is registered now; the run itself may have been found, and trained for another reason.

    A version that was approved becomes ``challenger``, unless this is a backfill. Registering a refused run is
    allowed, since a backfill records what it finds; it gets no alias. With a ``signer`` its artifact is signed.
    """
    version, is_new = registry.create_once(run, lineage_tags(run, decision, worth))
    if signer is not None:
        # Before the alias: a challenger is signed from its first moment.
        _sign_once(registry, version, signer)
    may_release = decision.approved and intent in _INTENTS_THAT_RELEASE
    if may_release:
        # Also where the version is not new: a crash between the two then heals on retry.
        registry.set_alias(run.model, "challenger", version.version)
    return Registration(version=version, is_new=is_new, is_challenger=may_release)


def _sign_once(registry: Registry, version: ModelVersion, signer: Signer) -> None:
    if registry.attached(version, SIGNATURE) is None:
        with tempfile.TemporaryDirectory(prefix="flightworthy-sign-") as scratch:
            # Verified against the digest of the run that was evaluated: nothing else is ever signed.
            artifact = registry.download(version, Path(scratch) / "model")
            registry.attach(version, SIGNATURE, signer.sign(artifact))


def lineage_tags(run: TrainingRun, decision: Decision, worth: Worth | None = None) -> dict[str, str]:
    """What a version tells about where it comes from and what it is worth. Values that are empty are left out."""
    lineage = run.lineage
    tags = {
        "key": run.key,
        "run_id": run.run_id,
        "artifact_digest": run.artifact_digest,
        "dataset_digest": lineage.dataset_digest,
        "partition_key": lineage.partition_key,
        "code_commit": lineage.code_commit,
        "code_digest": lineage.code_digest,
        "lock_digest": lineage.lock_digest,
        "config_digest": lineage.config_digest,
        "params_digest": digest_of(dict(run.params)),
        "seed": str(run.seed),
        **run.runtime,
        "intent": lineage.intent,
        "airflow_run_id": lineage.airflow_run_id,
        "decision": "approved" if decision.approved else "refused",
        "objections": "; ".join(str(objection) for objection in decision.objections),
        "worth": "" if worth is None else canonical(worth.pack()).decode(),
    }
    return {name: value for name, value in tags.items() if value}
