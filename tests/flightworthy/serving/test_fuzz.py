"""Whatever is sent: an answer below 500 within seconds, and a server that has not grown. A real process, real bytes."""

from __future__ import annotations

import http.client
import io
import json
import os
import random
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import tritonclient.http as triton

from tests.flightworthy.serving.making import golden_rows
from tests.flightworthy.serving.running import HEAD, health, memory, serving

SECONDS = float(os.environ.get("FLIGHTWORTHY_FUZZ_SECONDS", "0"))
"""How long each of these tests goes on; by itself they take a few seconds."""
ANSWER_SECONDS = 5
DATATYPES = {"amount": "FP64", "items": "INT64", "country": "BYTES", "is_new": "BOOL"}
GROWTH = 8 << 20
"""Bytes that a server may grow by in a test, since caches fill: less than 3 kB for each of the fewest bodies sent."""


@dataclass(frozen=True, kw_only=True)
class Server:
    port: int
    pid: int
    stderr: Path


@pytest.fixture(scope="module")
def server(fraud: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """The fraud model; it says so on stderr when anything in it fails."""
    stderr = tmp_path_factory.mktemp("fuzz") / "stderr"
    with stderr.open("wb") as text, serving(fraud, stderr=text) as (process, port):
        yield Server(port=port, pid=process.pid, stderr=stderr)


@pytest.fixture(autouse=True)
def _unharmed(server: Server) -> Iterator[None]:
    """After each test the server serves, is no larger than before, and no code of it has failed."""
    before = memory(server.pid)
    yield
    assert health(server.port) == 200
    assert memory(server.pid) - before < GROWTH
    failures = [line for line in server.stderr.read_text().splitlines() if '"trace"' in line]
    assert failures == [], failures[0]


def bodies(rows: list[dict[str, Any]]) -> list[tuple[str, dict[str, str], bytes]]:
    """Path, headers and body of good requests, one of each kind."""
    frame, columns = pd.DataFrame(rows), list(rows[0])
    lists = [list(row.values()) for row in rows]
    shapes: list[dict[str, Any]] = [
        {"dataframe_split": {"index": [0, 1], "columns": columns, "data": lists}},
        {"dataframe_records": rows},
        {"instances": lists},
        {"inputs": {name: [row[name] for row in rows] for name in columns}},
    ]
    stream, table = io.BytesIO(), pa.Table.from_pandas(frame.astype({"country": "category"}))
    with pa.ipc.new_stream(stream, table.schema) as writer:
        writer.write_table(table, max_chunksize=2)
    arrow, plain = "application/vnd.apache.arrow.stream", {"content-type": "application/json"}
    found = [("/invocations", plain, json.dumps(shape).encode()) for shape in shapes]
    found.append(("/invocations", {"content-type": "text/csv"}, frame.to_csv(index=False).encode()))
    found.append(("/invocations", {"content-type": arrow, "accept": arrow}, stream.getvalue()))
    return [*found, *(_inference(frame, binary=binary) for binary in (True, False))]


def _inference(frame: pd.DataFrame, *, binary: bool) -> tuple[str, dict[str, str], bytes]:
    dtypes = {"FP64": np.float64, "INT64": np.int64, "BYTES": np.object_, "BOOL": np.bool_}
    tensors = []
    for name, datatype in DATATYPES.items():
        tensor = triton.InferInput(name, [len(frame)], datatype)
        tensor.set_data_from_numpy(frame[name].to_numpy(dtype=dtypes[datatype]), binary_data=binary)
        tensors.append(tensor)
    body, size = triton.InferenceServerClient.generate_request_body(tensors)
    headers = {} if size is None else {"inference-header-content-length": str(size)}
    return "/v2/models/fraud/infer", {"content-type": "application/octet-stream", **headers}, body


TOKENS = [b"null", b"NaN", b"1e999", b"-1", b"[]", b"{}", b'"', b",", b":", b"\\u0000", b"\\ud800", b"9" * 400, b"true"]
TOKENS += [b"[" * 3000, b"\0", b"\xff", b"\n", b"\r\n", b"2147483648", b"-9223372036854775808", b"\xff\xff\xff\x7f"]


def mutated(body: bytes, chance: random.Random, others: list[bytes]) -> bytes:
    """One to four things done to a body: cut, flipped, doubled, filled, crossed with another."""
    for _ in range(chance.choice((1, 1, 1, 2, 4))):
        at, to = sorted(chance.randrange(len(body) + 1) for _ in range(2))
        other = chance.choice(others)
        flipped = bytes(byte ^ 1 << chance.randrange(8) for byte in body[at : at + 3])
        body = chance.choice(
            [
                body[:at],
                body[:at] + body[min(to, at + 64) :],
                body[:at] + chance.choice(TOKENS) + body[at:],
                body[:to] + body[max(at, to - 256) :],
                body[:at] + other[chance.randrange(len(other)) :],
                body[:at] + chance.randbytes(chance.randrange(9)) + body[at + 8 :],
                body[:at] + flipped + body[at + 3 :],
            ]
        )
    return body


def until_done(rounds: int) -> Iterator[int]:
    """So many rounds, or as many as fit into the time that was asked for."""
    deadline, done = time.monotonic() + SECONDS, 0
    while done < rounds or time.monotonic() < deadline:
        yield done
        done += 1


def test_no_body_makes_a_server_fail(server: Server, fraud: Path) -> None:
    """Good bodies of every protocol, damaged at random, over connections that are kept: 200, or a 4xx that says why."""
    good = bodies([{name: row[name] for name in DATATYPES} for row in golden_rows(fraud)[0][:4]])
    statuses: Counter[int] = Counter()
    with closing(http.client.HTTPConnection("127.0.0.1", server.port, timeout=ANSWER_SECONDS)) as connection:
        for path, headers, body in good:
            status, text = ask(connection, path, headers, body)
            assert status == 200, (text, headers, body)
        for number in until_done(3000):
            chance = random.Random(number)
            path, headers, body = chance.choice(good)
            body = mutated(body, chance, [each for _, _, each in good])
            status, text = ask(connection, path, headers, body)
            statuses[status] += 1
            assert status in {200, 400, 413, 415, 422}, (number, status, text, headers, body)
            if status != 200:
                problem = json.loads(text)
                assert problem["status"] == status
                assert problem["request_id"]
    # Else nothing of what was sent was near enough to a request to be looked at.
    assert min(statuses[status] for status in (200, 400, 422)) > 20, statuses


def ask(connection: http.client.HTTPConnection, path: str, headers: dict[str, str], body: bytes) -> tuple[int, bytes]:
    connection.request("POST", path, body, headers)
    answer = connection.getresponse()
    return answer.status, answer.read()


def heads(chance: random.Random) -> bytes:
    """What may come before a body: noise, or a request with something wrong in it."""
    request = HEAD + b"content-length: 2\r\n\r\n{}"
    match chance.randrange(4):
        case 0:
            return chance.randbytes(chance.randrange(1, 400))
        case 1:
            ready = b"GET /v2/health/ready HTTP/1.1\r\nhost: x\r\nx-request-id: mine\r\n\r\n"
            return mutated(chance.choice([request, ready]), chance, [request, ready])
        case 2:
            lines = request.split(b"\r\n")
            chance.shuffle(lines)
            return b"\r\n".join(lines)
        case _:
            path = bytes(chance.choice(b"/%2e.?#&=v\xff \\x") for _ in range(chance.randrange(40)))
            method = chance.choice([b"GET", b"POST", b"PUT", b"HEAD", b"OPTIONS", b"TRACE", b"CONNECT", b"X"])
            return method + b" /" + path + b" HTTP/1.1\r\nhost: x\r\n\r\n"


def test_no_head_makes_a_server_fail(server: Server) -> None:
    """Each connection gets an answer below 500, or is closed; who has said all and waits is not kept waiting."""
    firsts: Counter[bytes] = Counter()
    for number in until_done(1000):
        head = heads(random.Random(number))
        with socket.create_connection(("127.0.0.1", server.port), timeout=ANSWER_SECONDS) as client:
            client.sendall(head)
            client.shutdown(socket.SHUT_WR)
            found = b""
            try:
                while more := client.recv(65536):
                    found += more
            except ConnectionResetError:
                pass
        firsts[found[:10]] += 1
        assert not found or found.startswith((b"HTTP/1.1 2", b"HTTP/1.1 4")), (number, head, found)
        assert b"HTTP/1.1 5" not in found, (number, head, found)
    assert min(firsts[b"HTTP/1.1 2"], firsts[b"HTTP/1.1 4"]) > 5, firsts


def test_the_server_keeps_what_its_own_document_says(server: Server, tmp_path: Path) -> None:
    """schemathesis over the server's OpenAPI document: every answer is one that the document knows, in its form.

    Not that whatever fits the schema is answered: no schema says that columns are of one length.
    """
    amount = ["--max-time", str(int(SECONDS))] if SECONDS >= 1 else ["--max-examples", "10"]
    command = [Path(sys.executable).with_name("schemathesis"), "run", f"http://127.0.0.1:{server.port}/openapi.json"]
    options = [
        "--seed",
        "1",
        "--no-color",
        "--generation-database",
        "none",
        "--exclude-checks",
        "positive_data_acceptance",
    ]
    options += ["--request-timeout", str(ANSWER_SECONDS), "--continue-on-failure", *amount]
    done = subprocess.run([*command, *options], cwd=tmp_path, capture_output=True, text=True, check=False)
    shown = "\n".join(line[:500] for line in done.stdout.splitlines())
    assert done.returncode == 0, shown[-6000:] + done.stderr[-2000:]
    assert "9 selected / 9 total" in done.stdout, shown
