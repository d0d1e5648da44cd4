"""Parsing dags/ is cheap: it happens every few seconds, and again in every task's process."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
VENDORS = {
    "docker", "evidently", "great_expectations", "matplotlib", "mlflow", "numpy", "pandas", "pyarrow", "scipy", "skops",
    "sklearn",
}  # fmt: skip
PARSE = """
import importlib.util, json, sys
spec = importlib.util.spec_from_file_location("parsed", sys.argv[1])
spec.loader.exec_module(importlib.util.module_from_spec(spec))
print(json.dumps(sorted({name.split(".")[0] for name in sys.modules})))
"""


def parse(dag_file: Path, home: Path) -> set[str]:
    """The top-level modules in memory after a DAG file was imported in a new process."""
    environ = {
        **os.environ,
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{home / 'airflow.db'}",
        "FLIGHTWORTHY_HOME": str(home / "flightworthy"),
        "FLIGHTWORTHY_LANDING": str(home / "landing"),
        "FLIGHTWORTHY_MODELS": str(ROOT / "include" / "models"),
        "PYTHONPATH": os.pathsep.join(str(ROOT / folder) for folder in ("include", "plugins")),
    }
    command = [sys.executable, "-c", PARSE, str(dag_file)]
    parsed = subprocess.run(command, cwd=ROOT, env=environ, capture_output=True, text=True, timeout=180, check=False)
    assert parsed.returncode == 0, parsed.stderr
    return set(json.loads(parsed.stdout.splitlines()[-1]))


@pytest.mark.parametrize("dag_file", sorted((ROOT / "dags").glob("*.py")), ids=lambda path: path.stem)
def test_parsing_a_dag_file_imports_no_vendor(dag_file: Path, tmp_path: Path) -> None:
    """Seconds each, several of them: vendors wait until a task runs."""
    assert not parse(dag_file, tmp_path) & VENDORS


def test_a_vendor_at_module_level_would_be_found(tmp_path: Path) -> None:
    """The test above can fail: a DAG file that imports pandas is seen to."""
    offender = tmp_path / "offender.py"
    offender.write_text("import pandas\n")

    assert "pandas" in parse(offender, tmp_path) & VENDORS


def test_ruff_refuses_a_vendor_in_a_dag_file() -> None:
    """Before the test, the linter: dags/ruff.toml bans vendors and adapters at module level."""
    offence = '"""A DAG."""\n\nimport pandas\nfrom flightworthy.adapters import drift_scores\n'
    command = [str(Path(sys.executable).with_name("ruff")), "check", "--stdin-filename", "dags/offender.py", "-"]
    linted = subprocess.run(command, cwd=ROOT, input=offence, capture_output=True, text=True, check=False)

    assert "TID253" in linted.stdout
    assert "TID251" in linted.stdout
