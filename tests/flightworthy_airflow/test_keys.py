"""A command line takes the key of the pseudonyms from where the tasks have it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from flightworthy.cli.keys import GROUP, keys_for
from flightworthy.errors import Refused
from flightworthy.personal import Keys, pseudonym
from tests.flightworthy.cli.conftest import PERSONAL_SPEC

ROOT = Path(__file__).parents[2]
KEY, OTHER = "0123456789abcdef", "fedcba9876543210"
CONN = "flightworthy_default"


@pytest.fixture
def installed(tmp_path: Path) -> Path:
    """A folder for the path, in which our entry points are installed as pyproject.toml declares them."""
    folder = tmp_path / "installed" / "declared-1.dist-info"
    folder.mkdir(parents=True)
    (folder / "METADATA").write_text("Metadata-Version: 2.1\nName: declared\nVersion: 1\n")
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["entry-points"][GROUP]
    lines = [f"[{GROUP}]", *(f"{name} = {where}" for name, where in declared.items())]
    (folder / "entry_points.txt").write_text("\n".join(lines))
    return folder.parent


@pytest.fixture
def key_of(installed: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Keys | None]:
    """The keys that are at hand with an environment, by a connection that it defines."""
    monkeypatch.syspath_prepend(installed)

    def key_of(said: dict[str, Any] | None, environ: dict[str, str], connection: str | None = CONN) -> Keys | None:
        for name, value in environ.items():
            monkeypatch.setenv(name, value)
        if said is not None:
            monkeypatch.setenv(f"AIRFLOW_CONN_{CONN.upper()}", json.dumps({"conn_type": "generic", **said}))
        return keys_for(os.environ, connection)

    return key_of


def test_the_connection_is_asked_only_where_it_is_named(key_of: Callable[..., Keys | None]) -> None:
    """Its password comes first, as for a task; the key of the environment is a former one then."""
    environ = {"FLIGHTWORTHY_PSEUDONYM_KEY": OTHER}
    assert key_of({"password": KEY}, environ, None) == Keys(current=OTHER.encode())
    assert key_of({"password": KEY}, environ) == Keys(current=KEY.encode(), former=(OTHER.encode(),))


def test_a_file_that_the_connection_names_is_read(key_of: Callable[..., Keys | None], tmp_path: Path) -> None:
    """It may be another one than the environment's."""
    (tmp_path / "key").write_text(KEY)
    said = {"extra": {"pseudonym_key_file": str(tmp_path / "key")}}
    assert key_of(said, {"FLIGHTWORTHY_PSEUDONYM_KEY": OTHER}) == Keys(current=KEY.encode())


def test_a_connection_that_is_not_there_is_refused(key_of: Callable[..., Keys | None]) -> None:
    """Not passed over for the environment's key, by which nobody would be found."""
    with pytest.raises(Refused, match="there is no connection elsewhere in this Airflow"):
        key_of({"password": KEY}, {"FLIGHTWORTHY_PSEUDONYM_KEY": OTHER}, "elsewhere")
    assert "_AIRFLOW_PROCESS_CONTEXT" not in os.environ


def test_where_airflow_is_not_installed_nobody_can_look_it_up(tmp_path: Path, installed: Path) -> None:
    """A core alone has the module and not what it imports; the message says what else there is."""
    code = (
        "import os, sys; sys.modules['airflow'] = None\n"
        "from flightworthy.cli.main import main\n"
        f"sys.exit(main(['erase', 'diagnosis', '--entity', 'x', '--reason', 'r', '--connection', '{CONN}']))"
    )
    made = run(tmp_path, ["-m", "flightworthy.cli.main", "database", "upgrade"])
    assert made.returncode == 0, made.stderr
    told = run(tmp_path, ["-c", code], installed)
    assert (told.returncode, "Airflow is not installed here" in told.stderr) == (1, True)


def test_a_person_is_found_by_the_key_of_a_connection_that_was_added_in_airflow(
    tmp_path: Path, installed: Path
) -> None:
    """In its own database, by whoever may; the command line finds it there as a task does."""
    airflow, ours = ["-m", "airflow"], ["-m", "flightworthy.cli.main"]
    added = ["connections", "add", CONN, "--conn-type", "generic", "--conn-password", KEY]
    for words in ([*airflow, "db", "migrate"], [*airflow, *added], [*ours, "database", "upgrade"]):
        done = run(tmp_path, words)
        assert done.returncode == 0, done.stderr
    words = ["erase", "diagnosis", "--entity", "patient-1", "--reason", "request 12", "--dry-run", "--json"]

    told = run(tmp_path, [*ours, *words, "--connection", CONN], installed)

    assert told.returncode == 0, told.stderr
    assert json.loads(told.stdout)["entity"] == pseudonym(KEY.encode(), "patient-1")


def run(folder: Path, words: list[str], *paths: Path) -> subprocess.CompletedProcess[str]:
    """A Python of its own, with an Airflow and a home of its own in ``folder``."""
    (folder / "models" / "diagnosis").mkdir(parents=True, exist_ok=True)
    (folder / "models" / "diagnosis" / "model.yaml").write_text(PERSONAL_SPEC)
    environ = {
        **os.environ,
        "AIRFLOW_HOME": str(folder), "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{folder / 'airflow.db'}",
        "FLIGHTWORTHY_HOME": str(folder / "home"), "FLIGHTWORTHY_MODELS": str(folder / "models"),
        "PYTHONPATH": os.pathsep.join([*map(str, paths), os.environ.get("PYTHONPATH", "")]).strip(os.pathsep),
    }  # fmt: skip
    return subprocess.run(
        [sys.executable, *words], env=environ, cwd=folder, capture_output=True, text=True, check=False
    )
