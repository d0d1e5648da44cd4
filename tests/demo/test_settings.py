"""Settings: what the components are told, and what they are not."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from demo.places import Places
from demo.settings import Settings


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    places = Places(home=tmp_path / "home")
    places.make()
    return Settings(places=places)


def test_nothing_from_the_callers_shell_steers_the_components(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody's own Airflow, MLflow or virtual environment stays out of it."""
    for name in ("AIRFLOW__CORE__EXECUTOR", "AIRFLOW_HOME", "MLFLOW_TRACKING_URI", "PYTHONPATH", "VIRTUAL_ENV"):
        monkeypatch.setenv(name, "elsewhere")

    assert "elsewhere" not in settings.surroundings().values()


def test_a_proxy_is_not_asked_for_this_machine(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was exempt before stays exempt."""
    monkeypatch.setenv("NO_PROXY", "intranet")

    assert settings.surroundings()["NO_PROXY"] == "intranet,127.0.0.1,localhost"


def test_airflow_is_closed_to_strangers(settings: Settings) -> None:
    """Loopback, users with passwords, own keys, no examples, no connection tests, no page with the settings."""
    told = settings.airflow()

    assert told["AIRFLOW__API__HOST"] == "127.0.0.1"
    assert told["AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS"] == "admin:admin,viewer:viewer"
    assert "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS" not in told
    assert told["AIRFLOW__CORE__LOAD_EXAMPLES"] == "False"
    assert told["AIRFLOW__CORE__TEST_CONNECTION"] == "Disabled"
    assert told["AIRFLOW__API__EXPOSE_CONFIG"] == "False"
    assert (
        len({told[f"AIRFLOW__{key}"] for key in ("CORE__FERNET_KEY", "API__SECRET_KEY", "API_AUTH__JWT_SECRET")}) == 3
    )


def test_airflow_reaches_mlflow_through_a_connection(settings: Settings) -> None:
    """The password is in a connection, which Airflow masks in its logs, and in no variable of MLflow's own."""
    told = settings.airflow()
    connection = json.loads(told["AIRFLOW_CONN_MLFLOW_DEFAULT"])

    assert connection["port"] == settings.places.ports().mlflow
    assert connection["password"] == settings.places.secret("mlflow_password")
    assert not any(name.startswith("MLFLOW_TRACKING") for name in told)


def test_the_deployer_does_not_get_airflows_keys(settings: Settings) -> None:
    """It needs where things are, and MLflow."""
    secrets = {settings.places.secret(name) for name in ("airflow_fernet_key", "airflow_jwt_secret")}

    assert secrets.isdisjoint((settings.flightworthy() | settings.mlflow_client()).values())


def test_who_registers_signs_and_who_starts_verifies(settings: Settings) -> None:
    """The private key is Airflow's alone; the deployer and the command line get the public one."""
    private, public = (str(path) for path in settings.places.key_pair())

    assert settings.airflow()["FLIGHTWORTHY_SIGNING_KEY"] == private
    assert settings.flightworthy()["FLIGHTWORTHY_VERIFYING_KEY"] == public
    assert private not in (settings.flightworthy() | settings.mlflow_client()).values()


def test_the_start_method_is_a_setting(settings: Settings) -> None:
    """Forking from a process with the slow libraries is the default; plain forking preloads nothing."""
    plain = Settings(places=settings.places, start_method="fork").airflow()

    assert "task_runner" in settings.airflow()["AIRFLOW__SCHEDULER__MP_FORKSERVER_PRELOAD"]
    assert plain["AIRFLOW__SCHEDULER__MP_START_METHOD"] == "fork"
    assert "AIRFLOW__SCHEDULER__MP_FORKSERVER_PRELOAD" not in plain


def test_a_relative_data_folder_is_made_absolute(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """The components work in another folder than the caller."""
    monkeypatch.setenv("FLIGHTWORTHY_DATA_DIR", "data")

    assert settings.flightworthy()["FLIGHTWORTHY_DATA_DIR"] == str(Path("data").resolve())
