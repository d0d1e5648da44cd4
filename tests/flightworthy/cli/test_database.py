"""The tables' form, from the command line."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from tests.flightworthy.cli.conftest import Call

OF_0_1 = Path(__file__).parents[1] / "adapters" / "releases_of_0_1.sql"


@pytest.fixture
def old(tmp_path: Path) -> dict[str, str]:
    """The variable that names a database of 0.1."""
    connection = sqlite3.connect(tmp_path / "old.db")
    connection.executescript(OF_0_1.read_text())
    connection.close()
    return {"FLIGHTWORTHY_DATABASE": f"sqlite:///{tmp_path / 'old.db'}"}


def test_check_says_that_an_upgrade_is_due_and_makes_none(call: Call, old: dict[str, str]) -> None:
    """Exit code 1, as often as it is asked."""
    for _ in range(2):
        told = call("database", "check", "--json", environ=old)
        assert told.code == 1
        assert told.document == {"found": None, "newest": "0005", "current": False, "upgraded": False}
    assert "has the tables of 0.1, and this version wants revision 0005" in call("database", "check", environ=old).out


def test_upgrade_says_what_it_found_and_again_that_there_is_nothing_to_do(call: Call, old: dict[str, str]) -> None:
    """Harmless twice; afterwards check is content."""
    told = call("database", "upgrade", environ=old)
    assert (told.code, told.out) == (
        0, "the release database was upgraded to revision 0005; before it had the tables of 0.1\n",
    )  # fmt: skip
    assert call("database", "upgrade", "--json", environ=old).document["upgraded"] is False
    assert call("database", "check", environ=old).code == 0


def test_a_newer_database_is_not_upgraded_downwards(call: Call, old: dict[str, str]) -> None:
    """Check says so too, by its exit code."""
    call("database", "upgrade", environ=old)
    connection = sqlite3.connect(old["FLIGHTWORTHY_DATABASE"].removeprefix("sqlite:///"))
    connection.execute("UPDATE flightworthy_alembic_version SET version_num = '9999'")
    connection.commit()
    connection.close()
    assert call("database", "check", environ=old).code == 1
    told = call("database", "upgrade", environ=old)
    assert told.code == 1
    assert "a newer one has upgraded them" in told.err


def test_a_url_that_names_no_database_is_refused_without_repeating_it(call: Call) -> None:
    """It may hold a password."""
    told = call("database", "check", environ={"FLIGHTWORTHY_DATABASE": "nonsense"})
    assert told.code == 1
    assert "nonsense" not in told.err
