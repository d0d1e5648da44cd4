"""The stack in containers: complete, without a secret in it, and with the Docker socket in one place."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yaml").read_text())
    return loaded


def example() -> list[str]:
    return re.findall(r"^(\w+)=", (ROOT / ".env.example").read_text(), flags=re.MULTILINE)


def config(folder: Path, *more: str) -> subprocess.CompletedProcess[str]:
    """What docker-compose makes of the file; it needs no engine for that."""
    binary = shutil.which("docker-compose")
    if binary is None:
        pytest.skip("docker-compose is not installed")
    command = [binary, "--file", str(ROOT / "docker-compose.yaml"), "--project-directory", str(ROOT), *more, "config"]
    environ = {"PATH": "/usr/bin:/bin", "HOME": str(folder)}
    return subprocess.run(command, cwd=folder, env=environ, capture_output=True, text=True, timeout=60, check=False)


def test_every_part_is_a_service(compose: dict[str, Any]) -> None:
    """Each process of Airflow, PostgreSQL, Redis, MLflow, Envoy and the deployer can be restarted alone."""
    expected = {"airflow-api-server", "airflow-dag-processor", "airflow-scheduler", "airflow-triggerer"}
    expected |= {"airflow-worker", "deployer", "envoy", "mlflow", "postgres", "redis"}

    assert expected <= set(compose["services"])


def test_docker_compose_accepts_the_file(tmp_path: Path) -> None:
    """With every variable of .env.example filled in, the file is complete."""
    filled = tmp_path / "filled.env"
    paths = ("_LANDING", "_FILE")
    filled.write_text("".join(f"{name}={'/x1' if name.endswith(paths) else 'x1'}\n" for name in example()))

    accepted = config(tmp_path, "--env-file", str(filled))

    assert accepted.returncode == 0, accepted.stderr


@pytest.mark.parametrize("missing", example())
def test_a_secret_that_is_missing_is_asked_for(tmp_path: Path, missing: str) -> None:
    """There is no default to forget: without any one of them nothing starts, and the file to fill in is named."""
    filled = tmp_path / "filled.env"
    filled.write_text("".join(f"{name}=/x1\n" for name in example() if name != missing))

    refused = config(tmp_path, "--env-file", str(filled))

    assert refused.returncode != 0
    assert missing in refused.stderr
    assert ".env.example" in refused.stderr


def test_the_example_has_every_variable_and_no_value() -> None:
    """What is to be filled in is exactly what is asked for."""
    asked = set(re.findall(r"(?<!\$)\$\{(\w+)", (ROOT / "docker-compose.yaml").read_text()))

    assert set(example()) == asked
    assert not re.search(r"^\w+=\S", (ROOT / ".env.example").read_text(), flags=re.MULTILINE)
    assert ".env" in (ROOT / ".gitignore").read_text().split()


def test_only_the_deployer_has_the_docker_socket(compose: dict[str, Any]) -> None:
    """The socket is root on the machine; code of DAG authors runs in scheduler, worker and triggerer."""
    holders = {name for name, service in compose["services"].items() if "docker.sock" in str(service)}

    assert holders == {"deployer"}


def test_what_we_build_runs_without_privileges(compose: dict[str, Any]) -> None:
    """Not root, no capabilities, no way to gain them; and nothing is published beyond this machine."""
    ours = {name: each for name, each in compose["services"].items() if each["image"] == "flightworthy-airflow"}
    published = [port for service in compose["services"].values() for port in service.get("ports", [])]

    assert ours
    for name, service in ours.items():
        assert service["cap_drop"] == ["ALL"], name
        assert service["security_opt"] == ["no-new-privileges:true"], name
    assert "USER 10001:10001" in (ROOT / "docker" / "airflow.Dockerfile").read_text()
    assert all(port.startswith("127.0.0.1:") for port in published)


def test_the_image_installs_from_the_lock_by_hash() -> None:
    """What runs in the stack is what the tests ran with."""
    text = (ROOT / "docker" / "airflow.Dockerfile").read_text()

    assert "--require-hashes -r requirements.lock" in text
    assert all("--no-deps" in line for line in text.splitlines() if "pip install" in line)
