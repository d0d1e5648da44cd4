"""What serves, what was decided, and what was refused."""

from __future__ import annotations

import sqlite3
from datetime import timedelta

import pyarrow as pa

from flightworthy.adapters.dataset_files import DatasetFiles
from flightworthy.errors import PartitionRefused
from flightworthy.release import Cause, DrillResult, Observation, ask_drill, draft, propose, shadowed
from tests.flightworthy.cli.conftest import NOW, Call, House


def quarantine(house: House) -> None:
    """Let two partitions be refused: one unreadable, one against its expectations."""
    files = DatasetFiles(root=house.home / "datasets")
    refusal = PartitionRefused("2026-01-12.csv has 0 bytes; it was not uploaded to its end")
    files.refuse("diagnosis", "2026-01-12", refusal, now=NOW)
    table = pa.table({"mean_radius": [None, None]})
    partition = files.write("diagnosis", "2026-01-05", table, sources=["x.csv"], now=NOW)
    objections = ["mean_radius: values to not be null: 2 of 2 are", "table columns to match set: worst_area is missing"]
    files.quarantine(partition, reason="2 expectations failed", objections=objections, now=NOW)


def test_every_model_has_a_row_whether_it_was_released_or_not(call: Call, house: House) -> None:
    """Folders without a decision, and decisions without a folder."""
    (house.models / "claims").mkdir()
    first, second = house.promote(1), house.promote(2)
    told = call("status")
    heads, claims, diagnosis = (line.split() for line in told.out.splitlines())
    assert heads[:6] == ["MODEL", "CHAMPION", "PREVIOUS", "CHALLENGER", "SHARE", "PHASE"]
    assert claims[0] == "claims"
    assert "never released" in told.out
    assert diagnosis == [
        "diagnosis", second.id, first.id, "-", "-", "steady", "2026-01-05", "12:00:00", "as", "decided",
    ]  # fmt: skip


def test_a_program_reads_the_row_and_what_the_deployer_last_saw(call: Call, house: House) -> None:
    """With the generation of each, so that it can tell whether they agree."""
    first = house.promote(1)
    release = house.promote(2)
    (row,) = call("status", "diagnosis", "--json").document["models"]
    assert row["champion"] == release.id
    assert row["previous"] == first.id
    assert (row["challenger"], row["share"], row["phase"]) == (None, 0, "steady")
    assert row["since"] == "2026-01-05T12:00:00.000000+00:00"
    assert row["generation"] == row["observed"]["generation"] == 4
    assert row["refusals"] == []


def test_a_shadow_is_shown_as_the_phase_that_it_is(call: Call, house: House) -> None:
    """With no share of traffic."""
    house.promote(1)
    challenger = house.store.release(house.promote(2).id)
    first = house.store.deployment("diagnosis").previous
    call("rollback", "diagnosis", "--reason", "x", "--wait", "0")
    row = propose(house.store, challenger, actor="a", reason="b", now=NOW, again=True)
    after = shadowed(row, NOW)
    house.store.swap(row, after, draft(row, after, "shadowed", Cause(actor="deployer", reason="vetted", at=NOW)))
    (told,) = call("status", "diagnosis", "--json").document["models"]
    assert (told["phase"], told["challenger"], told["share"], told["champion"]) == ("shadow", challenger.id, 0, first)
    assert "shadow" in call("status").out


def test_a_previous_release_that_does_not_run_is_shown_as_cold(call: Call, house: House) -> None:
    """A rollback to it takes as long as its start."""
    first, second = house.promote(1), house.promote(2)
    row = house.store.deployment("diagnosis")
    seen = Observation(
        model="diagnosis", generation=row.generation, share_b=row.share_b, healthy=(second.id,), note="", at=NOW
    )
    house.store.observe(seen)
    assert f"{first.id} (cold)" in call("status").out


def test_the_last_drill_is_shown_with_its_result_and_its_time(call: Call, house: House) -> None:
    """Open, then ended; a model that was never drilled has none."""
    first = house.promote(1)
    assert call("status", "diagnosis", "--json").document["models"][0]["drill"] is None
    assert "DRILLED" not in call("status").out
    house.promote(2)
    asked = ask_drill(house.store, "diagnosis", actor="diagnosis.drill", now=NOW)
    assert asked is not None
    assert "not done yet" in call("status").out
    found = DrillResult(passed=True, reason="ready after 0.8 s", took_time=timedelta(seconds=1.25), ended_at=NOW)
    house.store.end_drill(asked.number, found)

    heads, row = call("status").out.split("\n\n")[1].splitlines()
    assert heads.split() == ["DRILLED", "AT", "(UTC)", "HOW", "TOOK", "WHAT", "REASON"]
    assert row.split()[:7] == ["diagnosis", "2026-01-05", "12:00:00", "passed", "1.2", "s", first.id]
    assert call("status", "diagnosis", "--json").document["models"][0]["drill"] == {
        "release": first.id,
        "passed": True,
        "reason": "ready after 0.8 s",
        "seconds": 1.25,
        "asked_by": "diagnosis.drill",
        "asked_at": "2026-01-05T12:00:00.000000+00:00",
        "ended_at": "2026-01-05T12:00:00.000000+00:00",
    }


