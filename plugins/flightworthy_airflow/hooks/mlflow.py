"""MLflow: where training runs are recorded and model versions numbered."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from airflow.sdk import BaseHook

if TYPE_CHECKING:
    from pathlib import Path

    from airflow.sdk import Connection

    from flightworthy.adapters.mlflow_presence import MlflowPresence
    from flightworthy.adapters.mlflow_tracking.connection import MlflowConnection
    from flightworthy.adapters.mlflow_tracking.registry import MlflowRegistry
    from flightworthy.adapters.mlflow_tracking.runs import MlflowRuns
    from flightworthy.release import Release

__all__ = ["MlflowHook"]


class MlflowHook(BaseHook):
    """Connection ``mlflow_default``: an HTTP connection with host, port, login and password."""

    conn_name_attr = "mlflow_conn_id"
    default_conn_name = "mlflow_default"
    conn_type = "http"
    hook_name = "MLflow"

    def __init__(self, mlflow_conn_id: str = default_conn_name) -> None:
        super().__init__()
        self.mlflow_conn_id = mlflow_conn_id

    @cached_property
    def _airflow_connection(self) -> Connection:
        return self.get_connection(self.mlflow_conn_id)

    @cached_property
    def _connection(self) -> MlflowConnection:
        from flightworthy.adapters.mlflow_tracking.connection import MlflowConnection

        known = self._airflow_connection
        return MlflowConnection(uri=self.url, username=known.login, password=known.password)

    @cached_property
    def url(self) -> str:
        """The server's address, without credentials."""
        known = self._airflow_connection
        scheme = known.schema or "http"
        host = known.host or "127.0.0.1"
        address = host if "://" in host else f"{scheme}://{host}"
        return f"{address}:{known.port}" if known.port else address

    def runs(self) -> MlflowRuns:
        """Training runs, one per content key."""
        from flightworthy.adapters.mlflow_tracking.runs import MlflowRuns

        return MlflowRuns(connection=self._connection)

    def registry(self) -> MlflowRegistry:
        """Model versions and their aliases."""
        from flightworthy.adapters.mlflow_tracking.registry import MlflowRegistry

        return MlflowRegistry(connection=self._connection)

    def presence(self) -> MlflowPresence:
        """Whether a version stands, without importing MLflow."""
        from flightworthy.adapters.mlflow_presence import MlflowPresence

        known = self._airflow_connection
        return MlflowPresence(uri=self.url, username=known.login, password=known.password)

    def download_release(self, release: Release, folder: Path) -> Path:
        """The artifact of a release, verified against the digest that its bundle names."""
        from flightworthy.errors import ArtifactRefused

        registry = self.registry()
        version = registry.version(release.model, int(release.version))
        if version is None or version.artifact_digest != release.artifact_digest:
            raise ArtifactRefused(
                f"{release.id} serves, but MLflow has no version {release.version} of {release.model} with artifact "
                f"{release.artifact_digest[:12]}: it was deleted or replaced. Without it no challenger can be compared "
                "with the champion; restore it, or register and release a new version by hand.",
                release=release.id,
            )
        return registry.download(version, folder)

    def run_url(self, run_id: str) -> str:
        """The run's page, which MLflow finds without the experiment's number."""
        return f"{self.url}/#/experiments/0/runs/{run_id}"

    def version_url(self, model: str, version: int) -> str:
        """The version's page."""
        return f"{self.url}/#/models/{model}/versions/{version}"
