"""FAULTS.md, bad inputs 44 and 46 to 49, where the connection itself is the fault: a real process, raw bytes."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.flightworthy.serving.running import HEAD, exchange, health, serving


@pytest.fixture(scope="module")
def port(fraud: Path) -> Iterator[int]:
    with serving(fraud, "--header-seconds", "0.6", "--body-seconds", "0.6") as (_, port):
        yield port


def problem(answer: bytes, status: int) -> dict[str, Any]:
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.startswith(f"HTTP/1.1 {status} ".encode()), answer[:300]
    assert b"content-type: application/problem+json" in head
    found = json.loads(body)
    assert found["status"] == status
    assert f"x-request-id: {found['request_id']}".encode() in head
    return dict(found)


@pytest.mark.parametrize("begun", [b"", b"POST /invoc", HEAD, HEAD + b"x-slow: "])
def test_a_head_that_does_not_end_is_a_408(port: int, begun: bytes) -> None:
    """47: also of a client that says nothing at all. The place is free again after the time that a head may take."""
    started = time.monotonic()
    answer = exchange(port, *([begun] if begun else []))
    assert time.monotonic() - started < 5
    assert "head" in problem(answer, 408)["detail"]


def test_a_head_that_drips_is_a_408(port: int) -> None:
    """47: a byte now and then does not set the clock back."""
    with socket.create_connection(("127.0.0.1", port), timeout=5) as client:
        client.sendall(HEAD)
        for _ in range(8):
            time.sleep(0.1)
            try:
                client.sendall(b"x")
            except OSError:
                break
        assert client.recv(65536).startswith(b"HTTP/1.1 408 ")


def test_the_clock_runs_for_each_request_of_a_connection_and_not_between_them(port: int) -> None:
    """A router keeps connections open; an idle one is no slow one, a second slow head is."""
    with socket.create_connection(("127.0.0.1", port), timeout=5) as client:
        for _ in range(2):
            client.sendall(b"GET /ping HTTP/1.1\r\nhost: x\r\n\r\n")
            answer = b""
            while not answer.endswith(b"\r\n\r\n\n"):
                answer += client.recv(65536)
            assert answer.startswith(b"HTTP/1.1 200 ")
            time.sleep(0.9)
        client.sendall(HEAD)
        assert client.recv(65536).startswith(b"HTTP/1.1 408 ")


@pytest.mark.parametrize("length", [b"content-length: 9\r\n\r\n12", b"transfer-encoding: chunked\r\n\r\n2\r\n12\r\n"])
def test_a_body_that_does_not_end_is_a_408(port: int, length: bytes) -> None:
    """47: the body has a clock of its own."""
    assert "body" in problem(exchange(port, HEAD + length), 408)["detail"]


def test_a_head_without_an_end_is_a_431(port: int) -> None:
    """However fast it comes: a head is kept in memory, and has its measure."""
    answer = exchange(port, HEAD + b"x-long: " + b"a" * 40_000)
    assert problem(answer, 431)["request_id"]


@pytest.mark.parametrize(
    "head",
    [
        b"content-length: 4\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
        b"transfer-encoding: chunked\r\ncontent-length: 4\r\n\r\n0\r\n\r\n",
        b"content-length: 4\r\ncontent-length: 5\r\n\r\n{}  ",
        b"content-length: -4\r\n\r\n{}",
        b"content-length: 4, 5\r\n\r\n{}  ",
        b"transfer-encoding: chunked, identity\r\n\r\n0\r\n\r\n",
        b"x: a\0b\r\n\r\n",
    ],
)
def test_a_length_that_is_said_twice_is_a_400(port: int, head: bytes) -> None:
    """48: two readers could see two requests in it, which is how one is smuggled past a router."""
    problem(exchange(port, HEAD + head, timeout=2), 400)


@pytest.mark.parametrize(
    "text", [b"\x16\x03\x01\x02\x00\x01\x00", b"hello\r\n\r\n", b"\0" * 100, b"GET / HTTP/9.9\r\n\r\n"]
)
def test_what_is_no_http_is_a_400(port: int, text: bytes) -> None:
    """TLS to a plain port, noise: answered, and the connection closed."""
    problem(exchange(port, text, timeout=2), 400)


def test_a_forged_arm_is_not_believed(port: int) -> None:
    """49: who answers is the server's to say; it was started without an arm, and so has none."""
    answer = exchange(port, b"GET /healthz HTTP/1.1\r\nhost: x\r\nx-flightworthy-arm: b\r\nconnection: close\r\n\r\n")
    assert b"x-flightworthy-arm" not in answer
    assert json.loads(answer.partition(b"\r\n\r\n")[2])["arm"] is None


def test_the_server_is_none_the_worse_for_it(port: int) -> None:
    """After all of the above."""
    assert health(port) == 200
