from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.slow
def test_train_and_register_killed_before_any_request_and_run_again_end_as_if_never_killed(mlflow_server: str) -> None:
    """SIGKILL before every single request to MLflow: one finished run, one version, nothing left running."""
    paths = os.pathsep.join(map(str, (ROOT / "include", ROOT)))
    done = subprocess.run(
        [sys.executable, str(ROOT / "tests" / "contracts" / "killing.py"), mlflow_server],
        env={**os.environ, "PYTHONPATH": paths},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    never_killed, *killed = map(json.loads, done.stdout.splitlines())
    assert (never_killed["finished"], never_killed["versions"]) == (1, 1)
    assert len(killed) > 15
    for request, left in enumerate(killed, start=1):
        assert left == never_killed, f"killed before request {request}"
