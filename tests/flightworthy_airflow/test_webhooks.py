"""MLflow's webhook: signed with its own code, for a partition that has landed, and closed to everybody else."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import uvicorn
import yaml
from mlflow import MlflowClient
from mlflow.webhooks.delivery import _generate_hmac_signature
from starlette.testclient import TestClient

from drill.mlflow_server import running_mlflow
from flightworthy.arrival import Stage
from flightworthy.testing import MemoryArrivals
from flightworthy_airflow.hooks.flightworthy import FlightworthyHook
from flightworthy_airflow.web.application import application
from tests.flightworthy_airflow.conftest import SPEC

MONDAY = "2026-01-05"
SECRET = "only these two know it"
SET = {"name": "churn", "version": "1", "key": "flightworthy.partition", "value": MONDAY}


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> MemoryArrivals:
    """A model that is told of a partition which has landed."""
    folder = tmp_path / "models" / "churn"
    folder.mkdir(parents=True)
    source = {"uri": f"{tmp_path}/{{partition}}.csv", "partition": "%Y-%m-%d"}
    (folder / "model.yaml").write_text(yaml.safe_dump({**SPEC, "model": "churn", "source": source}))
    (tmp_path / f"{MONDAY}.csv").write_text("a\n1\n")
    extra = {"home": str(tmp_path), "models": str(tmp_path / "models"), "webhook_secret": SECRET}
    monkeypatch.setenv("AIRFLOW_CONN_FLIGHTWORTHY_DEFAULT", json.dumps({"conn_type": "generic", "extra": extra}))
    kept = MemoryArrivals()
    monkeypatch.setattr(FlightworthyHook, "arrivals", lambda _: kept)
    return kept


def event(data: dict[str, Any], *, entity: str = "model_version_tag", action: str = "set") -> str:
    return json.dumps({"entity": entity, "action": action, "timestamp": "2026-01-05T09:00:00+00:00", "data": data})


def deliver(body: str, *, secret: str = SECRET, age: float = 0, **changed: str | None) -> Any:
    """As MLflow delivers it, but for the headers that are changed, or left out with None."""
    timestamp = str(int(time.time() - age))
    headers = {
        "X-MLflow-Delivery-Id": "one",
        "X-MLflow-Timestamp": timestamp,
        "X-MLflow-Signature": _generate_hmac_signature(secret, "one", timestamp, body),
    }
    sent = {**headers, **{f"X-MLflow-{name}": value for name, value in changed.items()}}
    client = TestClient(application())
    kept = {name: value for name, value in sent.items() if value is not None}
    return client.post("/webhooks/mlflow", content=body, headers=kept)


@pytest.mark.parametrize(
    "told",
    [
        event(SET),
        event({"name": "churn", "tags": {"flightworthy.partition": MONDAY}}, entity="model_version", action="created"),
    ],
    ids=["a tag that is set", "a version that is made with it"],
)
def test_a_signed_event_about_a_landed_partition_is_an_arrival(store: MemoryArrivals, told: str) -> None:
    """It waits to be announced, like one that the watcher saw; a second delivery changes nothing."""
    for _ in range(2):
        answer = deliver(told)
        assert answer.status_code == 202
        assert answer.json() == {"model": "churn", "partition": MONDAY, "kind": "fresh", "stage": "seen"}
    assert [(each.key, each.stage) for each in store.waiting()] == [(MONDAY, Stage.SEEN)]


@pytest.mark.parametrize(
    "how",
    [
        {"secret": "a guess"},
        {"age": 400},
        {"age": -400},
        {"Signature": None},
        {"Signature": "v1,"},
        {"Signature": "v1"},
        {"Timestamp": None},
        {"Timestamp": "soon"},
        {"Timestamp": "9" * 400},
        {"Delivery-Id": None},
        {"Delivery-Id": "another"},
    ],
    ids=lambda how: "-".join(f"{name}={value}"[:24] for name, value in how.items()),
)
def test_whoever_has_not_signed_it_just_now_is_turned_away(store: MemoryArrivals, how: Any) -> None:
    """With another secret, too late or too early, without a part of it, or with a part of another delivery."""
    answer = deliver(event(SET), **how)

    assert answer.status_code == 401
    assert store.kept == {}


def test_a_body_that_was_changed_or_is_too_long_is_turned_away(store: MemoryArrivals) -> None:
    """The signature is of every byte; and nobody makes the server keep megabytes."""
    timestamp = str(int(time.time()))
    signature = _generate_hmac_signature(SECRET, "one", timestamp, event(SET))
    assert deliver(event({**SET, "value": "2026-01-12"}), Signature=signature, Timestamp=timestamp).status_code == 401
    assert deliver(event({**SET, "more": "x" * 70_000})).status_code == 401
    assert store.kept == {}


def test_without_a_secret_nobody_can_sign(store: MemoryArrivals, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not even with an empty one."""
    monkeypatch.setenv("AIRFLOW_CONN_FLIGHTWORTHY_DEFAULT", json.dumps({"conn_type": "generic", "extra": {}}))
    monkeypatch.delenv("FLIGHTWORTHY_WEBHOOK_SECRET", raising=False)

    assert deliver(event(SET), secret="").status_code == 401


