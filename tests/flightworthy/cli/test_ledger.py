"""What was decided, proven and taken away; and what served at some time."""

from __future__ import annotations

import sqlite3
from datetime import timedelta
from pathlib import Path

import pytest

from flightworthy.release import Cause, Healing, draft, entered, promoted, propose
from tests.flightworthy.cli.conftest import NOW, Call, House, release_of


@pytest.fixture
def judged(house: House) -> House:
    """Version 1 serves; version 2 came by a canary that was judged, an hour later."""
    house.promote(1)
    later = NOW + timedelta(hours=1)
    row = propose(house.store, release_of("diagnosis", 2), actor="ada", reason="new data", now=later)
    after = entered(row, 0, 10, later + timedelta(minutes=1))
    cause = Cause(actor="deployer", reason="golden requests agree", at=later + timedelta(minutes=1))
    row = house.store.swap(row, after, draft(row, after, "advanced", cause))
    after = promoted(row, later + timedelta(minutes=2))
    evidence = house.store.keep_evidence('{"errors": 0}')
    cause = Cause(actor="deployer", reason="healthy", at=later + timedelta(minutes=2), evidence=(evidence,))
    house.store.swap(row, after, draft(row, after, "promoted", cause))
    return house


def tamper(house: House, statement: str) -> None:
    """As somebody with a shell would."""
    connection = sqlite3.connect(house.home / "flightworthy.db")
    connection.execute(statement)
    connection.commit()
    connection.close()


def test_a_ledger_that_nobody_touched_is_proven(call: Call, judged: House) -> None:
    """Entries, evidence and rows; the newest hash is what to keep elsewhere."""
    told = call("ledger", "verify", "--json")
    assert told.code == 0
    assert told.document == {"holds": True, "entries": 5, "evidence": 1, "head": judged.store.head()}
    assert "the ledger holds: 5 decisions and 1 pieces of evidence" in call("ledger", "verify").out


@pytest.mark.parametrize(
    "statement, seq, named",
    [
        ("UPDATE ledger SET actor = 'nobody' WHERE seq = 4", 4, "entry 4 (advanced of diagnosis) was changed"),
        ("DELETE FROM ledger WHERE seq = 2", 2, "entry 3 stands where entry 2 belongs"),
        ("UPDATE evidence SET body = '{}'", 5, "the evidence"),
        ("DELETE FROM evidence", 5, "was removed"),
        ("UPDATE deployment SET champion = 'diagnosis-1-abcdef01'", 5, "the row of diagnosis is not what was decided"),
    ],
)
def test_what_was_tampered_with_is_named(call: Call, judged: House, statement: str, seq: int, named: str) -> None:
    """Exit code 1, and the place as a fact for a program."""
    tamper(judged, statement)
    told = call("ledger", "verify", "--json")
    assert told.code == 1
    assert named in told.err
    assert told.document["error"]["facts"]["seq"] == seq


def test_an_auditor_proves_an_export_without_the_database(call: Call, judged: House, tmp_path: Path) -> None:
    """To stdout or into a file it is the same; a changed file is refused by the line."""
    file = tmp_path / "ledger.jsonl"
    assert "5 decisions are in" in call("ledger", "export", "--output", str(file)).out
    assert call("ledger", "export").out == file.read_text()
    (judged.home / "flightworthy.db").unlink()
    told = call("ledger", "verify", str(file), "--json")
    assert (told.code, told.document["entries"], told.document["evidence"]) == (0, 5, 1)
    file.write_text(file.read_text().replace("healthy", "healthier"))
    told = call("ledger", "verify", str(file))
    assert told.code == 1
    assert "entry 5 (promoted of diagnosis) was changed" in told.err


def test_a_ledger_that_was_rewritten_as_a_whole_is_found_by_an_earlier_export(
    call: Call, judged: House, tmp_path: Path
) -> None:
    """It holds by itself; what was taken away before says otherwise."""
    file = tmp_path / "ledger.jsonl"
    call("ledger", "export", "--output", str(file))
    judged.promote(3)
    assert "It continues" in call("ledger", "verify", "--against", str(file)).out
    for table in ("ledger", "deployment", "evidence"):
        tamper(judged, f"DELETE FROM {table}")
    tamper(judged, f"UPDATE ledger_head SET seq = 0, hash = '{0:064}'")
    assert call("ledger", "verify").code == 0
    told = call("ledger", "verify", "--against", str(file))
    assert told.code == 1
    assert "entry 1 was exported before and is gone" in told.err
    judged.promote(9)
    assert "entry 1 (proposed of diagnosis) is not the one" in call("ledger", "verify", "--against", str(file)).err


def test_a_damaged_ledger_is_not_exported(call: Call, judged: House, tmp_path: Path) -> None:
    """What does not hold is not handed on as if it did."""
    tamper(judged, "UPDATE ledger SET reason = 'x' WHERE seq = 1")
    assert call("ledger", "export", "--output", str(tmp_path / "x")).code == 1
    assert not (tmp_path / "x").exists()


def test_history_at_a_time_says_what_served_and_why(call: Call, judged: House) -> None:
    """In the canary: both releases with their shares, since when, by whom, and until when."""
    told = call("history", "diagnosis", "--at", "2026-01-05 13:01:30", "--json")
    said = told.document
    assert (said["champion"]["release"], said["champion"]["share"]) == ("diagnosis-1-abcdef01", 90)
    assert (said["challenger"]["release"], said["challenger"]["share"]) == ("diagnosis-2-abcdef01", 10)
    assert said["challenger"]["decided"]["reason"] == "golden requests agree"
    assert said["until"] == "2026-01-05T13:02:00.000000+00:00"


def test_history_at_a_time_shows_the_evidence_to_a_person(call: Call, judged: House) -> None:
    """A naive time is UTC; an offset is obeyed."""
    for when in ("2026-01-05 13:05", "2026-01-05T14:05+01:00"):
        out = call("history", "diagnosis", "--at", when).out
        assert "diagnosis-2-abcdef01" in out
        assert "100 %" in out
        assert '{"errors": 0}' in out
        assert "No decision was made since." in out
    assert "nothing served diagnosis at" in call("history", "diagnosis", "--at", "2020-01-01").out
    assert call("history", "diagnosis", "--at", "last Tuesday").code == 2


def test_healings_are_shown_beside_the_decisions(call: Call, judged: House) -> None:
    """In history for people, in status for programs."""
    judged.store.note_healing(Healing(model="diagnosis", at=NOW, kind="server", what="it had ended"))
    assert "it had ended" in call("history", "diagnosis").out
    assert call("history", "diagnosis", "--json").document["healings"][0]["what"] == "it had ended"
    assert call("status", "--json").document["models"][0]["healings"][0]["kind"] == "server"
