"""Finished files of the prediction log become Parquet, and no row is lost or counted twice on the way."""

from __future__ import annotations

import fcntl
import json
import os
import subprocess
import sys
import threading
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pandas as pd
import pytest
from pandas.testing import assert_frame_equal
from pyarrow import dataset, parquet

from flightworthy.adapters.prediction_files import Compacted, Left, PredictionCompaction, PredictionFiles
from flightworthy.adapters.prediction_files.compaction import QUIET_TIME
from tests.flightworthy.adapters.log_makers import (
    DAY,
    LATER,
    MODEL,
    NOON,
    answers,
    kept_rows,
    line_of,
    name_of,
    names,
    three_days,
    write_log,
)

ROOT = Path(__file__).parents[3]
MIDNIGHT = datetime(2026, 1, 6, tzinfo=UTC)


def compact(root: Path) -> list[Compacted | Left]:
    return list(PredictionCompaction(root).compact(MODEL, now=LATER))


def frame_of(root: Path, **more: str) -> pd.DataFrame:
    window = PredictionFiles(root).read(MODEL, since=NOON, until=NOON + 2 * DAY, **more)  # type: ignore[arg-type]
    assert window.broken == ()
    assert sum(window.releases.values()) == len(window.frame)
    return window.frame.sort_values("prediction", ignore_index=True)


def test_what_is_kept_is_what_was_written(tmp_path: Path) -> None:
    """Every field of every line, value and type, a folder for each UTC day; the monitor's frame is the same."""
    features = [
        {"age": 41, "sex": "f", "new": True, "dose": 1.5, "note": None},
        {"age": None, "sex": "ü", "new": False, "dose": 2, "note": None},
        {"age": 2**53 - 1, "sex": None, "new": None, "dose": None, "note": None},
    ]
    more = [{"arm": None, "entity": None}, {"at": MIDNIGHT - timedelta(microseconds=1)}, {"at": MIDNIGHT}]
    text = "".join(
        line_of(features=each, prediction=number / 7, **others)
        for number, (each, others) in enumerate(zip(features, more, strict=True))
    )
    write_log(tmp_path, text)
    before = frame_of(tmp_path)
    assert len(before) == 3
    [done] = compact(tmp_path)
    assert isinstance(done, Compacted)
    assert (done.rows, done.days, done.size) == (3, ("2026-01-05", "2026-01-06"), len(text.encode()))
    assert names(tmp_path) == [f"day=2026-01-0{day}/{name_of(1)[:-6]}.parquet" for day in (5, 6)]
    written = [json.loads(line) for line in text.splitlines()]
    assert kept_rows(tmp_path) == written
    assert [type(row["features"]["age"]) for row in kept_rows(tmp_path)] == [int, type(None), int]
    assert_frame_equal(frame_of(tmp_path), before)


def test_a_release_and_a_window_are_asked_of_both_forms(tmp_path: Path) -> None:
    """Part of the log compacted and part not: the same rows as of lines alone, each once."""
    other = "diagnosis-3-00000000"
    write_log(tmp_path, three_days())
    write_log(tmp_path, three_days().replace("diagnosis-2-1a2b3c4d", other).replace('"2"', '"3"'), number=2)
    before = [frame_of(tmp_path), frame_of(tmp_path, release=other), frame_of(tmp_path, version="2")]
    assert [len(each) for each in before] == [600, 300, 300]
    held = (tmp_path / MODEL / name_of(2)).open("rb")
    fcntl.flock(held, fcntl.LOCK_EX)
    assert len(compact(tmp_path)) == 1
    held.close()
    for _ in range(2):
        after = [frame_of(tmp_path), frame_of(tmp_path, release=other), frame_of(tmp_path, version="2")]
        for mine, lines in zip(after, before, strict=True):
            assert_frame_equal(mine, lines)
        compact(tmp_path)
    assert not list(tmp_path.rglob("*.jsonl"))


