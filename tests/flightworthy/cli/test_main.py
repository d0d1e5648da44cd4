"""What every command has in common."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from flightworthy.cli.main import COMMANDS
from tests.flightworthy.cli.conftest import PERSONAL_SPEC, Call, House

ROOT = Path(__file__).parents[3]


def test_help_explains_commands_exit_codes_and_variables(call: Call) -> None:
    """For the whole, and for each command."""
    told = call("--help")
    assert told.code == 0
    assert all(name in told.out for name in COMMANDS)
    for command in ("", *COMMANDS):
        help_text = call(*filter(None, [command]), "--help").out
        for code in ("0  done", "1  refused", "2  usage", "3  unavailable", "4  conflict"):
            assert code in help_text
        assert "FLIGHTWORTHY_DATABASE" in help_text


@pytest.mark.parametrize(
    "words",
    [(), ("fly",), ("rollback", "diagnosis"), ("history",), ("rollback", "x", "--reason", "y", "--wait", "-1")],
)
def test_what_is_not_understood_is_a_usage_error(call: Call, words: tuple[str, ...]) -> None:
    """Exit code 2 with the usage on stderr, nothing on stdout."""
    told = call(*words)
    assert told.code == 2
    assert told.err.startswith("usage: flightworthy")
    assert told.out == ""


def test_a_usage_error_is_json_too_for_a_program_that_asks_for_json(call: Call) -> None:
    """A program parses one document, whatever happened."""
    told = call("rollback", "diagnosis", "--json")
    assert told.code == 2
    assert told.document["error"]["kind"] == "Usage"
    assert "--reason" in told.document["error"]["message"]


def test_a_refusal_is_told_on_stderr_and_as_one_document(call: Call) -> None:
    """Kind, code, message and facts."""
    told = call("history", "diagnosys", "--json")
    assert told.code == 1
    assert told.document["error"]["kind"] == "Refused"
    assert told.document["error"]["exit"] == 1
    assert told.document["error"]["facts"] == {"model": "diagnosys", "known": []}
    assert told.err.startswith("flightworthy history: there is no model 'diagnosys'")


def test_a_database_that_does_not_answer_is_unavailable(call: Call, tmp_path: Path) -> None:
    """Exit code 3: worth another try."""
    told = call("status", "--json", environ={"FLIGHTWORTHY_DATABASE": f"sqlite:///{tmp_path}"})
    assert told.code == 3
    assert told.document["error"]["kind"] == "Unavailable"
    assert "did not answer" in told.err


def test_a_home_that_cannot_be_written_is_unavailable(call: Call, tmp_path: Path) -> None:
    """The path is named."""
    (tmp_path / "file").write_text("")
    told = call("database", "upgrade", environ={"FLIGHTWORTHY_HOME": str(tmp_path / "file/home")})
    assert told.code == 3
    assert str(tmp_path / "file") in told.err


@pytest.mark.parametrize(
    "words",
    [
        ("status",),
        ("history", "diagnosis"),
        ("arrivals", "list", "diagnosis"),
        ("quarantine", "list", "diagnosis"),
        ("ledger", "verify"),
        ("rollback", "diagnosis", "--reason", "r"),
        ("database", "check"),
    ],
)
def test_a_database_that_is_not_there_is_not_made(call: Call, tmp_path: Path, words: tuple[str, ...]) -> None:
    """A slip of the pen in its path leaves nothing behind, and is told with what to do."""
    told = call(*words, environ={"FLIGHTWORTHY_DATABASE": f"sqlite:///{tmp_path / 'hoem' / 'flightworthy.db'}"})
    assert told.code == 1
    assert f"there is no release database {tmp_path / 'hoem' / 'flightworthy.db'}" in told.err
    assert "FLIGHTWORTHY_DATABASE" in told.err
    assert "`flightworthy database upgrade` makes one" in told.err
    assert not (tmp_path / "hoem").exists()


@pytest.mark.parametrize("url", ["nonsense", "oracle+nothing://x/y"])
def test_a_database_url_that_is_none_is_refused_without_repeating_it(call: Call, url: str) -> None:
    """It may hold a password."""
    told = call("status", environ={"FLIGHTWORTHY_DATABASE": url})
    assert told.code == 1
    assert "FLIGHTWORTHY_DATABASE is no database that can be opened here" in told.err
    assert url not in told.err


def test_an_interrupt_ends_quietly(call: Call, house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """As a shell expects: 128 + SIGINT."""

    def interrupted(_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("flightworthy.cli.settings.Settings.releases", interrupted)
    assert call("status").code == 130


def test_a_reader_that_leaves_early_is_no_error(house: House) -> None:
    """`flightworthy --help | true`, and the like."""
    program = "import sys; from flightworthy.cli.main import main; sys.exit(main(['status']))"
    environ = {"PYTHONPATH": str(ROOT / "include"), "FLIGHTWORTHY_HOME": str(house.home), "PATH": "/usr/bin:/bin"}
    shell = f'{sys.executable} -c "{program}" | true; exit ${{PIPESTATUS[0]}}'
    done = subprocess.run(["bash", "-c", shell], env=environ, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


TRAIN = "def train(frame, params, seed):\n    return None\n"
HEAVY = {"pandas", "numpy", "mlflow", "sklearn", "great_expectations", "evidently", "docker", "airflow", "pyarrow"}


@pytest.mark.parametrize(
    "words",
    [
        ("--help",),
        ("rollback", "diagnosis", "--reason", "a test", "--wait", "0"),
        ("status",),
        ("history", "diagnosis"),
        ("validate",),
    ],
)
def test_a_command_waits_for_no_vendor_that_it_does_not_need(house: House, words: tuple[str, ...]) -> None:
    """A rollback takes a fraction of a second; importing pandas alone takes one.

    Only a suite with expectations of its own has `validate` ask Great Expectations what it takes of them.
    """
    house.promote(1)
    house.promote(2)
    folder = house.models / "diagnosis"
    folder.mkdir()
    for name, text in (("model.yaml", PERSONAL_SPEC), ("suite.yaml", "expectations: []\n"), ("train.py", TRAIN)):
        (folder / name).write_text(text)
    program = f"""
