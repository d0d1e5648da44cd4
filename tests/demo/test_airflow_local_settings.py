"""The cure for SQLite, shown on SQLite: the same two writers, without it and with it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

TWO_WRITERS = """
import sys, threading
from sqlalchemy import create_engine, event, text
if sys.argv[2] == "cured":
    import demo.airflow_local_settings
engine = create_engine(f"sqlite:///{sys.argv[1]}?timeout=20")
with engine.begin() as setup:
    setup.execute(text("PRAGMA journal_mode=WAL"))
    setup.execute(text("CREATE TABLE seen (by TEXT)"))

def other():
    with engine.begin() as connection:
        connection.execute(text("INSERT INTO seen VALUES ('other')"))

thread = threading.Thread(target=other)
with engine.connect() as connection, connection.begin():
    with connection.begin_nested():
        connection.execute(text("SELECT * FROM seen")).all()
        thread.start()
        thread.join(timeout=1)  # the other one writes in between, if it can
        connection.execute(text("INSERT INTO seen VALUES ('one')"))
thread.join()
with engine.connect() as connection:
    print(sorted(connection.execute(text("SELECT by FROM seen")).scalars()))
"""


@pytest.mark.parametrize(
    "how, outcome",
    [
        pytest.param("plain", "database is locked", id="without the cure a savepoint that writes late is refused"),
        pytest.param("cured", "['one', 'other']", id="with it the second writer waits for the first"),
    ],
)
def test_two_writers_and_a_savepoint(tmp_path: Path, how: str, outcome: str) -> None:
    """Half of all backfills on SQLite failed by this; were the first case ever to pass, the cure could go."""
    done = subprocess.run(
        [sys.executable, "-c", TWO_WRITERS, str(tmp_path / "airflow.db"), how],
        env={**os.environ, "AIRFLOW_HOME": str(tmp_path)},
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )

    assert outcome in done.stdout + done.stderr
