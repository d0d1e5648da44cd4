"""The way to MLflow: how long to try, whom to be, and what its errors mean."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from functools import cached_property
from pathlib import Path

import requests
from mlflow import MlflowClient
from mlflow.artifacts import download_artifacts
from mlflow.environment_variables import (
    MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR,
    MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR,
    MLFLOW_HTTP_REQUEST_MAX_RETRIES,
    MLFLOW_HTTP_REQUEST_TIMEOUT,
    MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT,
    MLFLOW_TRACKING_PASSWORD,
    MLFLOW_TRACKING_USERNAME,
)
from mlflow.exceptions import MlflowException

from flightworthy.artifact import verify
from flightworthy.errors import ArtifactRefused, Refused, Unavailable

__all__ = ["TAG", "MlflowConnection", "answering", "error_code", "insist"]

TAG = "flightworthy."
"""Before the name of every tag of ours, on runs, models and versions."""

_TRANSIENT = frozenset({"INTERNAL_ERROR", "TEMPORARILY_UNAVAILABLE", "REQUEST_LIMIT_EXCEEDED", "RESOURCE_EXHAUSTED"})
_TRIES = 5
_FORBIDDEN = frozenset({"PERMISSION_DENIED", "UNAUTHENTICATED", "CUSTOMER_UNAUTHORIZED"})


@dataclass(frozen=True, kw_only=True)
class MlflowConnection:
    """A tracking server, or any other tracking URI of MLflow.

    MLflow reads retries, timeout and credentials from the environment of the process, at each request and nowhere
    else, so making a client sets them there. Waits between ``retries`` double from one second and vary
    at random by up to a second, so that many tasks do not come back at once.
    """

    uri: str
    username: str | None = None
    password: str | None = None
    retries: int = 3
    request_time: timedelta = timedelta(seconds=20)

    @cached_property
    def client(self) -> MlflowClient:
        """A client that gives up after the retries."""
        settings = {
            MLFLOW_HTTP_REQUEST_MAX_RETRIES.name: str(self.retries),
            MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR.name: "1",
            MLFLOW_HTTP_REQUEST_TIMEOUT.name: str(int(self.request_time.total_seconds())),
            MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR.name: "false",
            MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT.name: "true",
            MLFLOW_TRACKING_USERNAME.name: self.username,
            MLFLOW_TRACKING_PASSWORD.name: self.password,
        }
        os.environ.update({name: value for name, value in settings.items() if value is not None})
        with answering(self.uri):
            return MlflowClient(tracking_uri=self.uri, registry_uri=self.uri)

    def location(self, artifact_uri: str) -> str:
        """Where the files of ``models:/<id>`` are; MLflow's own look-up asks the server set for the whole process.

        Raises ArtifactRefused where the model was deleted.
        """
        model_id = artifact_uri.rpartition("/")[2]
        with answering(self.uri):
            try:
                return str(self.client.get_logged_model(model_id).artifact_location)
            except MlflowException as error:
                if error_code(error) != "RESOURCE_DOES_NOT_EXIST":
                    raise
                raise ArtifactRefused(
                    f"{artifact_uri} is not in MLflow at {self.uri} any more: somebody deleted the model. Train again "
                    "to make it anew; what is released keeps serving from its own copy.",
                    artifact_uri=artifact_uri,
                    uri=self.uri,
                ) from error

    def fetch(self, artifact_uri: str, folder: Path, *, digest: str) -> Path:
        """Make ``folder`` hold the files of ``models:/<id>``, verified; what was there before is replaced.

        Raises ArtifactRefused where they are not what ``digest`` names; ``folder`` is then as it was.
        """
        location = self.location(artifact_uri)
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".fetch-") as scratch:
            with answering(self.uri):
                fetched = download_artifacts(artifact_uri=location, dst_path=scratch, tracking_uri=self.uri)
            verify(Path(fetched), digest=digest)
            if folder.exists():
                folder.rename(Path(scratch) / "replaced")
            Path(fetched).rename(folder)
        return folder


def error_code(error: MlflowException) -> str:
    """MLflow's name for what went wrong, such as RESOURCE_DOES_NOT_EXIST."""
    return str(error.error_code)


def insist(write: Callable[[], object]) -> None:
    """Make a write that may be made twice, again if it meets its like.

    MLflow looks whether a row is there and inserts it if not: of several that do so at once one inserts, and the others
    get BAD_REQUEST, and find the row when they ask again.
    """
    for last in (*[False] * (_TRIES - 1), True):
        try:
            write()
        except MlflowException as error:
            if last or error_code(error) != "BAD_REQUEST":
                raise
        else:
            return


@contextmanager
def answering(uri: str) -> Iterator[None]:
    """Raise Unavailable where MLflow does not answer or fails itself, Refused where it does not let us in.

    What MLflow says about the request itself (not found, exists already, invalid) passes through.
    """
    try:
        yield
    except MlflowException as error:
        if error_code(error) in _FORBIDDEN:
            raise Refused(
                f"MLflow at {uri} does not let this connection in ({error_code(error)}). "
                "Check login and password of the Airflow connection, and the user's permissions in MLflow.",
                uri=uri,
                error_code=error_code(error),
            ) from error
        if error_code(error) in _TRANSIENT:
            raise _unavailable(uri, error) from error
        raise
    except requests.RequestException as error:
        raise _unavailable(uri, error) from error


def _unavailable(uri: str, error: Exception) -> Unavailable:
    first_line = next(iter(str(error).splitlines()), type(error).__name__)
    return Unavailable(
        f"MLflow at {uri} did not answer, after retries: {first_line[:500]}. Nothing that serves depends on it; "
        "see that the server runs, then run this task again: it continues where it stopped.",
        uri=uri,
    )