import sys
from flightworthy.cli.main import main
try:
    main({list(words)!r})
except SystemExit:
    pass
print(sorted({HEAVY!r} & set(sys.modules)), file=sys.stderr)
"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True,
        env={
            "PYTHONPATH": str(ROOT / "include"),
            "FLIGHTWORTHY_HOME": str(house.home),
            "FLIGHTWORTHY_MODELS": str(house.models),
        },
        cwd=ROOT,
    )  # fmt: skip
    assert done.stderr.splitlines()[-1] == "[]"


@pytest.mark.parametrize("command", [None, *COMMANDS])
def test_the_grammar_imports_no_command_but_the_one_that_was_asked(command: str | None) -> None:
    """And of that one no vendor: what a command takes is told, and a slip of the pen refused, at once."""
    program = f"""
import contextlib, io, json, sys
from flightworthy.cli.main import main
with contextlib.redirect_stdout(io.StringIO()), contextlib.suppress(SystemExit):
    main({[*filter(None, [command]), "--help"]!r})
print(json.dumps(sorted(sys.modules)))
"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True,
        env={"PYTHONPATH": str(ROOT / "include")}, cwd=ROOT,
    )  # fmt: skip
    imported = set(json.loads(done.stdout))
    named = {name for name in COMMANDS if f"flightworthy.cli.{name.replace('-', '_')}" in imported}
    assert named - ALSO.get(command, set()) == {command} - {None}
    assert (HEAVY | {"pydantic", "yaml", "sqlalchemy"}) & imported == set()


ALSO = {"status": {"arrivals", "history"}}
"""Commands whose answer shows what another one does."""
