"""Model versions in MLflow's registry: one per content key, numbered by MLflow, with their lineage as tags."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from mlflow.entities.model_registry import ModelVersion as MlflowVersion
from mlflow.exceptions import MlflowException

from flightworthy.adapters.mlflow_tracking.connection import TAG, MlflowConnection, answering, error_code, insist
from flightworthy.errors import Refused
from flightworthy.registry import Alias, ModelVersion
from flightworthy.training import TrainingRun

__all__ = ["MlflowRegistry"]

_LONGEST_TAG = 5000
"""Characters that MLflow keeps of a tag's value."""
_DOCUMENTS = "flightworthy"
"""The folder among a run's files where documents about its version are. A tag would be too short for a signature."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MlflowRegistry:
    """Implements ``registry.Registry``."""

    connection: MlflowConnection

    def create_once(self, run: TrainingRun, tags: Mapping[str, str]) -> tuple[ModelVersion, bool]:
        """Create the version with all its tags in one request, unless one with the run's key is there.

        MLflow has no unique tags. Of two that create at once the lower number stays, which both agree on since
        numbers are given in order; whoever sees the other one deletes it. A kill before that heals with the next call.
        """
        client = self.connection.client
        with answering(self.connection.uri):
            found = self._only(run.model, run.key)
            if found is not None:
                return found, False
            self._ensure_model(run.model)
            created = client.create_model_version(
                run.model,
                source=self.connection.location(run.artifact_uri),
                run_id=run.run_id,
                model_id=run.artifact_uri.rpartition("/")[2],
                await_creation_for=0,  # a version whose files are uploaded is ready at once
                tags={f"{TAG}{name}": value[:_LONGEST_TAG] for name, value in {**tags, **_identity(run)}.items()},
            )
            version = self._only(run.model, run.key) or _version(created)
            return version, version.version == int(created.version)

    def find(self, model: str, key: str) -> ModelVersion | None:
        """The version with this content key, lowest number first where a killed process left two."""
        with answering(self.connection.uri):
            found = self._with_key(model, key)
            return found[0] if found else None

    def version(self, model: str, number: int) -> ModelVersion | None:
        """The version with this number, or None."""
        return self._unless_absent(lambda: self.connection.client.get_model_version(model, str(number)))

    def versions(self, model: str) -> Sequence[ModelVersion]:
        """All versions that ``register`` made, oldest first; what others put under the name is not ours."""
        with answering(self.connection.uri):
            return self._search(f"name = '{model}'")

    def aliased(self, model: str, alias: Alias) -> ModelVersion | None:
        """The version that an alias points at, or None."""
        return self._unless_absent(lambda: self.connection.client.get_model_version_by_alias(model, alias))

    def set_alias(self, model: str, alias: Alias, number: int) -> None:
        """Point an alias at a version. Of two that set an alias for the first time at once MLflow refuses one."""
        with answering(self.connection.uri):
            insist(lambda: self.connection.client.set_registered_model_alias(model, alias, str(number)))

    def delete_alias(self, model: str, alias: Alias) -> None:
        """Remove an alias; harmless where there is none."""
        with answering(self.connection.uri), _absence_is_fine():
            self.connection.client.delete_registered_model_alias(model, alias)

    def tag(self, model: str, number: int, tags: Mapping[str, str]) -> None:
        """Add tags, or replace those of the same name."""
        with answering(self.connection.uri):
            for name, value in tags.items():
                self.connection.client.set_model_version_tag(model, str(number), f"{TAG}{name}", value[:_LONGEST_TAG])

    def download(self, version: ModelVersion, folder: Path) -> Path:
        """The version's artifact in ``folder``, verified against the digest in its tags. Raises ArtifactRefused."""
        return self.connection.fetch(version.artifact_uri, folder, digest=version.artifact_digest)

    def attach(self, version: ModelVersion, name: str, content: bytes) -> None:
        """Keep a document among the files of the version's run, in place of one of that name."""
        with tempfile.TemporaryDirectory(prefix="flightworthy-attach-") as scratch:
            path = Path(scratch) / name
            path.write_bytes(content)
            with answering(self.connection.uri):
                self.connection.client.log_artifact(version.run_id, str(path), _DOCUMENTS)

    def attached(self, version: ModelVersion, name: str) -> bytes | None:
        """A document that was attached, or None."""
        path = f"{_DOCUMENTS}/{name}"
        with answering(self.connection.uri), tempfile.TemporaryDirectory(prefix="flightworthy-attached-") as scratch:
            # Asked for first: each server says in its own way that a file is not there.
            if path not in {file.path for file in self.connection.client.list_artifacts(version.run_id, _DOCUMENTS)}:
                return None
            return Path(self.connection.client.download_artifacts(version.run_id, path, scratch)).read_bytes()

    def _ensure_model(self, model: str) -> None:
        try:
            self.connection.client.create_registered_model(model)
        except MlflowException as error:
            if error_code(error) != "RESOURCE_ALREADY_EXISTS":
                raise

    def _only(self, model: str, key: str) -> ModelVersion | None:
        first, *others = self._with_key(model, key) or (None,)
        for other in others:
            if other is not None:
                with _absence_is_fine():  # somebody else saw it too
                    self.connection.client.delete_model_version(model, str(other.version))
        return first

    def _with_key(self, model: str, key: str) -> list[ModelVersion]:
        return self._search(f"name = '{model}' and tags.`{TAG}key` = '{key}'")

    def _search(self, filter_string: str) -> list[ModelVersion]:
        found: list[ModelVersion] = []
        token = None
        while True:
            page = self.connection.client.search_model_versions(filter_string, max_results=200, page_token=token)
            found += [_version(version) for version in page if f"{TAG}key" in version.tags]
            token = page.token
            if not token:
                return sorted(found, key=lambda version: version.version)

    def _unless_absent(self, get: Callable[[], MlflowVersion]) -> ModelVersion | None:
        with answering(self.connection.uri):
            try:
                return _version(get())
            except MlflowException as error:
                # An alias that is not set is an invalid parameter to MLflow.
                if error_code(error) in {"RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"}:
                    return None
                raise


@contextmanager
def _absence_is_fine() -> Iterator[None]:
    try:
        yield
    except MlflowException as error:
        if error_code(error) != "RESOURCE_DOES_NOT_EXIST":
            raise


def _identity(run: TrainingRun) -> dict[str, str]:
    return {"key": run.key, "artifact_uri": run.artifact_uri, "artifact_digest": run.artifact_digest}


def _version(version: MlflowVersion) -> ModelVersion:
    tags = {name.removeprefix(TAG): value for name, value in version.tags.items() if name.startswith(TAG)}
    missing = {"key", "artifact_uri", "artifact_digest"} - set(tags)
    if missing:
        raise Refused(
            f"Version {version.version} of {version.name} in MLflow lacks the tags {', '.join(sorted(missing))}: it "
            "was not registered by Flightworthy, or its tags were removed. Register the training run again.",
            model=version.name,
            version=int(version.version),
        )
    return ModelVersion(
        model=version.name,
        version=int(version.version),
        key=tags["key"],
        run_id=version.run_id or "",
        artifact_uri=tags["artifact_uri"],
        artifact_digest=tags["artifact_digest"],
        tags=tags,
    )
