"""A real PostgreSQL for tests: Debian's server in a folder of its own, reached by a socket, under nobody's name.

It refuses to run as root, and then runs as the user postgres (or nobody). Slow disks are not what is tested: it does
not wait for them.
"""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg2
import pytest

_OPTIONS = ("fsync=off", "synchronous_commit=off", "full_page_writes=off", "max_connections=60", "shared_buffers=16MB")


@dataclass(frozen=True, slots=True, kw_only=True)
class Postgres:
    """A running server; ``folder`` holds its data and its socket."""

    folder: Path
    binaries: Path
    user: str | None

    def new_database(self) -> str:
        """The URL of an empty database."""
        name = f"test_{uuid.uuid4().hex[:12]}"
        self.run(f'CREATE DATABASE "{name}" TEMPLATE template0', database="postgres")
        return self.url(name)

    def url(self, database: str) -> str:
        return f"postgresql+psycopg2://postgres@/{database}?host={self.folder}"

    def run(self, statement: str, *, database: str) -> list[tuple[object, ...]]:
        """One statement, committed; what it answers."""
        connection = psycopg2.connect(host=str(self.folder), user="postgres", dbname=database)
        connection.autocommit = True
        try:
            with connection.cursor() as cursor:
                cursor.execute(statement)
                return cursor.fetchall() if cursor.description else []
        finally:
            connection.close()

    def start(self) -> None:
        options = " ".join(f"-c {option}" for option in (*_OPTIONS, f"unix_socket_directories={self.folder}"))
        self._program("pg_ctl", "-D", "data", "-l", "log", "-w", "-t", "60", "-o", f"-h '' {options}", "start")

    def stop(self, mode: str = "fast") -> None:
        """With a last checkpoint, whoever is connected; ``immediate`` without it, which here loses what was written."""
        self._program("pg_ctl", "-D", "data", "-w", "-m", mode, "stop")

    def make(self) -> None:
        self._program("initdb", "-D", "data", "-U", "postgres", "-A", "trust", "-E", "UTF8", "--no-sync", "--locale=C")

    def _program(self, name: str, *words: str) -> None:
        before = ["runuser", "-u", self.user, "--"] if self.user else []
        # Its own output goes nowhere: the server would keep a pipe open for ever.
        with (self.folder / "output").open("ab") as output:
            done = subprocess.run(
                [*before, str(self.binaries / name), *words],
                cwd=self.folder, stdout=output, stderr=output, stdin=subprocess.DEVNULL, timeout=120, check=False,
            )  # fmt: skip
        assert done.returncode == 0, (self.folder / "output").read_text()[-2000:]


@contextmanager
def running_postgres() -> Iterator[Postgres]:
    """Start a server, end it and leave nothing. Skips the test, with the reason, where there is none to start."""
    binaries, user = _binaries(), _user()
    # Not pytest's folder: only its owner may enter that one, and a socket's path must be short.
    folder = Path(tempfile.mkdtemp(prefix="fw-pg-"))
    server = Postgres(folder=folder, binaries=binaries, user=user)
    if user:
        shutil.chown(folder, user)
    try:
        server.make()
        server.start()
        yield server
    finally:
        if (folder / "data" / "postmaster.pid").exists():
            server.stop("immediate")
        shutil.rmtree(folder, ignore_errors=True)


def _binaries() -> Path:
    known = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: int(path.parent.name))
    on_path = shutil.which("initdb")
    for folder in (*reversed(known), *([Path(on_path).resolve().parent] if on_path else [])):
        if (folder / "initdb").exists() and (folder / "pg_ctl").exists():
            return folder
    pytest.skip("no PostgreSQL server here; on Debian and Ubuntu: apt-get install postgresql")


def _user() -> str | None:
    """Whom the server runs as; None for who runs the tests."""
    if os.geteuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        try:
            return pwd.getpwnam(name).pw_name
        except KeyError:
            continue
    pytest.skip("PostgreSQL does not run as root, and there is no user postgres or nobody to run it as")
