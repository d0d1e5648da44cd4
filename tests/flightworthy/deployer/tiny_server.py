"""A model server that does what ``behaviour.json`` in its artifact says; it takes the options of the real one.

Keys: ``prediction``; ``error_rate``, the share of requests answered 500; ``crashes`` at start; ``hangs`` on requests;
``hangs_in_service``, on those that are not golden;
``delay``, seconds before each answer. Answers are in the prediction log as the real server writes them, and their
latency too unless ``is_old``.
"""

import argparse
import asyncio
import json
import random
import signal
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

REHEARSAL = "x-flightworthy-rehearsal"


def options():
    parser = argparse.ArgumentParser()
    for name in ("artifact", "digest", "model", "version", "release", "arm", "predictions", "host", "port"):
        parser.add_argument(f"--{name}", required=True)
    return parser.parse_args()


def answer(line, body, may_fail, behaviour, draining):
    if line.startswith(b"GET /healthz"):
        return (503 if draining.is_set() else 200), {"status": "ok"}
    if may_fail and random.random() < behaviour.get("error_rate", 0.0):
        return 500, {"detail": "as told"}
    rows = len(json.loads(body).get("dataframe_records", [0]))
    return 200, {"predictions": [behaviour["prediction"]] * rows}


async def read(reader):
    """One request: its first line, empty at the end of the connection, its body and its headers."""
    line, headers = await reader.readline(), {}
    while line and (header := await reader.readline()) not in (b"\r\n", b""):
        if line.startswith(b"POST"):
            sys.stdout.write(header.decode())
        name, _, value = header.decode().partition(":")
        headers[name.lower()] = value.strip()
    sys.stdout.flush()
    return line, await reader.readexactly(int(headers.get("content-length", 0))), headers


def logged(told, behaviour, headers, began):
    """A line of the prediction log."""
    row = {
        "at": datetime.now(UTC).isoformat(), "request_id": headers.get("x-request-id", f"{time.monotonic_ns()}"),
        "entity": headers.get("x-entity-id"), "release": told.release, "version": told.version, "arm": told.arm,
        "features": {"x": 1},
        "prediction": behaviour["prediction"],
    }  # fmt: skip
    if headers.get(REHEARSAL) == "shadow":
        row["shadow"] = True
    if not behaviour.get("is_old"):
        row["latency_ms"] = (time.perf_counter() - began) * 1000
    return json.dumps(row) + "\n"


async def main():
    told = options()
    behaviour = json.loads((Path(told.artifact) / "behaviour.json").read_text())
    if behaviour.get("crashes"):
        sys.exit("cannot load this model")
    draining = asyncio.Event()
    folder = Path(told.predictions) / told.model
    folder.mkdir(parents=True, exist_ok=True)
    log = (folder / f"{told.release}-{told.port}.jsonl").open("a", buffering=1)

    async def serve(reader, writer):
        try:
            while (request := await read(reader))[0]:
                line, body, headers = request
                is_golden = headers.get(REHEARSAL) == "golden"
                began = time.perf_counter()
                hangs = behaviour.get("hangs") or (behaviour.get("hangs_in_service") and not is_golden)
                if hangs and line.startswith(b"POST"):
                    await asyncio.sleep(60)
                if behaviour.get("delay") and line.startswith(b"POST"):
                    await asyncio.sleep(behaviour["delay"])
                status, content = answer(line, body, not is_golden, behaviour, draining)
                if line.startswith(b"POST") and status == 200 and not is_golden:
                    log.write(logged(told, behaviour, headers, began))
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
