"""Compacting the prediction log from the command line."""

from __future__ import annotations

from pathlib import Path

from tests.flightworthy.adapters.log_makers import MODEL, line_of, name_of, three_days, write_log
from tests.flightworthy.cli.conftest import Call, House


def test_finished_files_become_parquet_and_it_is_said_how_many_rows(call: Call, house: House) -> None:
    """All models that have a log; a second time there is nothing to do."""
    write_log(house.home / "predictions", three_days())
    (model,) = call("compact", "--json").document["models"]
    (done,) = model["compacted"]
    assert (model["model"], model["left"]) == (MODEL, [])
    assert (done["file"], done["rows"], done["days"]) == (name_of(1), 300, [f"2026-01-0{day}" for day in (5, 6, 7)])
    assert 0 < done["parquet_size"] < done["size"]
    again = call("compact")
    assert (again.code, again.out) == (0, "there is no finished file\n")


def test_a_file_that_stays_is_a_refusal_with_its_reason(call: Call, house: House) -> None:
    """The others are compacted all the same, and the answer has both."""
    house.promote(1)
    write_log(house.home / "predictions", line_of() + "no line\n")
    write_log(house.home / "predictions", line_of(), number=2)
    told = call("compact", MODEL)
    assert told.code == 1
    assert f"{name_of(1)} stays as it is and is read as before: line 2: is not JSON" in told.out
    assert name_of(2) in told.out


def test_an_unknown_model_and_a_full_disk_are_told_apart(call: Call, house: House, tmp_path: Path) -> None:
    """1 and the nearest name; 3 and what the system said, with nothing lost."""
    house.promote(1)
    assert "did you mean diagnosis?" in call("compact", "diagnosys").err
    path = write_log(house.home / "predictions", line_of())
    (path.parent / "day=2026-01-05").write_text("no folder")
    told = call("compact", "diagnosis", "--json")
    assert told.code == 3
    assert told.document["error"]["kind"] == "Unavailable"
    assert path.exists()
