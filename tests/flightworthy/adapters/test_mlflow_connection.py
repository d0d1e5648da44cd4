from __future__ import annotations

import os
import pickle
import socket
from datetime import timedelta
from pathlib import Path

import pytest
import requests
from mlflow.exceptions import MlflowException

from flightworthy.adapters.mlflow_tracking.connection import MlflowConnection, answering, insist
from flightworthy.adapters.mlflow_tracking.registry import MlflowRegistry
from flightworthy.adapters.mlflow_tracking.runs import MlflowRuns
from flightworthy.errors import Refused, Unavailable


@pytest.fixture
def nobody(monkeypatch: pytest.MonkeyPatch) -> MlflowConnection:
    """A server that is not there, asked once and not again."""
    for name in ("MAX_RETRIES", "TIMEOUT", "BACKOFF_FACTOR"):
        monkeypatch.setenv(f"MLFLOW_HTTP_REQUEST_{name}", "1")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    return MlflowConnection(uri=f"http://127.0.0.1:{port}", retries=0, request_time=timedelta(seconds=1))


def test_a_server_that_is_down_is_unavailable_and_says_what_to_do(nobody: MlflowConnection) -> None:
    """Worth another try, so not a refusal; the error survives the way between processes."""
    with pytest.raises(Unavailable, match=r"did not answer.*run this task again") as caught:
        MlflowRuns(connection=nobody).find("shop", "k")
    assert caught.value.facts == {"uri": nobody.uri}
    assert pickle.loads(pickle.dumps(caught.value)).facts == {"uri": nobody.uri}


def test_every_question_to_a_registry_that_is_down_is_unavailable(nobody: MlflowConnection, tmp_path: Path) -> None:
    """None of them takes silence for an answer."""
    registry = MlflowRegistry(connection=nobody)
    for ask in (
        lambda: registry.find("shop", "k"),
        lambda: registry.version("shop", 1),
        lambda: registry.versions("shop"),
        lambda: registry.aliased("shop", "champion"),
        lambda: registry.set_alias("shop", "champion", 1),
        lambda: registry.delete_alias("shop", "champion"),
        lambda: registry.tag("shop", 1, {"image_digest": "x"}),
        lambda: nobody.fetch("models:/m-1", tmp_path / "model", digest="d"),
    ):
        with pytest.raises(Unavailable):
            ask()


@pytest.mark.parametrize("code", ["PERMISSION_DENIED", "UNAUTHENTICATED"])
def test_a_login_that_does_not_let_us_in_is_refused(code: str) -> None:
    """Trying again with the same password gives the same answer."""
    with pytest.raises(Refused, match="Check login and password"), answering("http://mlflow"):
        raise MlflowException("no", error_code=_number(code))


def test_what_mlflow_says_about_the_request_passes_through() -> None:
    """Not found and exists already are answers."""
    with pytest.raises(MlflowException), answering("http://mlflow"):
        raise MlflowException("no", error_code=_number("RESOURCE_DOES_NOT_EXIST"))


def test_a_connection_that_breaks_during_an_upload_is_unavailable() -> None:
    """Artifacts go by plain requests, whose errors are others."""
    with pytest.raises(Unavailable), answering("http://mlflow"):
        raise requests.ConnectionError("reset")


def test_credentials_are_given_to_mlflow_by_its_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """MLflow reads them nowhere else."""
    for name in ("MLFLOW_TRACKING_USERNAME", "MLFLOW_TRACKING_PASSWORD", "MLFLOW_HTTP_REQUEST_MAX_RETRIES"):
        monkeypatch.setenv(name, "before")
    connection = MlflowConnection(uri="http://127.0.0.1:1", username="ann", password="secret", retries=2)
    assert connection.client is connection.client
    assert os.environ["MLFLOW_TRACKING_USERNAME"] == "ann"
    assert os.environ["MLFLOW_TRACKING_PASSWORD"] == "secret"
    assert os.environ["MLFLOW_HTTP_REQUEST_MAX_RETRIES"] == "2"


def _number(code: str) -> int:
    from mlflow.protos import databricks_pb2

    number: int = databricks_pb2.ErrorCode.Value(code)
    return number


def test_a_write_that_meets_its_like_is_made_again() -> None:
    """Two trials insert the dataset both learnt from; the one that comes second finds it at its next try."""
    answers = iter([_refused("BAD_REQUEST"), _refused("BAD_REQUEST"), None])
    insist(lambda: _give(next(answers)))
    assert next(answers, "asked once more than needed") == "asked once more than needed"


@pytest.mark.parametrize("code, tries", [("BAD_REQUEST", 5), ("RESOURCE_DOES_NOT_EXIST", 1)])
def test_a_write_that_will_not_work_ends(code: str, tries: int) -> None:
    """What is wrong with the request itself is told as MLflow tells it, after a few tries at most."""
    made: list[str] = []
    with pytest.raises(MlflowException, match=code):
        insist(lambda: _give(_refused(code), told=made))
    assert len(made) == tries


def _refused(code: str) -> MlflowException:
    return MlflowException(f"{code}: UNIQUE constraint failed", error_code=_number(code))


def _give(answer: MlflowException | None, told: list[str] | None = None) -> None:
    if told is not None:
        told.append("asked")
    if answer is not None:
        raise answer
