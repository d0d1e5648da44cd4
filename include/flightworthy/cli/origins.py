"""Where a version comes from: what MLflow, the datasets and git know of it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from flightworthy.cli.settings import Settings
from flightworthy.difference import Origin, packages_of
from flightworthy.errors import ArtifactRefused, Refused

if TYPE_CHECKING:
    from flightworthy.adapters.git_commits import GitCommits
    from flightworthy.adapters.mlflow_tracking.connection import MlflowConnection
    from flightworthy.registry import ModelVersion
    from flightworthy.training import TrainingRun

__all__ = ["LOCK", "Origins"]

LOCK = "requirements.lock"


@dataclass(frozen=True, kw_only=True)
class Origins:
    """Looks up one model's versions."""

    model: str
    settings: Settings

    @cached_property
    def connection(self) -> MlflowConnection:
        """The way to MLflow, which is named by MLflow's own variables."""
        uri = self.settings.environ.get("MLFLOW_TRACKING_URI")
        if not uri:
            raise Refused(
                "versions are in MLflow, and nothing says where it is; name its address in MLFLOW_TRACKING_URI"
            )
        from flightworthy.adapters.mlflow_tracking.connection import MlflowConnection

        return MlflowConnection(uri=uri)

    @cached_property
    def git(self) -> GitCommits:
        """The checkout of the models."""
        from flightworthy.adapters.git_commits import GitCommits

        return GitCommits(folder=self.settings.models)

    def version(self, number: int) -> ModelVersion:
        """Raises Refused where MLflow has no such version."""
        from flightworthy.adapters.mlflow_tracking.registry import MlflowRegistry

        found = MlflowRegistry(connection=self.connection).version(self.model, number)
        if found is None:
            raise Refused(
                f"MLflow has no version {number} of {self.model}: it was never registered, or it was thrown away",
                model=self.model,
                version=number,
            )
        return found

    def run(self, version: ModelVersion) -> TrainingRun:
        """The recorded training. Raises Refused where MLflow lost it."""
        from flightworthy.adapters.mlflow_tracking.runs import MlflowRuns

        found = MlflowRuns(connection=self.connection).find(self.model, version.key)
        if found is None:
            raise Refused(
                f"MLflow has version {version.version} of {self.model} and not its training run {version.run_id}, "
                "which was deleted: its parameters are not known any more; restore it with `mlflow runs restore`",
                model=self.model,
                version=version.version,
            )
        return found

    def lock_of(self, run: TrainingRun) -> bytes | None:
        """The lock that a run was trained with: of now, or of its commit; None where neither is it."""
        return next((lock for lock in self._locks(run) if _sha256(lock) == run.lineage.lock_digest), None)

    def origin(self, number: int) -> Origin:
        """All that is known of what a version was made of."""
        version = self.version(number)
        run = self.run(version)
        partitions, rows = self._data(run)
        lock = self.lock_of(run)
        objections = version.tags.get("objections", "")
        return Origin(
            version=number,
            dataset_digest=run.lineage.dataset_digest,
            partitions=partitions,
            rows=rows,
            params={**run.params, "seed": run.seed},
            code_commit=run.lineage.code_commit,
            code_digest=run.lineage.code_digest,
            config_digest=run.lineage.config_digest,
            lock_digest=run.lineage.lock_digest,
            packages=None if lock is None else packages_of(lock.decode()),
            metrics=run.metrics,
            decision=version.tags.get("decision", "not recorded"),
            objections=objections.split("; ") if objections else [],
        )

    def files_between(self, one: Origin, other: Origin) -> list[str] | None:
        """The files of the model's folder that differ; None where a commit is not known, or says too little."""
        commits = (one.code_commit, other.code_commit)
        if any(not commit or "+" in commit or not self.git.is_there(commit) for commit in commits):
            return None
        return self.git.changed(*commits, f"{self.git.prefix()}/{self.model}".lstrip("/"))

    def _data(self, run: TrainingRun) -> tuple[dict[str, str] | None, int | None]:
        try:
            found = self.settings.datasets().version(self.model, run.lineage.dataset_digest)
        except ArtifactRefused:
            return None, None
        return {each.key: each.digest for each in found.partitions}, found.rows

    def _locks(self, run: TrainingRun) -> Iterator[bytes]:
        if (now := lock_above(self.settings.models)) is not None:
            yield now.read_bytes()
        commit = run.lineage.code_commit.partition("+")[0]
        if commit and self.git.is_there(commit):
            prefix = Path(self.git.prefix())
            for parent in (prefix, *prefix.parents):
                if (found := self.git.file(commit, (parent / LOCK).as_posix())) is not None:
                    yield found


def lock_above(models: Path) -> Path | None:
    """The lock of the checkout that the models' folder is in."""
    return next((parent / LOCK for parent in models.resolve().parents if (parent / LOCK).is_file()), None)


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
