"""A model server that does what ``behaviour.json`` in its artifact says; it takes the options of the real one.

Keys: ``prediction``; ``error_rate``, the share of requests answered 500; ``crashes`` at start; ``hangs`` on requests;
``hangs_in_service``, on those that are not golden; ``delay``, seconds before each answer; ``load_time``, seconds before
it listens. Answers are in the prediction log as the real server writes them, and their latency too unless ``is_old``.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import signal
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

REHEARSAL = "x-flightworthy-rehearsal"


def options() -> argparse.Namespace:
    """As the real server takes them."""
    parser = argparse.ArgumentParser()
    for name in ("artifact", "digest", "model", "version", "release", "arm", "predictions", "host", "port"):
        parser.add_argument(f"--{name}", required=True)
    return parser.parse_args()


def answer(
    line: bytes, body: bytes, may_fail: bool, behaviour: Mapping[str, Any], draining: asyncio.Event
) -> tuple[int, dict[str, Any]]:
    """Status and content."""
    if line.startswith(b"GET /healthz"):
        return (503 if draining.is_set() else 200), {"status": "ok"}
    if may_fail and random.random() < behaviour.get("error_rate", 0.0):
        return 500, {"detail": "as told"}
    rows = len(json.loads(body).get("dataframe_records", [0]))
    return 200, {"predictions": [behaviour["prediction"]] * rows}


async def read(reader: asyncio.StreamReader) -> tuple[bytes, bytes, Mapping[str, str]]:
    """One request: its first line, empty at the end of the connection, its body and its headers."""
    line, headers = await reader.readline(), dict[str, str]()
    while line and (header := await reader.readline()) not in (b"\r\n", b""):
        if line.startswith(b"POST"):
            with suppress(OSError):
                sys.stdout.write(header.decode())
        name, _, value = header.decode().partition(":")
        headers[name.lower()] = value.strip()
    with suppress(OSError):
        sys.stdout.flush()
    return line, await reader.readexactly(int(headers.get("content-length", 0))), headers


def logged(told: argparse.Namespace, behaviour: Mapping[str, Any], headers: Mapping[str, str], began: float) -> str:
    """A line of the prediction log."""
    row = {
        "at": datetime.now(UTC).isoformat(), "request_id": headers.get("x-request-id", f"{time.monotonic_ns()}"),
        "entity": headers.get("x-entity-id"), "release": told.release, "version": told.version, "arm": told.arm,
        "features": {"x": 1}, "prediction": behaviour["prediction"],
    }  # fmt: skip
    if headers.get(REHEARSAL) == "shadow":
        row["shadow"] = True
    if not behaviour.get("is_old"):
        row["latency_ms"] = (time.perf_counter() - began) * 1000
    return json.dumps(row) + "\n"


def written(told: argparse.Namespace, status: int, content: Mapping[str, Any]) -> bytes:
    """An answer as it is sent."""
    sent = json.dumps(content).encode()
    head = f"HTTP/1.1 {status} X\r\nx-flightworthy-release: {told.release}\r\n"
    return f"{head}content-length: {len(sent)}\r\n\r\n".encode() + sent


async def main() -> None:
    """Serve until SIGTERM."""
    told = options()
    behaviour = json.loads((Path(told.artifact) / "behaviour.json").read_text())
    if behaviour.get("crashes"):
        sys.exit("cannot load this model")
    time.sleep(behaviour.get("load_time", 0.0))  # noqa: ASYNC251 - nothing else happens yet
    draining = asyncio.Event()
    folder = Path(told.predictions) / told.model
    folder.mkdir(parents=True, exist_ok=True)
    log = (folder / f"{told.release}-{told.port}.jsonl").open("a", buffering=1)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while (request := await read(reader))[0]:
                line, body, headers = request
                is_golden = headers.get(REHEARSAL) == "golden"
                began = time.perf_counter()
                if line.startswith(b"POST"):
                    hangs = behaviour.get("hangs") or (behaviour.get("hangs_in_service") and not is_golden)
                    await asyncio.sleep(60 if hangs else behaviour.get("delay", 0.0))
                status, content = answer(line, body, not is_golden, behaviour, draining)
                if line.startswith(b"POST") and status == 200 and not is_golden:
                    with suppress(OSError):  # a full disk costs lines of the log, and no answer
                        log.write(logged(told, behaviour, headers, began))
                writer.write(written(told, status, content))
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(serve, told.host, int(told.port))
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, draining.set)
    await draining.wait()
    await asyncio.sleep(0.5)
    server.close()


asyncio.run(main())