@pytest.mark.parametrize(
    "told, status, said",
    [
        (event({**SET, "value": "2026-01-12"}), 422, "2026-01-12, which its source does not hold"),
        (event({**SET, "value": "../secret"}), 422, "which its source does not hold"),
        (event({**SET, "name": "nobody"}), 404, "There is no model nobody"),
        (event({**SET, "name": "../models/churn"}), 404, "There is no model"),
        (event({**SET, "key": "stage"}), 200, "it sets no tag"),
        (event({"name": "churn"}, entity="registered_model", action="created"), 200, "it sets no tag"),
        ("[]", 400, "no event of MLflow"),
        ("{", 400, "no event of MLflow"),
    ],
    ids=["not landed", "a path", "no model", "a path for a model", "another tag", "another event", "a list", "no JSON"],
)
def test_what_is_signed_and_names_no_landed_partition_says_why(
    store: MemoryArrivals, told: str, status: int, said: str
) -> None:
    """Nothing is noted, and MLflow's log has the answer."""
    answer = deliver(told)

    assert (answer.status_code, store.kept) == (status, {})
    assert said in answer.text


def test_a_partition_that_its_marker_does_not_confirm_is_asked_for_again(store: MemoryArrivals, tmp_path: Path) -> None:
    """503, at which MLflow delivers it once more."""
    file = tmp_path / "models" / "churn" / "model.yaml"
    said = yaml.safe_load(file.read_text())
    said["source"]["complete"] = {"marker": "{partition}.done"}
    file.write_text(yaml.safe_dump(said))

    assert deliver(event(SET)).status_code == 503
    (tmp_path / f"{MONDAY}.done").write_text("")
    assert deliver(event(SET)).status_code == 202


@contextmanager
def answering() -> Iterator[str]:
    """Our application on a port of its own; where its webhook is."""
    server = uvicorn.Server(uvicorn.Config(application(), host="127.0.0.1", port=0, log_level="warning"))
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        while not server.started:
            time.sleep(0.02)
        port = server.servers[0].sockets[0].getsockname()[1]
        yield f"http://127.0.0.1:{port}/webhooks/mlflow"
    finally:
        server.should_exit = True
        thread.join()


@pytest.mark.slow
def test_mlflows_own_server_delivers_what_is_taken(
    store: MemoryArrivals, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A real one: a tag is set on a version, and the partition waits; a webhook with another secret tells nothing."""
    monkeypatch.setenv("MLFLOW_WEBHOOK_ALLOWED_SCHEMES", "http")
    monkeypatch.setenv("MLFLOW_WEBHOOK_ALLOW_PRIVATE_IPS", "true")
    (tmp_path / "mlflow").mkdir()
    with running_mlflow(tmp_path / "mlflow") as address, answering() as url:
        client = MlflowClient(address, address)
        client.create_registered_model("churn")
        run = client.create_run("0").info
        version = client.create_model_version("churn", f"{run.artifact_uri}/model", run_id=run.run_id)
        hook = client.create_webhook("churn", url, ["model_version_tag.set"], secret="a guess")
        refused = client.test_webhook(hook.webhook_id)
        client.update_webhook(hook.webhook_id, secret=SECRET)
        tried = client.test_webhook(hook.webhook_id)
        client.set_model_version_tag("churn", version.version, "flightworthy.partition", MONDAY)
        deadline = time.monotonic() + 30
        while not store.kept and time.monotonic() < deadline:
            time.sleep(0.1)

    assert (refused.response_status, tried.response_status) == (401, 200)
    assert [(each.model, each.key) for each in store.waiting()] == [("churn", MONDAY)]
