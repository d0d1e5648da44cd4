"""Traffic: every request is counted, and every failure is told."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count
from typing import Any

import pytest

from demo.traffic import Traffic


class Server(ThreadingHTTPServer):
    """Answers as it is told to, and keeps what it was asked."""

    status = 200
    version = "1"

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Answers)
        self.asked: list[tuple[str, str | None, Any]] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class Answers(BaseHTTPRequestHandler):
    """One answer, on a connection that stays open."""

    protocol_version = "HTTP/1.1"
    server: Server

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        self.server.asked.append((self.path, self.headers["x-entity-id"], json.loads(body)))
        self.send_response(self.server.status)
        self.send_header("x-flightworthy-version", self.server.version)
        self.send_header("content-length", "2")
        self.end_headers()
        self.wfile.write(b"{}")

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as serving:
        thread = threading.Thread(target=serving.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield serving
        serving.shutdown()
        thread.join()


def flow(url: str, **options: Any) -> Traffic:
    rows = ({"record_id": number, "mean_radius": 1.5} for number in count())
    return Traffic(url, model="diagnosis", rows=rows, entity="record_id", **options)


def wait_until(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_a_row_goes_out_as_its_entity_and_its_features(server: Server) -> None:
    """The entity is for the router's header, not for the model."""
    traffic = flow(server.url, connections=1)
    traffic.start()
    wait_until(lambda: len(server.asked) >= 1)
    traffic.stop()

    assert server.asked[0] == ("/diagnosis/invocations", "0", {"dataframe_records": [{"mean_radius": 1.5}]})


def test_nothing_is_sent_before_the_start(server: Server) -> None:
    """The first version has to be live first."""
    traffic = flow(server.url)
    time.sleep(0.1)

    assert traffic.stop().sent == 0
    assert server.asked == []


def test_the_rate_is_kept_and_may_be_changed(server: Server) -> None:
    """Never more than asked for, over all connections together; on a busy machine fewer."""
    traffic = flow(server.url, rate=40)
    traffic.start()
    time.sleep(1.0)
    slow = traffic.count().sent
    traffic.rate = 200
    time.sleep(1.0)
    fast = traffic.stop().sent - slow

    assert 10 <= slow <= 45
    assert slow * 1.5 <= fast <= 240


def test_it_is_known_which_version_answered_when(server: Server) -> None:
    """Per second and in all, so that a shift of traffic can be seen."""
    traffic = flow(server.url, rate=100)
    traffic.start()
    wait_until(lambda: traffic.count().versions.get("1", 0) > 5)
    server.version = "2"
    wait_until(lambda: traffic.recent(within=1) == {"2": 1.0})
    counted = traffic.stop()

    assert set(counted.versions) == {"1", "2"}
    assert sum(counted.versions.values()) == counted.sent
    assert counted.seconds[0]["1"] > 0


def test_an_answer_other_than_200_is_a_failure_with_its_detail(server: Server) -> None:
    """Twenty are kept, all are counted."""
    server.status = 503
    traffic = flow(server.url, rate=200)
    traffic.start()
    wait_until(lambda: traffic.count().failed > 25)
    counted = traffic.stop()

    assert counted.failed == counted.sent == len(server.asked)
    assert len(counted.failures) == 20
    assert counted.failures[0].detail == "503 {}"


def test_nobody_there_is_a_failure_too() -> None:
    """A connection refused is a request that was not answered; the traffic goes on."""
    # Bound and never listening: nobody answers there, and nobody else can be given the port meanwhile.
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        traffic = flow(f"http://127.0.0.1:{held.getsockname()[1]}", rate=200)
        traffic.start()
        wait_until(lambda: traffic.count().failed > 5)
        counted = traffic.stop()

    assert counted.failed == counted.sent
    assert "ConnectionRefusedError" in counted.failures[0].detail
