"""A model server as its users meet it: a process and a port."""

from __future__ import annotations

import http.client
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import IO

__all__ = ["ENVIRON", "HEAD", "exchange", "free_port", "health", "memory", "options", "serving"]

ROOT = Path(__file__).parents[3]
ENVIRON = os.environ | {"PYTHONPATH": str(ROOT / "include"), "OMP_NUM_THREADS": "1"}

HEAD = b"POST /invocations HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def options(artifact: Path, port: int, *more: str) -> list[str]:
    return ["--artifact", str(artifact), "--model", "fraud", "--version", "3", "--port", str(port), *more]


def health(port: int) -> int:
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=10)) as connection:
        connection.request("GET", "/healthz")
        return connection.getresponse().status


def memory(pid: int) -> int:
    """Bytes of a process that are in memory."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


@contextmanager
def serving(
    artifact: Path, *more: str, environ: Mapping[str, str] | None = None, stderr: IO[bytes] | None = None
) -> Iterator[tuple[subprocess.Popen[bytes], int]]:
    """A ready server; killed in the end if it still runs."""
    port = free_port()
    command = [sys.executable, "-m", "flightworthy.serving", *options(artifact, port, *more)]
    with subprocess.Popen(command, env={**ENVIRON, **(environ or {})}, stderr=stderr) as process:
        try:
            deadline = time.monotonic() + 60
            while time.monotonic() < deadline and process.poll() is None:
                try:
                    if health(port) == 200:
                        break
                except OSError:
                    time.sleep(0.05)
            yield process, port
        finally:
            process.kill()


def exchange(port: int, *pieces: bytes, timeout: float = 10) -> bytes:
    """Send raw bytes and read until the server closes, or for as long as it keeps the connection open."""
    with socket.create_connection(("127.0.0.1", port), timeout=timeout) as client:
        for piece in pieces:
            client.sendall(piece)
        found = b""
        try:
            while more := client.recv(65536):
                found += more
        except TimeoutError:
            pass
        return found
