"""The prediction log is read as it is written, while it is written."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from flightworthy.adapters.prediction_files import PredictionFiles, PredictionWindow

NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


def line(at: datetime = NOON, *, release: str = "diagnosis-2-1a2b3c4d", **more: object) -> str:
    row = {
        "at": at.isoformat().replace("+00:00", "Z"),
        "request_id": "r1",
        "entity": "patient-7",
        "release": release,
        "version": "2",
        "arm": "a",
        "features": {"age": 41, "sex": "f"},
        "prediction": 0.25,
    }
    return json.dumps({**row, **more}) + "\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "diagnosis").mkdir()
    return tmp_path


def read(folder: Path, **more: str) -> PredictionWindow:
    return PredictionFiles(folder).read("diagnosis", since=NOON, until=NOON + HOUR, **more)  # type: ignore[arg-type]


def test_a_window_holds_its_start_and_not_its_end(folder: Path) -> None:
    """Windows that follow each other share no row and lose none."""
    (folder / "diagnosis" / "a.jsonl").write_text(line(NOON - HOUR) + line(NOON) + line(NOON + HOUR))

    window = read(folder)

    assert window.frame.to_dict("records") == [{"age": 41, "sex": "f", "prediction": 0.25}]
    assert window.releases == {"diagnosis-2-1a2b3c4d": 1}


def test_whom_it_was_about_is_not_in_the_frame(folder: Path) -> None:
    """Drift needs no identity, so none leaves the log."""
    (folder / "diagnosis" / "a.jsonl").write_text(line())

    assert "patient-7" not in read(folder).frame.to_csv()


def test_only_the_named_release_or_version_is_read(folder: Path) -> None:
    """A challenger's answers are no part of the champion's window."""
    (folder / "diagnosis" / "a.jsonl").write_text(line() + line(release="diagnosis-3-00000000", version="3"))

    assert len(read(folder).frame) == 2
    assert read(folder, release="diagnosis-3-00000000").releases == {"diagnosis-3-00000000": 1}
    assert read(folder, version="2").releases == {"diagnosis-2-1a2b3c4d": 1}


def test_a_line_still_being_written_is_left_for_the_next_look(folder: Path) -> None:
    """A live file may end in half a row; that is no fault."""
    (folder / "diagnosis" / "a.jsonl").write_text(line() + line()[:40])

    window = read(folder)

    assert len(window.frame) == 1
    assert window.broken == ()


@pytest.mark.parametrize(
    "broken, why",
    [
        ('{"at": "2026-01-\n', "is not JSON"),
        ("[1, 2]\n", "is not a JSON object"),
        (line(at=NOON, prediction=None), "prediction is not a finite number"),
        (line(at=NOON, prediction=float("nan")), "prediction is not a finite number"),
        (line(at=NOON, features=[1]), "features is not an object"),
        (line().replace("00:00Z", "00:00"), "at is not a time with its zone"),
        ("{}\n", "at is not a time with its zone; release is not a name; version is missing; "),
        ("\xff\xfe\n", "is not JSON"),
    ],
)
def test_a_broken_line_is_left_out_counted_and_named(folder: Path, broken: str, why: str) -> None:
    """The rows around it are read; the line is reported by file, number and reason."""
    (folder / "diagnosis" / "a.jsonl").write_text(line() + broken + line(), encoding="latin-1")

    window = read(folder)

    assert len(window.frame) == 2
    [found] = window.broken
    assert (found.file, found.line) == ("a.jsonl", 2)
    assert found.why.startswith(why)


def test_several_servers_write_several_files(folder: Path) -> None:
    """Every process has a file of its own; all are one log, and other files in the folder are not."""
    for name in ("20260105T115900Z-aa-0001.jsonl", "20260105T115900Z-bb-0001.jsonl"):
        (folder / "diagnosis" / name).write_text(line())
    (folder / "diagnosis" / "notes.txt").write_text("not a log")

    assert len(read(folder).frame) == 2


def test_a_file_last_written_before_the_window_is_not_opened(folder: Path) -> None:
    """Months of rotated files cost nothing."""
    old = folder / "diagnosis" / "old.jsonl"
    old.write_text("would be reported as broken\n")
    then = (NOON - HOUR).timestamp()
    os.utime(old, (then, then))

    assert read(folder).broken == ()


def test_a_model_that_nobody_asked_has_an_empty_window(folder: Path) -> None:
    """No folder and no file is no fault; the decision says that there is no evidence."""
    window = PredictionFiles(folder).read("claims", since=NOON, until=NOON + HOUR)

    assert window.frame.empty
    assert window.releases == {}


def test_what_the_server_writes_is_what_is_read(folder: Path) -> None:
    """The server's own writer against this reader, so that the two cannot part."""
    from flightworthy.serving.contract_file import parse_contract
    from flightworthy.serving.prediction_log import Answer, PredictionLog

    features = [{"name": "age", "type": "integer", "nullable": True}, {"name": "sex", "type": "category"}]
    contract = parse_contract({"model": "diagnosis", "features": features, "output": {"kind": "probability"}})
    stamp = {"release": "diagnosis-2-1a2b3c4d", "version": "2", "arm": None}
    log = PredictionLog(folder / "diagnosis", contract=contract, stamp=stamp)
    log.append(Answer("r", None, NOON, [(41, "f"), (None, "m")], np.array([0.1, 0.9]), 0.5))
    log.close()

    window = read(folder, release="diagnosis-2-1a2b3c4d", version="2")

    assert window.broken == ()
    assert window.frame["prediction"].tolist() == [0.1, 0.9]
    assert window.frame["age"].isna().tolist() == [False, True]