def test_a_decision_that_the_router_has_not_taken_yet_is_shown_as_such(call: Call, house: House) -> None:
    """Wanted and true may differ for a moment."""
    house.promote(1)
    second = house.promote(2)
    call("rollback", "diagnosis", "--reason", "x", "--wait", "0")
    assert "not yet as decided" in call("status").out
    propose(house.store, house.store.release(second.id), actor="a", reason="b", now=NOW, again=True)
    told = call("status")
    assert told.out.splitlines()[1].split()[3:7] == [second.id, "0", "%", "starting"]


def test_refusals_are_shown_with_their_reasons(call: Call, house: House) -> None:
    """Withdrawn releases and quarantined partitions, newest first."""
    house.promote(1)
    withdrawn = house.refuse(2)
    quarantine(house)
    told = call("status", "diagnosis")
    refusals = [line.split(maxsplit=5) for line in told.out.split("\n\n")[1].splitlines()[1:]]
    assert ["withdrawn", withdrawn.id, "3 of 40 attempts failed"] in [line[3:] for line in refusals]
    assert ["quarantined", "2026-01-12", "2026-01-12.csv has 0 bytes; it was not uploaded to its end"] in [
        line[3:] for line in refusals
    ]
    kinds = {each["kind"] for each in call("status", "--json").document["models"][0]["refusals"]}
    assert kinds == {"withdrawn", "quarantined"}


def test_a_partition_that_was_given_up_is_not_shown_as_one_that_waits(call: Call, house: House) -> None:
    """Who looks for what is to be done need not look at it; who gave it up stands beside why it was refused."""
    house.promote(1)
    quarantine(house)
    call("quarantine", "discard", "diagnosis", "2026-01-05", "--reason", "nobody will mend it")
    (line,) = (line for line in call("status").out.splitlines() if "2026-01-05  " in line)
    assert line.split(maxsplit=3)[3].startswith("given up     2026-01-05  2 expectations failed (given up by ")
    assert line.endswith("(command line): nobody will mend it)")
    refusals = call("status", "--json").document["models"][0]["refusals"]
    reasons = {each["what"]: each["discarded"] and each["discarded"]["reason"] for each in refusals}
    assert reasons == {"2026-01-05": "nobody will mend it", "2026-01-12": None}
    assert {each["kind"] for each in refusals} == {"quarantined"}


def test_an_empty_house_says_how_to_begin(call: Call) -> None:
    """Rather than print an empty table."""
    told = call("status")
    assert (told.code, told.out) == (0, "there are no models yet; `flightworthy new NAME` makes one\n")
    assert call("status", "--json").document == {"models": []}


def test_history_lists_every_decision_and_that_the_ledger_holds(call: Call, house: House) -> None:
    """Oldest first, with who and why."""
    house.promote(1)
    house.promote(1, model="claims")
    house.promote(2)
    told = call("history", "diagnosis")
    assert [line.split()[0] for line in told.out.splitlines()[:5]] == ["SEQ", "1", "2", "5", "6"]
    assert told.out.endswith("The ledger holds: 6 decisions about all models, none changed or removed.\n")
    document = call("history", "diagnosis", "--limit", "1", "--json").document
    (entry,) = document["entries"]
    assert (entry["action"], entry["reason"], entry["actor"]) == ("promoted", "baked well", "deployer")
    assert document["ledger"] == {"holds": True, "entries": 6}


def test_a_ledger_that_was_tampered_with_is_refused(call: Call, house: House) -> None:
    """Nothing of it is shown as if it were true."""
    house.promote(1)
    with sqlite3.connect(house.home / "flightworthy.db") as database:
        (name,) = database.execute("select name from sqlite_master where sql like '%previous_hash%'").fetchone()
        for trigger in database.execute("select name from sqlite_master where type = 'trigger'").fetchall():
            database.execute(f"drop trigger {trigger[0]}")
        database.execute(f"update {name} set reason = 'because' where seq = 1")
    told = call("history", "diagnosis")
    assert told.code == 1
    assert told.out == ""
    assert "entry 1" in told.err


def test_quarantined_partitions_are_listed_with_every_objection(call: Call, house: House) -> None:
    """The reason is on the command line."""
    (house.models / "diagnosis").mkdir()
    quarantine(house)
    told = call("quarantine", "list", "diagnosis")
    assert told.code == 0
    lines = told.out.splitlines()
    assert lines[0].split() == ["PARTITION", "DIGEST", "AT", "(UTC)", "REASON"]
    assert lines[1].startswith("2026-01-05")
    assert lines[1].endswith("2 expectations failed")
    assert lines[2].split(maxsplit=4)[-1] == "mean_radius: values to not be null: 2 of 2 are"
    assert lines[4].endswith("2026-01-12.csv has 0 bytes; it was not uploaded to its end")
    document = call("quarantine", "list", "diagnosis", "--json").document
    assert [each["key"] for each in document["partitions"]] == ["2026-01-05", "2026-01-12"]
    assert len(document["partitions"][0]["objections"]) == 2


def test_a_reason_cannot_steer_the_terminal(call: Call, house: House) -> None:
    """Reasons come from files that somebody else wrote."""
    (house.models / "diagnosis").mkdir()
    files = DatasetFiles(root=house.home / "datasets")
    files.refuse("diagnosis", "2026-01-12", PartitionRefused("bad \x1b[2J\r\nchampion: evil"), now=NOW)
    told = call("quarantine", "list", "diagnosis")
    assert "\x1b" not in told.out
    assert len(told.out.splitlines()) == 2
