"""A model server that does what ``behaviour.json`` in its artifact says; it takes the options of the real one.

Keys: ``prediction``; ``error_rate``, the share of requests answered 500; ``crashes`` at start; ``hangs`` on requests.
"""

import argparse
import asyncio
import json
import random
import signal
import sys
from pathlib import Path


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
    """One request: its first line, empty at the end of the connection, its body, and whether it may be failed."""
    line, length, may_fail = await reader.readline(), 0, True
    while line and (header := await reader.readline()) not in (b"\r\n", b""):
        if line.startswith(b"POST"):
            sys.stdout.write(header.decode())
        may_fail = may_fail and b"rehearsal" not in header.lower()
        if header.lower().startswith(b"content-length:"):
            length = int(header.split(b":")[1])
    sys.stdout.flush()
    return line, await reader.readexactly(length), may_fail


async def main():
    told = options()
    behaviour = json.loads((Path(told.artifact) / "behaviour.json").read_text())
    if behaviour.get("crashes"):
        sys.exit("cannot load this model")
    draining = asyncio.Event()

    async def serve(reader, writer):
        try:
            while (request := await read(reader))[0]:
                if behaviour.get("hangs") and request[0].startswith(b"POST"):
                    await asyncio.sleep(60)
                status, content = answer(*request, behaviour, draining)
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
