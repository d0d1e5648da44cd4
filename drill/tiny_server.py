"""A model server that does what ``behaviour.json`` in its artifact says; it takes the options of the real one.

Keys: ``prediction``; ``error_rate``, the share of requests answered 500; ``crashes`` at start; ``hangs`` on requests;
``delay``, seconds before each answer; ``load_time``, seconds before it listens. Answers are in the prediction log as
the real server writes them, and their latency too unless ``is_old``.
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


async def read(reader: asyncio.StreamReader) -> tuple[bytes, bytes, bool, str | None]:
    """One request: its first line, empty at the end of the connection, its body, and whether it may be failed."""
    line, length, may_fail, entity = await reader.readline(), 0, True, None
    while line and (header := await reader.readline()) not in (b"\r\n", b""):
        if line.startswith(b"POST"):
            with suppress(OSError):
                sys.stdout.write(header.decode())
        may_fail = may_fail and b"rehearsal" not in header.lower()
        if header.lower().startswith(b"content-length:"):
            length = int(header.split(b":")[1])
        if header.lower().startswith(b"x-entity-id:"):
            entity = header.split(b":")[1].strip().decode()
    with suppress(OSError):
        sys.stdout.flush()
    return line, await reader.readexactly(length), may_fail, entity


def logged(told: argparse.Namespace, behaviour: Mapping[str, Any], entity: str | None, began: float) -> str:
    """A line of the prediction log."""
    row = {
        "at": datetime.now(UTC).isoformat(), "request_id": f"{time.monotonic_ns()}", "entity": entity,
        "release": told.release, "version": told.version, "arm": told.arm, "features": {"x": 1},
        "prediction": behaviour["prediction"],
    }  # fmt: skip
    if not behaviour.get("is_old"):
        row["latency_ms"] = (time.perf_counter() - began) * 1000
    return json.dumps(row) + "\n"


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
                line, body, may_fail, entity = request
                began = time.perf_counter()
                if line.startswith(b"POST"):
                    await asyncio.sleep(60 if behaviour.get("hangs") else behaviour.get("delay", 0.0))
                status, content = answer(line, body, may_fail, behaviour, draining)
                if line.startswith(b"POST") and status == 200 and may_fail:
                    with suppress(OSError):  # a full disk costs lines of the log, and no answer
                        log.write(logged(told, behaviour, entity, began))
                sent = json.dumps(content).encode()
                head = f"HTTP/1.1 {status} X\r\nx-flightworthy-release: {told.release}\r\n"
                writer.write(f"{head}content-length: {len(sent)}\r\n\r\n".encode() + sent)
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
