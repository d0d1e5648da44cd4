"""Going back from the command line."""

from __future__ import annotations

import getpass

import pytest

from flightworthy.errors import Conflict
from flightworthy.release import Phase, propose
from tests.flightworthy.cli.conftest import NOW, Call, House


def test_a_rollback_waits_until_the_traffic_has_moved_and_says_how_long_it_took(call: Call, house: House) -> None:
    """The previous release was kept warm: one change of the row."""
    first, second = house.promote(1), house.promote(2)
    with house.deployer():
        told = call("rollback", "diagnosis", "--reason", "too many false alarms")
    assert told.code == 0
    assert told.out.startswith(f"diagnosis: {first.id} serves all traffic again; {second.id} gave way after 0.")
    assert house.store.deployment("diagnosis").champion == first.id


def test_a_rollback_is_one_document_for_a_program(call: Call, house: House) -> None:
    """From, to, and seconds."""
    first, second = house.promote(1), house.promote(2)
    with house.deployer():
        told = call("rollback", "diagnosis", "--reason", "x", "--json")
    said = told.document
    assert 0 <= said.pop("seconds") < 5
    assert said == {
        "model": "diagnosis", "from": second.id, "to": first.id, "changed": True, "confirmed": True,
        "phase": "steady", "generation": 5,
    }  # fmt: skip


def test_who_and_why_are_written_into_the_ledger(call: Call, house: House) -> None:
    """Whoever reads it later asks for both."""
    house.promote(1)
    house.promote(2)
    call("rollback", "diagnosis", "--reason", " too many false alarms ", "--wait", "0")
    entry = house.store.history("diagnosis")[-1]
    assert (entry.action, entry.reason) == ("rolled_back", "too many false alarms")
    assert entry.actor == f"{getpass.getuser()} (command line)"


def test_without_waiting_the_decision_is_written_and_not_said_to_be_done(call: Call, house: House) -> None:
    """--wait 0."""
    first, second = house.promote(1), house.promote(2)
    told = call("rollback", "diagnosis", "--reason", "x", "--wait", "0")
    assert (told.code, told.out) == (0, f"diagnosis: decided to go back from {second.id} to {first.id}\n")


def test_without_a_deployer_the_decision_stands_and_the_command_says_what_is_missing(call: Call, house: House) -> None:
    """Exit code 3; the daemon does it as soon as it runs."""
    first, _ = house.promote(1), house.promote(2)
    told = call("rollback", "diagnosis", "--reason", "x", "--wait", "0.2", "--json")
    assert told.code == 3
    assert told.document["error"]["kind"] == "Unavailable"
    assert "which is decided and stands" in told.err
    assert "See that `flightworthy deployer` runs" in told.err
    assert house.store.deployment("diagnosis").champion == first.id


def test_a_release_that_is_no_longer_warm_is_started_again_first(call: Call, house: House) -> None:
    """--to an older one; the command waits through the phase of returning."""
    first, second, third = house.promote(1), house.promote(2), house.promote(3)
    with house.deployer():
        told = call("rollback", "diagnosis", "--reason", "x", "--to", first.id, "--json")
    assert told.code == 0
    assert (told.document["from"], told.document["to"]) == (third.id, first.id)
    assert [entry.action for entry in house.store.history("diagnosis")][-2:] == ["returning", "rolled_back"]
    assert second.id != house.store.deployment("diagnosis").champion


def test_a_release_that_does_not_start_again_leaves_the_champion_and_says_why(call: Call, house: House) -> None:
    """Exit code 1: asking again gives the same answer."""
    first, _, third = house.promote(1), house.promote(2), house.promote(3)
    with house.deployer(fails=True):
        told = call("rollback", "diagnosis", "--reason", "x", "--to", first.id)
    assert told.code == 1
    assert f"did not go back to {first.id}: its server ended 3 times. {third.id} serves" in told.err


def test_a_challenger_on_its_course_is_withdrawn(call: Call, house: House) -> None:
    """Whoever says rollback while a canary runs means the canary."""
    first = house.promote(1)
    second = house.promote(2)
    call("rollback", "diagnosis", "--reason", "x", "--wait", "0")
    release = house.store.release(second.id)
    propose(house.store, release, actor="a test", reason="again", now=NOW, again=True)
    with house.deployer():
        told = call("rollback", "diagnosis", "--reason", "not today")
    assert told.out.startswith(f"diagnosis: {first.id} serves all traffic again; {second.id} gave way")
    assert house.store.deployment("diagnosis").phase is Phase.STEADY


def test_the_first_challenger_is_withdrawn_to_nothing(call: Call, house: House) -> None:
    """There is no champion to go back to, and the command says so."""
    release = house.refuse(1)
    propose(house.store, release, actor="a test", reason="again", now=NOW, again=True)
    with house.deployer():
        told = call("rollback", "diagnosis", "--reason", "not today")
    assert told.code == 0
    assert "nothing serves" in told.out


def test_going_to_what_serves_changes_nothing(call: Call, house: House) -> None:
    """The same command twice is the same as once."""
    first, _ = house.promote(1), house.promote(2)
    with house.deployer():
        call("rollback", "diagnosis", "--reason", "x", "--to", first.id)
        told = call("rollback", "diagnosis", "--reason", "x", "--to", first.id)
    assert told.out == f"diagnosis: {first.id} serves already; nothing was changed\n"


def test_a_model_that_never_served_cannot_go_back(call: Call, house: House) -> None:
    """The domain's own refusal."""
    (house.models / "diagnosis").mkdir()
    told = call("rollback", "diagnosis", "--reason", "x")
    assert told.code == 1
    assert "diagnosis cannot go back: nothing was ever released" in told.err


@pytest.mark.parametrize("to", ["diagnosis-9-abcdef01", "claims-1-abcdef01"])
def test_a_release_that_is_not_one_of_the_models_is_refused(call: Call, house: House, to: str) -> None:
    """Unknown, or another model's."""
    house.promote(1)
    house.promote(1, model="claims")
    told = call("rollback", "diagnosis", "--reason", "x", "--to", to)
    assert told.code == 1
    assert to in told.err


def test_a_blank_reason_is_no_reason(call: Call, house: House) -> None:
    """It is refused before anything is changed."""
    house.promote(1)
    house.promote(2)
    told = call("rollback", "diagnosis", "--reason", "  ")
    assert told.code == 1
    assert "needs a reason" in told.err
    assert house.store.history("diagnosis")[-1].action == "promoted"


def test_another_decision_made_first_is_a_conflict(call: Call, house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """Exit code 4, and who won."""
    house.promote(1)
    house.promote(2)
    stale = house.store.deployment("diagnosis")
    call("rollback", "diagnosis", "--reason", "x", "--wait", "0")
    # The row as it was a moment ago is what a slower person decided on.
    monkeypatch.setattr("flightworthy.adapters.sql_releases.SqlReleases.deployment", lambda *_: stale)
    told = call("rollback", "diagnosis", "--reason", "x", "--wait", "0", "--json")
    assert told.code == 4
    assert told.document["error"]["kind"] == Conflict.__name__
    assert "expected generation 4, found 5" in told.err
