from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from starlette.testclient import TestClient

from flightworthy.serving.app import Limits, Readiness, Service, create_app
from flightworthy.serving.observed import Identity
from flightworthy.serving.prediction_log import PredictionLog
from flightworthy.serving.scoring import load_scorer
from tests.flightworthy.serving.making import golden_rows

ROW = {"amount": 5, "items": 2, "country": "NL", "is_new": True}


class Answers:
    """A model that answers what it was told to, for as many rows as it was told to."""

    def __init__(self, *predictions: float) -> None:
        self.predictions = np.array(predictions)

    def predict(self, rows: Any) -> Any:
        return self.predictions


def replace_model(service: Service, model: Answers) -> None:
    object.__setattr__(service.scorer, "predictor", model)


def sample(client: TestClient, name: str) -> float:
    lines = [line for line in client.get("/metrics").text.splitlines() if line.startswith(name)]
    assert len(lines) == 1, lines
    return float(lines[0].split()[-1])


def test_every_answer_says_who_answered(client: TestClient) -> None:
    """Also a refusal: model, version and release, and a request id."""
    for answer in [
        client.post("/invocations", json={"instances": [ROW]}),
        client.post("/invocations"),
        client.get("/x"),
    ]:
        assert answer.headers["x-flightworthy-model"] == "fraud"
        assert answer.headers["x-flightworthy-version"] == "3"
        assert answer.headers["x-flightworthy-release"] == "fraud-3-abcdef01"
        assert answer.headers["x-flightworthy-arm"] == "a"
        assert len(answer.headers["x-request-id"]) == 32


def test_a_request_id_is_kept_if_it_is_sane_and_made_if_not(client: TestClient) -> None:
    """What a client sends ends in logs and headers: no spaces, no line ends, no novels."""
    assert client.get("/ping", headers={"x-request-id": "abc-123"}).headers["x-request-id"] == "abc-123"
    for wild in ["a b", "x" * 129, "", "<script>"]:
        assert len(client.get("/ping", headers={"x-request-id": wild}).headers["x-request-id"]) == 32


def test_a_forged_arm_changes_nothing(client: TestClient) -> None:
    """The arm is the server's own; a request cannot claim it."""
    answer = client.post("/invocations", json={"instances": [ROW]}, headers={"x-flightworthy-arm": "b"})
    assert answer.headers.get_list("x-flightworthy-arm") == ["a"]


def test_health_names_what_would_answer(client: TestClient, service: Service) -> None:
    """The deployer checks that the port it started holds the release it meant."""
    answer = client.get("/healthz")
    assert answer.status_code == 200
    expected = {"status": "ready", "model": "fraud", "version": "3", "release": "fraud-3-abcdef01"}
    assert expected.items() <= answer.json().items()
    assert answer.json()["artifact_digest"] == service.scorer.digest


def test_mlflow_s_own_clients_find_what_they_ask(client: TestClient) -> None:
    """MLflow's server has /ping, /health and /version."""
    assert client.get("/ping").text == "\n"
    assert client.get("/health").status_code == 200
    assert client.get("/version").text == "3.17.2"


def test_a_server_that_answers_other_than_training_is_never_ready(service: Service) -> None:
    """Golden rows are scored before the first request; a difference keeps traffic away, and says by how much."""
    replace_model(service, Answers(*[0.25] * len(service.scorer.golden.rows)))
    with TestClient(create_app(service)) as client:
        health = client.get("/healthz")
        assert (health.status_code, health.json()["status"]) == (503, "refused")
        assert "differ from training" in health.json()["reason"]
        assert client.get("/ping").status_code == 503
        assert client.post("/invocations", json={"instances": [ROW]}).status_code == 503


@pytest.mark.parametrize("predictions", [(float("nan"),), (1.2,), (-0.1,), (0.5, 0.5), (), (float("inf"),)])
def test_an_answer_that_is_no_probability_for_each_row_is_not_sent(
    client: TestClient, service: Service, predictions: tuple[float, ...]
) -> None:
    """NaN, out of range, too many or too few: a 500, counted, and nothing of it in the answer."""
    replace_model(service, Answers(*predictions))
    answer = client.post("/invocations", json={"instances": [ROW]})
    assert answer.status_code == 500
    assert "predictions" not in answer.json()
    assert sample(client, "flightworthy_outputs_refused_total") == 1


def test_metrics_count_requests_rows_and_seconds(client: TestClient) -> None:
    """By status, with a histogram whose buckets add up, in Prometheus' own format."""
    client.post("/invocations", json={"instances": [ROW, ROW]})
    client.post("/invocations", json={"instances": []})
    assert sample(client, 'flightworthy_requests_total{status="200"}') == 1
    assert sample(client, 'flightworthy_requests_total{status="422"}') == 1
    assert sample(client, "flightworthy_rows_total") == 2
    assert sample(client, "flightworthy_request_seconds_count") == 2
    assert sample(client, 'flightworthy_request_seconds_bucket{le="+Inf"}') == 2
    assert sample(client, 'flightworthy_model_info{model="fraud",version="3",release="fraud-3-abcdef01",arm="a"}') == 1
    parser = pytest.importorskip("prometheus_client.parser")
    families = list(parser.text_string_to_metric_families(client.get("/metrics").text))
    assert "flightworthy_request_seconds" in {family.name for family in families}


def test_a_draining_server_answers_but_asks_to_be_left(client: TestClient, service: Service) -> None:
    """The router sees 503 and goes elsewhere; what is still sent is answered, and the connection closed."""
    service.drain()
    assert service.readiness is Readiness.DRAINING
    assert client.get("/healthz").status_code == 503
    answer = client.post("/invocations", json={"instances": [ROW]})
    assert answer.status_code == 200
    assert answer.headers["connection"] == "close"


def test_every_answer_is_in_the_prediction_log(fraud: Path, tmp_path: Path) -> None:
    """One line a row, under the answer's request id, with what was sent and answered; refusals are not."""
    scorer = load_scorer(fraud)
    identity = Identity(model="fraud", version="3", release="fraud-3-abcdef01", arm="a")
    stamp = {"release": identity.release, "version": identity.version, "arm": identity.arm}
    log = PredictionLog(tmp_path / "fraud", contract=scorer.contract, stamp=stamp)
    rows = golden_rows(fraud)[0][:2]
    with TestClient(create_app(Service(scorer, identity, log=log, limits=Limits()))) as client:
        answer = client.post("/invocations", json={"dataframe_records": rows}, headers={"x-entity-id": "c-1"})
        client.post("/invocations", json={"dataframe_records": [{}]})
        client.post("/invocations", json={"dataframe_records": rows[:1]}, headers={"x-entity-id": "a b" * 200})
    lines = [json.loads(line) for path in (tmp_path / "fraud").iterdir() for line in path.read_text().splitlines()]
    assert [line["features"] for line in lines] == [*rows, rows[0]]
    assert [line["prediction"] for line in lines[:2]] == answer.json()["predictions"]
    assert {line["request_id"] for line in lines[:2]} == {answer.headers["x-request-id"]}
    assert [line["entity"] for line in lines] == ["c-1", "c-1", None]
    assert {(line["release"], line["version"], line["arm"]) for line in lines} == {("fraud-3-abcdef01", "3", "a")}
    assert all(line["at"].endswith("Z") for line in lines)
