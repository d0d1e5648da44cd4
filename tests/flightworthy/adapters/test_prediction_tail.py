"""Following a prediction log that others write."""

import json
from datetime import UTC, datetime, timedelta

import pandas as pd
import pytest

from flightworthy.adapters import prediction_tail
from flightworthy.adapters.prediction_tail import PredictionTail, predictions_in_training

NOW = datetime(2026, 1, 5, 12, 0, tzinfo=UTC)


def line(prediction, *, request="r1", entity="e1", release="m-2", at=NOW, **more):
    row = {
        "at": at.isoformat(), "request_id": request, "entity": entity, "release": release, "version": "2",
        "arm": "b", "features": {"x": 1}, "prediction": prediction, **more,
    }  # fmt: skip
    return json.dumps(row) + "\n"


@pytest.fixture
def log(tmp_path):
    path = tmp_path / "one.jsonl"
    path.write_text(line(0.1) * 3)
    return path


def append(path, text):
    with path.open("a") as file:
        file.write(text)


def test_only_what_is_written_from_now_on_is_read_and_each_row_once(log):
    """What was there belongs to an earlier step."""
    tail = PredictionTail(log.parent, started_at=NOW)
    assert tail.read() == []
    append(log, line(0.2) + line(0.3, request="r2", entity=None))
    assert [(row.prediction, row.unit, row.release) for row in tail.read()] == [
        (0.2, "entity e1", "m-2"), (0.3, "request r2", "m-2"),
    ]  # fmt: skip
    assert tail.read() == []


def test_rows_are_numbered_within_their_request(log):
    """Also where a request's rows arrive in two looks; another answer under the same id begins anew."""
    tail = PredictionTail(log.parent, started_at=NOW)
    append(log, line(0.1) + line(0.2))
    later = NOW + timedelta(seconds=1)
    first = tail.read()
    append(log, line(0.3) + line(0.4, at=later, shadow=True))
    assert [(row.request, row.row, row.is_shadow) for row in [*first, *tail.read()]] == [
        ("r1", 0, False), ("r1", 1, False), ("r1", 2, False), ("r1", 0, True),
    ]  # fmt: skip


def test_a_file_that_appears_later_is_read_from_its_beginning(log):
    """A server that was started again, or a log that was rotated."""
    tail = PredictionTail(log.parent, started_at=NOW)
    (log.parent / "two.jsonl").write_text(line(0.4))
    assert [row.prediction for row in tail.read()] == [0.4]


def test_a_folder_that_is_not_there_yet_is_no_error(tmp_path):
    """The first server makes it."""
    tail = PredictionTail(tmp_path / "m", started_at=NOW)
    assert tail.read() == []
    (tmp_path / "m").mkdir()
    (tmp_path / "m" / "one.jsonl").write_text(line(0.4))
    assert len(tail.read()) == 1


def test_a_line_that_is_still_being_written_is_left_for_the_next_look(log):
    """And then read whole."""
    tail = PredictionTail(log.parent, started_at=NOW)
    whole = line(0.5)
    append(log, whole[:40])
    assert tail.read() == []
    append(log, whole[40:])
    assert [row.prediction for row in tail.read()] == [0.5]


def test_answers_from_before_the_step_are_left_out(log):
    """A server writes up to a second late."""
    tail = PredictionTail(log.parent, started_at=NOW)
    append(log, line(0.6, at=NOW - timedelta(milliseconds=1)) + line(0.7))
    assert [row.prediction for row in tail.read()] == [0.7]


def test_a_latency_is_counted_once_for_a_request_of_many_rows(log):
    """Its rows share one request id, and one wait."""
    tail = PredictionTail(log.parent, started_at=NOW)
    append(log, line(0.1, latency_ms=3.5) + line(0.2, latency_ms=3.5) + line(0.3, request="r2", latency_ms=4))
    assert [row.latency_ms for row in tail.read()] == [3.5, None, 4.0]


@pytest.mark.parametrize("written", [None, "3", -1, float("nan"), True])
def test_a_latency_that_is_none_is_not_measured(log, written):
    """The row's prediction counts all the same."""
    tail = PredictionTail(log.parent, started_at=NOW)
    append(log, line(0.1, latency_ms=written))
    (row,) = tail.read()
    assert (row.latency_ms, row.prediction) == (None, 0.1)


@pytest.mark.parametrize("broken", ["{", "[]\n", "7\n", '{"at": "yesterday"}\n', line(7.0), line("much"), line(None)])
def test_a_line_that_cannot_be_used_is_left_out(log, broken):
    """And the next one is not."""
    tail = PredictionTail(log.parent, started_at=NOW)
    append(log, broken.rstrip("\n") + "\n" + line(0.5))
    assert [row.prediction for row in tail.read()] == [0.5]


def test_a_look_is_bounded_and_reads_the_newest(log, monkeypatch):
    """A flood costs what a look may cost; no half line is taken for a row."""
    monkeypatch.setattr(prediction_tail, "MOST_BYTES", 2 * len(line(0.5)) + 10)
    tail = PredictionTail(log.parent, started_at=NOW)
    append(log, "".join(line(0.1 * (number % 10), request=f"r{number}") for number in range(500)) + line(0.5))
    assert len(tail.read()) == 2
    append(log, line(0.9))
    assert [row.prediction for row in tail.read()] == [0.9]


def test_the_answers_of_training_are_in_the_artifact(tmp_path):
    """Beside the features that they were given for; what is no probability is left out."""
    frame = pd.DataFrame({"x": [1, 2, 3], "prediction": [0.1, 0.9, None]})
    frame.to_parquet(tmp_path / "reference.parquet")
    assert predictions_in_training(tmp_path) == [0.1, 0.9]


def test_an_artifact_that_does_not_say_is_none(tmp_path):
    """No file, another file, another column."""
    assert predictions_in_training(tmp_path) is None
    (tmp_path / "reference.parquet").write_text("not Parquet")
    assert predictions_in_training(tmp_path) is None
    pd.DataFrame({"x": [1]}).to_parquet(tmp_path / "reference.parquet")
    assert predictions_in_training(tmp_path) is None
