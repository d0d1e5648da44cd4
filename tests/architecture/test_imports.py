"""Which way imports point. Every contract holds, and every contract can fail: each offence is planted once."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LINT_IMPORTS = Path(sys.executable).with_name("lint-imports")

OFFENCES = [
    ("core-layers", "include/flightworthy/drift.py", "import flightworthy.adapters.drift_scores"),
    ("core-layers", "include/flightworthy/adapters/drift_scores.py", "import flightworthy.deployer"),
    ("core-layers", "include/flightworthy/errors.py", "import flightworthy.ledger"),
    ("core-layers", "include/flightworthy/utils.py", '"""A place for everything."""'),
    ("domain-vendors", "include/flightworthy/gates.py", "import numpy"),
    ("domain-vendors", "include/flightworthy/dataset.py", "def late():\n    import pandas"),
    ("core-airflow", "include/flightworthy/release/verbs.py", "import airflow.sdk"),
    ("core-airflow", "include/flightworthy/serving/app.py", "import flightworthy_airflow.runs"),
    ("adapters-apart", "include/flightworthy/adapters/drift_scores.py", "import flightworthy.adapters.evidently_drift"),
    ("serving-alone", "include/flightworthy/serving/app.py", "import mlflow"),
    ("serving-alone", "include/flightworthy/artifact.py", "import pandas"),
    ("shell-layers", "plugins/flightworthy_airflow/hooks/mlflow.py", "import flightworthy_airflow.operators.train"),
    ("shell-layers", "plugins/flightworthy_airflow/helpers.py", '"""A place for everything."""'),
    (
        "operators-apart",
        "plugins/flightworthy_airflow/operators/train.py",
        "import flightworthy_airflow.operators.ingest",
    ),
    ("only-hooks-wire", "plugins/flightworthy_airflow/operators/train.py", "import flightworthy.adapters.skops_models"),
]


def contracts() -> set[str]:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())
    return {contract["id"] for contract in settings["tool"]["importlinter"]["contracts"]}


def lint_imports(root: Path, *more: str) -> subprocess.CompletedProcess[str]:
    environ = {**os.environ, "PYTHONPATH": f"{root / 'include'}{os.pathsep}{root / 'plugins'}", "COLUMNS": "200"}
    command = [str(LINT_IMPORTS), "--no-cache", "--config", str(root / "pyproject.toml"), *more]
    return subprocess.run(command, cwd=root, env=environ, capture_output=True, text=True, timeout=120, check=False)


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the packages, to plant offences in."""
    root = tmp_path_factory.mktemp("house")
    shutil.copy(ROOT / "pyproject.toml", root)
    for package in ("include/flightworthy", "plugins/flightworthy_airflow"):
        shutil.copytree(ROOT / package, root / package, ignore=shutil.ignore_patterns("__pycache__"))
    return root


def test_every_contract_holds() -> None:
    """The tree as it is breaks none of them."""
    checked = lint_imports(ROOT)

    assert checked.returncode == 0, checked.stdout + checked.stderr


@pytest.mark.parametrize(
    "contract, file, offence",
    OFFENCES,
    ids=[f"{each[0]}:{Path(each[1]).stem}:{each[2].split()[-1]}" for each in OFFENCES],
)
def test_an_offence_breaks_its_contract(house: Path, contract: str, file: str, offence: str) -> None:
    """With one line added the contract fails and names the module. A contract that never failed proves nothing."""
    path = house / file
    before = path.read_text() if path.exists() else None
    path.write_text(f"{before or ''}\n{offence}\n")
    try:
        checked = lint_imports(house, "--contract", contract)
    finally:
        path.unlink() if before is None else path.write_text(before)

    assert checked.returncode == 1, checked.stdout + checked.stderr
    assert "BROKEN" in checked.stdout
    assert path.stem in checked.stdout


def test_every_contract_was_seen_to_fail() -> None:
    """A contract added without an offence of its own is found here."""
    assert {contract for contract, _, _ in OFFENCES} == contracts()
