"""A real S3 for tests: `rclone serve s3` on loopback over a folder, with one key that is let in."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

KEY, SECRET = "AKFLIGHTWORTHYTESTS", "a-secret-that-nobody-may-ever-see-in-a-log"


@dataclass(frozen=True, slots=True, kw_only=True)
class S3:
    """A running server; a bucket is a folder in ``folder``."""

    folder: Path
    url: str

    @property
    def port(self) -> int:
        return int(self.url.rpartition(":")[2])

    def put(self, path: str, content: bytes) -> None:
        """As somebody else would have uploaded it before."""
        file = self.folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)

    def connection(self, *, secret: str = SECRET) -> dict[str, object]:
        """What an Airflow connection to it says."""
        return {
            "conn_type": "aws",
            "login": KEY,
            "password": secret,
            "extra": {"endpoint_url": self.url, "region_name": "us-east-1"},
        }


@contextmanager
def running_s3(folder: Path, *, secret: str = SECRET, port: int | None = None) -> Iterator[S3]:
    """Over the buckets in ``folder``, at a free port unless one is named. Skips where there is no rclone."""
    rclone = Path(sys.executable).parent / "rclone"
    if not rclone.exists():
        pytest.skip(f"{rclone} is not there")
    port = port or _free_port()
    served = folder / "buckets"
    served.mkdir(parents=True, exist_ok=True)
    with (folder / "log").open("ab") as log:
        # What a writer put into the folder is seen at once.
        server = subprocess.Popen(
            [
                str(rclone), "serve", "s3", str(served), "--config", "/dev/null", "--addr", f"127.0.0.1:{port}",
                "--auth-key", f"{KEY},{secret}", "--dir-cache-time", "0s", "--no-modtime=false",
            ],
            stdout=log, stderr=log,
        )  # fmt: skip
    try:
        _wait_for(port, server)
        yield S3(folder=served, url=f"http://127.0.0.1:{port}")
    finally:
        server.terminate()
        server.wait(10)


def _free_port() -> int:
    with closing(socket.socket()) as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def _wait_for(port: int, server: subprocess.Popen[bytes]) -> None:
    for _ in range(600):
        assert server.poll() is None, "rclone did not start"
        with closing(socket.socket()) as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise AssertionError("rclone does not answer")