@pytest.mark.slow
def test_killed_before_any_effect_no_row_is_lost_and_none_counted_twice() -> None:
    """SIGKILL in writes, before every fsync, rename and removal: 300 rows are counted at once, and after the next."""
    paths = os.pathsep.join(map(str, (ROOT / "include", ROOT)))
    done = subprocess.run(
        [sys.executable, str(ROOT / "tests" / "flightworthy" / "adapters" / "compacting.py")],
        env={**os.environ, "PYTHONPATH": paths},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    *killed, never_killed = map(json.loads, done.stdout.splitlines())
    assert never_killed["effect"] == ""
    assert len(never_killed["again"]["files"]) == 3
    effects = Counter(each["effect"] for each in killed)
    assert effects.keys() == {"os.mkdir", "open to write", "write", "fsync", "os.rename", "os.remove"}
    assert len(killed) > 30
    for number, each in enumerate(killed, start=1):
        where = f"killed before effect {number}, {each['effect']}"
        assert (each["killed"]["rows"], each["killed"]["most"]) == (300, 1), where
        assert each["again"] == never_killed["again"], where


def test_a_reader_sees_each_row_once_at_every_instant(tmp_path: Path) -> None:
    """While files pass from one form to the other under its eyes."""
    for number in range(1, 25):
        write_log(tmp_path, line_of(prediction=number / 100) * 3, number=number)
    compacting = threading.Thread(target=compact, args=(tmp_path,))
    compacting.start()
    looks = 0
    while compacting.is_alive() or looks < 2:
        assert answers(tmp_path) == {number / 100: 3 for number in range(1, 25)}
        looks += 1
    compacting.join()
    assert not list(tmp_path.rglob("*.jsonl"))


def test_two_compactions_at_once_are_as_good_as_one(tmp_path: Path) -> None:
    """The deployer's own and one from a shell."""
    for number in range(1, 13):
        write_log(tmp_path, line_of(prediction=number / 100), number=number)
    both = [threading.Thread(target=compact, args=(tmp_path,)) for _ in range(2)]
    for each in both:
        each.start()
    for each in both:
        each.join()
    assert answers(tmp_path) == {number / 100: 1 for number in range(1, 13)}
    assert len(names(tmp_path)) == 12


def test_a_file_whose_writer_lives_or_that_is_young_is_not_touched(tmp_path: Path) -> None:
    """A server that nobody asks holds its lock; one that has just begun may not have it yet."""
    path = write_log(tmp_path, three_days())
    with path.open("rb") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        assert compact(tmp_path) == []
    young = path.stat().st_mtime
    soon = NOON.fromtimestamp(young, NOON.tzinfo) + QUIET_TIME
    assert list(PredictionCompaction(tmp_path).compact(MODEL, now=soon)) == []
    assert names(tmp_path) == [name_of(1)]
    assert len(list(PredictionCompaction(tmp_path).compact(MODEL, now=soon + QUIET_TIME))) == 1


def test_a_line_that_was_cut_short_is_no_row_in_either_form(tmp_path: Path) -> None:
    """A server that was killed while it wrote; and one that was never asked anything."""
    write_log(tmp_path, line_of() + line_of()[:50])
    write_log(tmp_path, "", number=2)
    assert answers(tmp_path) == {0.25: 1}
    assert [done.rows for done in compact(tmp_path) if isinstance(done, Compacted)] == [1, 0]
    assert answers(tmp_path) == {0.25: 1}
    assert len(names(tmp_path)) == 1


@pytest.mark.parametrize(
    "line, why",
    [
        ("{\n", "line 2: is not JSON"),
        (line_of(prediction=None), "line 2: prediction is not a finite number"),
        (line_of(trace="abc"), "line 2: trace is unknown to this version"),
        (line_of(version=2), "line 2: version is no str that can be kept"),
        (line_of(request_id="\ud800"), "line 2: request_id is no str that can be kept"),
        (line_of(features={"age": 41}), "line 2: its features are not those of the lines before"),
        (line_of(features={"age": "41", "sex": "f"}), "line 2: the feature age is int here and str there"),
        (line_of(features={"age": [41], "sex": "f"}), "line 2: the feature 'age' is nothing that can be kept"),
        (line_of(features={"age": 2**63, "sex": "f"}), "line 2: the feature age holds an integer too long"),
        (line_of(features={"age": 0.5, "sex": "f"}) + line_of(features={"age": 2**53 + 1, "sex": "f"}), "line 3: "),
    ],
)
def test_what_no_column_gives_back_as_it_was_stays_as_it_is(tmp_path: Path, line: str, why: str) -> None:
    """The file is named with the reason, and read as before; the others are compacted."""
    write_log(tmp_path, line_of() + line)
    write_log(tmp_path, line_of(), number=2)
    left, done = compact(tmp_path)
    assert isinstance(left, Left)
    assert left.why.startswith(why)
    assert isinstance(done, Compacted)
    assert (tmp_path / MODEL / name_of(1)).read_text() == line_of() + line


def test_a_file_that_no_server_named_is_not_touched(tmp_path: Path) -> None:
    """Its name may come again, and the Parquet of the first would count no more."""
    path = write_log(tmp_path, line_of())
    path.rename(path.with_name("server.jsonl"))
    assert compact(tmp_path) == []
    assert names(tmp_path) == ["server.jsonl"]


def test_no_link_is_followed_out_of_the_folder(tmp_path: Path) -> None:
    """A server writes into its folder what it likes; the deployer must not write elsewhere for it."""
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "secret").write_text(line_of())
    root = tmp_path / "log"
    path = write_log(root, line_of())
    (root / MODEL / name_of(2)).symlink_to(elsewhere / "secret")
    os.mkfifo(root / MODEL / name_of(3))
    (root / MODEL / "day=2026-01-05").symlink_to(elsewhere)
    with pytest.raises(OSError, match="day=2026-01-05"):
        compact(root)
    assert [each.name for each in elsewhere.iterdir()] == ["secret"]
    assert path.exists()


def test_a_parquet_file_that_is_damaged_is_named(tmp_path: Path) -> None:
    """The rest is read."""
    write_log(tmp_path, line_of())
    write_log(tmp_path, line_of(), number=2)
    compact(tmp_path)
    (tmp_path / MODEL / names(tmp_path)[0]).write_text("PAR1")
    window = PredictionFiles(tmp_path).read(MODEL, since=NOON, until=NOON + DAY)
    assert len(window.frame) == 1
    [broken] = window.broken
    assert (broken.file, broken.line) == (f"day=2026-01-05/{name_of(1)[:-6]}.parquet", 0)


def test_others_read_the_days_as_partitions(tmp_path: Path) -> None:
    """Hive's names: ``day`` is a column, and a whole day can be left out or thrown away."""
    write_log(tmp_path, three_days())
    compact(tmp_path)
    whole = dataset.dataset(tmp_path / MODEL, format="parquet", partitioning="hive")
    days = whole.to_table(columns=["day"])["day"].to_pylist()
    assert Counter(days).keys() == {"2026-01-05", "2026-01-06", "2026-01-07"}
    assert len(days) == 300


def test_many_rows_are_few_row_groups(tmp_path: Path) -> None:
    """Memory is bounded by a row group, and a reader is not made to seek."""
    write_log(tmp_path, line_of() * 60_000)
    compact(tmp_path)
    (path,) = tmp_path.rglob("*.parquet")
    about = parquet.ParquetFile(path).metadata
    assert (about.num_rows, about.num_row_groups) == (60_000, 2)
