"""What MLflow keeps of a model's versions, and how one is thrown away."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TypeVar

from mlflow.exceptions import MlflowException

from flightworthy.adapters.mlflow_tracking.connection import TAG, MlflowConnection, answering, error_code
from flightworthy.retention import StoredVersion

__all__ = ["MlflowStorage"]

T = TypeVar("T")

_GONE = frozenset({"RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"})
"""What MLflow says of what was deleted, or never was."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MlflowStorage:
    """Implements ``deployer.pruning.VersionStore``. Both methods raise Unavailable where MLflow does not answer."""

    connection: MlflowConnection

    def stored(self, model: str) -> Sequence[StoredVersion]:
        """The versions of ours, with when they were registered and whether an alias points at them."""
        client, found, token = self.connection.client, [], None
        with answering(self.connection.uri):
            aliased = self._aliased(model)
            while True:
                page = client.search_model_versions(f"name = '{model}'", max_results=200, page_token=token)
                found += [version for version in page if f"{TAG}key" in version.tags]
                token = page.token
                if not token:
                    break
        return [
            StoredVersion(
                number=int(version.version),
                registered_at=datetime.fromtimestamp(version.creation_timestamp / 1000, UTC),
                has_alias=int(version.version) in aliased,
                dataset_digest=version.tags.get(f"{TAG}dataset_digest", ""),
            )
            for version in found
        ]

    def remove(self, model: str, number: int) -> None:
        """Delete a version with its model and its run, so that the same work is not found again but done.

        MLflow only marks model and run as deleted: `mlflow gc` frees the disk, and until then both can be restored.
        One that an alias points at by now is left alone. Killed anywhere, calling again does the rest.
        """
        client = self.connection.client
        with answering(self.connection.uri):
            if number in self._aliased(model):
                return
            version = _unless_gone(lambda: client.get_model_version(model, str(number)))
            if version is None:
                return
            logged = str(version.tags.get(f"{TAG}artifact_uri", "")).rpartition("/")[2]
            if logged:
                _unless_gone(lambda: client.delete_logged_model(logged))
            if run_id := version.run_id:
                _unless_gone(lambda: client.delete_run(run_id))
            # Last: by its tags the other two are found.
            _unless_gone(lambda: client.delete_model_version(model, str(number)))

    def _aliased(self, model: str) -> set[int]:
        known = _unless_gone(lambda: self.connection.client.get_registered_model(model))
        return set() if known is None else {int(number) for number in known.aliases.values()}


def _unless_gone(ask: Callable[[], T]) -> T | None:
    try:
        return ask()
    except MlflowException as error:
        if error_code(error) in _GONE:
            return None
        raise
