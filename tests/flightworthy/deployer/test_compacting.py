"""The deployer turns finished log files into Parquet by itself."""

from __future__ import annotations

import logging
import time
from datetime import timedelta
from pathlib import Path

import pytest

from flightworthy.deployer import compacting
from flightworthy.deployer.compacting import Compacting
from tests.flightworthy.adapters.log_makers import LATER, MODEL, answers, line_of, names, write_log


def test_it_is_sent_for_every_so_often_and_nobody_waits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not at once; then beside the loop, and again for what is finished later."""
    write_log(tmp_path, line_of())
    beside = Compacting(tmp_path, lambda: LATER)
    beside.tend()
    time.sleep(0.1)
    assert [name for name in names(tmp_path) if name.endswith(".jsonl")]
    monkeypatch.setattr(compacting, "_PAUSE", timedelta())
    for number in (1, 2):
        write_log(tmp_path, line_of(), number=number) if number > 1 else None
        deadline = time.monotonic() + 20
        while list(tmp_path.rglob("*.jsonl")) and time.monotonic() < deadline:
            beside.tend()
            time.sleep(0.02)
        assert (len(names(tmp_path)), answers(tmp_path)) == (number, {0.25: number})
    beside.close()


def test_what_stays_is_told_once_and_keeps_no_other_model_back(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A line that is none, and a folder that cannot be written: each is named with its reason."""
    write_log(tmp_path / "a", "no line\n")
    for name in ("broken", "closed"):
        (tmp_path / name).mkdir()
    write_log(tmp_path, line_of())
    (tmp_path / "a" / MODEL).rename(tmp_path / "a-broken")
    (tmp_path / "a").rmdir()
    write_log(tmp_path / "c", line_of())
    (tmp_path / "c" / MODEL).rename(tmp_path / "b-closed")
    (tmp_path / "c").rmdir()
    (tmp_path / "b-closed" / "day=2026-01-05").write_text("no folder")
    beside = Compacting(tmp_path, lambda: LATER)
    with caplog.at_level(logging.WARNING):
        beside.compact()
        beside.compact()
    beside.close()
    said = [record.getMessage() for record in caplog.records]
    assert len([line for line in said if "model=a-broken" in line and "line 1: is not JSON" in line]) == 1
    assert len([line for line in said if "model=b-closed" in line and "day=2026-01-05" in line]) == 2
    assert len(names(tmp_path)) == 1
    assert names(tmp_path)[0].endswith(".parquet")
