from __future__ import annotations

import fcntl
import json
import time
from datetime import UTC, datetime, timedelta
from itertools import groupby
from pathlib import Path
from typing import IO, Any

import msgspec
import numpy as np
import pytest

from flightworthy.serving import prediction_log
from flightworthy.serving.contract_file import parse_contract
from flightworthy.serving.prediction_log import Answer, PredictionLog

CONTRACT = parse_contract(
    {
        "model": "m",
        "features": [{"name": "amount", "type": "number"}, {"name": "country", "type": "category"}],
        "output": {"kind": "probability"},
    }
)


def answer(request_id: str, rows: int = 1) -> Answer:
    at = datetime(2026, 1, 5, tzinfo=UTC)
    return Answer(request_id, None, at, [(1.5, "a")] * rows, np.full(rows, 0.25), 0.4567)


def new_log(folder: Path, **options: Any) -> PredictionLog:
    stamp = {"release": "m-1-a", "version": "1"}
    return PredictionLog(folder, **{"contract": CONTRACT, "stamp": stamp, **options})


def lines(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for path in sorted(folder.iterdir()) for line in path.read_text().splitlines()]


def test_a_line_is_what_the_monitor_reads(tmp_path: Path) -> None:
    """The schema of the module's docstring, field by field."""
    log = new_log(tmp_path)
    log.append(answer("r-1"))
    log.close()
    assert lines(tmp_path) == [
        {
            "at": "2026-01-05T00:00:00Z",
            "request_id": "r-1",
            "entity": None,
            "release": "m-1-a",
            "version": "1",
            "features": {"amount": 1.5, "country": "a"},
            "prediction": 0.25,
            "latency_ms": 0.457,
        }
    ]


def test_rows_are_on_disk_within_a_second(tmp_path: Path) -> None:
    """So that a server that is killed loses no more than that."""
    log = new_log(tmp_path)
    log.append(answer("r-1"))
    deadline = time.monotonic() + 1.0
    while not lines(tmp_path) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert len(lines(tmp_path)) == 1
    log.close()


def test_a_graceful_stop_loses_nothing(tmp_path: Path) -> None:
    """All that was appended is written, in order; closing twice is harmless."""
    log = new_log(tmp_path)
    for number in range(5_000):
        log.append(answer(str(number)))
    log.close()
    log.close()
    assert [line["request_id"] for line in lines(tmp_path)] == [str(number) for number in range(5_000)]
    assert (log.written, log.dropped) == (5_000, 0)


def test_what_is_too_much_is_dropped_and_counted(tmp_path: Path) -> None:
    """The memory is bounded by rows; an answer is in the log with all its rows or with none."""
    log = new_log(tmp_path, max_pending_rows=10)
    log.append(answer("fits", rows=8))
    log.append(answer("too much", rows=5))
    log.close()
    log.append(answer("too late"))
    assert {line["request_id"] for line in lines(tmp_path)} == {"fits"}
    assert (log.written, log.dropped) == (8, 6)


def test_short_and_long_answers_are_all_kept_each_with_its_rows_in_order(tmp_path: Path) -> None:
    """While the writer writes: a short one becomes text at once, a long one is the writer's to turn into text."""
    log = new_log(tmp_path)
    sizes = [1, 2, prediction_log.SHORT_ROWS, prediction_log.SHORT_ROWS + 1, 300] * 40
    for number, rows in enumerate(sizes):
        log.append(msgspec.structs.replace(answer(f"{number}", rows), rows=[(float(row), "a") for row in range(rows)]))
        if number % 50 == 0:
            log._wake.set()
    log.close()
    found = lines(tmp_path)
    assert (len(found), log.written, log.dropped) == (sum(sizes), sum(sizes), 0)
    by_request = {request: list(rows) for request, rows in groupby(found, key=lambda line: line["request_id"])}
    assert len(by_request) == len(sizes)
    for number, rows in enumerate(sizes):
        amounts = [line["features"]["amount"] for line in by_request[f"{number}"]]
        assert amounts == [float(row) for row in range(rows)]


def test_a_latency_is_rounded_to_three_decimals(tmp_path: Path) -> None:
    """To the nearest, as before it is read by anyone."""
    log = new_log(tmp_path)
    took = [0.0, 0.0004, 0.0006, 0.4567, 1.9996, 12345.6784]
    for latency in took:
        log.append(msgspec.structs.replace(answer("r"), latency_ms=latency))
    log.close()
    assert [line["latency_ms"] for line in lines(tmp_path)] == [round(latency, 3) for latency in took]


def test_a_large_file_is_followed_by_another(tmp_path: Path) -> None:
    """Files rotate by size, and their names keep their order."""
    log = new_log(tmp_path, max_file_bytes=1_000)
    for number in range(4):
        log.append(answer(str(number), rows=1_000))
    log.close()
    assert len(list(tmp_path.iterdir())) == 4
    assert [line["request_id"] for line in lines(tmp_path)][::1_000] == ["0", "1", "2", "3"]


def test_a_file_ends_with_its_day(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where nobody asks anything any more: its lock is let go, so that it can be compacted. An empty one stays."""
    log = new_log(tmp_path)
    log.append(answer("before midnight"))
    while log.written < 1:
        time.sleep(0.02)
    today = prediction_log._today()
    monkeypatch.setattr(prediction_log, "_today", lambda: today + timedelta(days=1))
    (first,) = tmp_path.iterdir()
    with first.open("rb") as file:
        deadline = time.monotonic() + 5
        while not is_free(file) and time.monotonic() < deadline:
            time.sleep(0.02)
        assert is_free(file)
    log.append(answer("after midnight"))
    log.close()
    assert [line["request_id"] for line in lines(tmp_path)] == ["before midnight", "after midnight"]
    assert len(list(tmp_path.iterdir())) == 2


def is_free(file: IO[bytes]) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def test_a_full_disk_costs_rows_and_no_answer(tmp_path: Path) -> None:
    """What could not be written is counted, and writing goes on in another file once there is room."""
    log = new_log(tmp_path)
    full = Path("/dev/full")
    if not full.exists():
        pytest.skip("there is no /dev/full here")
    assert log._file is not None
    log._file.close()
    log._file = full.open("wb", buffering=0)
    log.append(answer("lost", rows=3))
    while log.dropped == 0:
        time.sleep(0.02)
    log.append(answer("kept"))
    log.close()
    assert [line["request_id"] for line in lines(tmp_path)] == ["kept"]
    assert (log.written, log.dropped) == (1, 3)


def test_two_servers_never_share_a_file(tmp_path: Path) -> None:
    """In containers every process has the same number, so names hold chance instead."""
    logs = [new_log(tmp_path) for _ in range(3)]
    assert len(list(tmp_path.iterdir())) == 3
    for log in logs:
        log.close()


def test_a_folder_that_cannot_be_written_is_said_at_the_start(tmp_path: Path) -> None:
    """Before the first request, not after a day without a log."""
    (tmp_path / "taken").write_text("")
    with pytest.raises(OSError, match="taken"):
        new_log(tmp_path / "taken")
