"""AirflowApi: a client that knows Airflow's moods."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from demo.airflow_api import AirflowAnswer, AirflowApi


class Airflow(ThreadingHTTPServer):
    """Plays what it is given: a list of (status, body) per path; the last one is repeated."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Answers)
        self.script: dict[str, list[tuple[int, Any]]] = {"/auth/token": [(201, {"access_token": "one"})]}
        self.asked: list[tuple[str, str, str | None]] = []


class Answers(BaseHTTPRequestHandler):
    """One line of the script."""

    server: Airflow

    def do_GET(self) -> None:
        path = self.path.split("?")[0]
        self.rfile.read(int(self.headers.get("content-length", 0)))
        self.server.asked.append((self.command, path, self.headers["Authorization"]))
        lines = self.server.script[path]
        status, body = lines.pop(0) if len(lines) > 1 else lines[0]
        payload = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("content-length", str(len(payload)))
        self.end_headers()
        self.wfile.write(payload)

    def do_POST(self) -> None:
        self.do_GET()

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def airflow() -> Iterator[Airflow]:
    with Airflow() as serving:
        thread = threading.Thread(target=serving.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield serving
        serving.shutdown()
        thread.join()


@pytest.fixture
def api(airflow: Airflow) -> AirflowApi:
    return AirflowApi(f"http://127.0.0.1:{airflow.server_port}", user="admin", password="secret")


def test_a_password_buys_one_token_for_all_calls(airflow: Airflow, api: AirflowApi) -> None:
    """It is asked for with the first call, not with each."""
    airflow.script["/api/v2/dags"] = [(200, {"dags": [{"dag_id": "a"}]})]

    assert api.dag_ids() == {"a"}
    assert api.dag_ids() == {"a"}

    assert [path for _, path, _ in airflow.asked].count("/auth/token") == 1
    assert airflow.asked[-1][2] == "Bearer one"


def test_a_token_that_ran_out_is_bought_anew(airflow: Airflow, api: AirflowApi) -> None:
    """A day-long `make up` outlives a token."""
    airflow.script["/auth/token"] = [(201, {"access_token": "one"}), (201, {"access_token": "two"})]
    airflow.script["/api/v2/dags"] = [(401, {}), (200, {"dags": []})]

    api.dag_ids()

    assert airflow.asked[-1][2] == "Bearer two"


def test_a_locked_database_is_worth_another_try(airflow: Airflow, api: AirflowApi) -> None:
    """SQLite's lock shows as a 500."""
    airflow.script["/api/v2/dags/d/dagRuns"] = [(500, "locked"), (500, "locked"), (200, {"dag_run_id": "r"})]

    assert api.trigger("d") == "r"


def test_a_refusal_is_told_with_its_status(airflow: Airflow, api: AirflowApi) -> None:
    """Not tried again, since asking again gives the same answer."""
    airflow.script["/api/v2/dags/d/dagRuns"] = [(403, {"detail": "Forbidden"})]

    with pytest.raises(AirflowAnswer, match=r"403 .*Forbidden") as refusal:
        api.trigger("d")

    assert refusal.value.status == 403
    assert [path for _, path, _ in airflow.asked].count("/api/v2/dags/d/dagRuns") == 1


def test_a_refusal_that_was_expected_is_an_answer(airflow: Airflow, api: AirflowApi) -> None:
    """A test of who may do what says which status it wants; another one raises."""
    airflow.script["/api/v2/backfills"] = [(409, {})]

    assert api.call("POST", "/backfills", expect=409).status_code == 409
    with pytest.raises(AirflowAnswer):
        api.call("POST", "/backfills", expect=200)


def test_a_wait_ends_with_what_was_looked_for(airflow: Airflow, api: AirflowApi) -> None:
    """The run is handed over when it is done, either way."""
    airflow.script["/api/v2/dags/d/dagRuns/r"] = [(200, {"state": "running"}), (200, {"state": "failed"})]

    assert api.wait_for_run("d", "r")["state"] == "failed"


def test_a_wait_ends_when_a_component_died(airflow: Airflow) -> None:
    """Nobody waits three minutes for a scheduler that is gone."""

    def watch() -> None:
        raise RuntimeError("the scheduler died")

    airflow.script["/api/v2/dags/d/dagRuns/r"] = [(200, {"state": "running"})]
    url = f"http://127.0.0.1:{airflow.server_port}"

    with pytest.raises(RuntimeError, match="the scheduler died"):
        AirflowApi(url, user="admin", password="secret", watch=watch).wait_for_run("d", "r")


def test_a_wait_that_was_in_vain_says_for_what(airflow: Airflow, api: AirflowApi) -> None:
    """With the states of the tasks, which is where one would look next."""
    airflow.script["/api/v2/dags/d/dagRuns/r"] = [(200, {"state": "running"})]
    task = {"task_id": "train", "map_index": 1, "state": "queued"}
    airflow.script["/api/v2/dags/d/dagRuns/r/taskInstances"] = [(200, {"task_instances": [task]})]

    with pytest.raises(AirflowAnswer, match=r"d r to finish; \{'train\[1\]': 'queued'\}"):
        api.wait_for_run("d", "r", within=0.1)


def test_a_dag_file_that_does_not_import_ends_the_wait_for_its_dags(airflow: Airflow, api: AirflowApi) -> None:
    """With the trace: it will not come by waiting."""
    broken = {"import_errors": [{"filename": "deploy.py", "stack_trace": "SyntaxError: no"}]}
    airflow.script["/api/v2/importErrors"] = [(200, broken)]
    airflow.script["/api/v2/plugins/importErrors"] = [(200, {"import_errors": []})]

    with pytest.raises(AirflowAnswer, match=r"deploy\.py does not import: SyntaxError"):
        api.wait_for_dags("diagnosis.deploy")


def test_a_log_reads_as_lines_with_the_error_and_where_it_was(airflow: Airflow, api: AirflowApi) -> None:
    """Airflow logs keys and nested frames; a person reads lines."""
    frame = {"filename": "train.py", "lineno": 7, "name": "train"}
    error = {"exc_type": "ValueError", "exc_value": "too few rows", "frames": [frame]}
    events = [
        {"timestamp": "12:00", "level": "info", "event": "ingested", "rows": 80},
        {"timestamp": "12:01", "level": "error", "event": "failed", "error_detail": [error]},
    ]
    airflow.script["/api/v2/dags/d/dagRuns/r/taskInstances/train/logs/1"] = [(200, {"content": events})]

    assert api.log("d", "r", "train", try_number=1).splitlines() == [
        "12:00 info ingested rows=80",
        "12:01 error failed",
        "  train.py:7 in train",
        "ValueError: too few rows",
    ]
