"""An interval that is asked again, with the real operators on real files: the same bytes, whatever arrived since."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pandas as pd
import pytest
from airflow.sdk.exceptions import AirflowSkipException

from flightworthy.arrival import Arrival, Kind
from flightworthy_airflow.hooks.flightworthy import FlightworthyHook
from flightworthy_airflow.hooks.workshop import frames_of
from flightworthy_airflow.references import DatasetReference, unpack
from tests.flightworthy_airflow.conftest import MODEL, MONDAY, NEXT_MONDAY, SPEC, Line, by_hand, run_of, woken_by

EARLIER = "2025-12-29"


def learnt_from(line: Line, dataset: Any) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The rows that a trial trains on, and those it is chosen by."""
    hook = FlightworthyHook()
    frames = frames_of(hook, hook.spec(MODEL), unpack(DatasetReference, dataset))
    return frames.training, frames.validation


def test_a_backfill_trains_on_the_same_bytes_after_revisions_and_late_data(line: Line) -> None:
    """The first run was the schedule's. Its work is found again; a run by hand learns from what came since."""
    line.land(MONDAY)
    scheduled = run_of("scheduled", at=MONDAY)
    first = line.check(scheduled, line.ingest(scheduled))
    trained = line.train(scheduled, first)
    before = learnt_from(line, first)

    line.land(EARLIER, seed=8, rows=100)
    line.land(MONDAY, seed=9, rows=250)
    live = line.check(by_hand(), line.ingest(by_hand()))
    backfill = run_of("backfill", run_id="run-2", at=MONDAY)
    again = line.check(backfill, line.ingest(backfill))

    assert live["rows"] == 350
    assert again["dataset_digest"] == first["dataset_digest"]
    for then, now in zip(before, learnt_from(line, again), strict=True):
        pd.testing.assert_frame_equal(then, now)
    assert line.train(backfill, again)["run_id"] == trained["run_id"]
    assert line.train(by_hand(), live)["run_id"] != trained["run_id"]


def test_a_correction_that_wakes_a_deployment_is_learnt_from_with_all_that_came_after_it(line: Line) -> None:
    """The run is that of the newest partition, as of now."""
    line.land(MONDAY)
    line.land(NEXT_MONDAY, seed=6)
    line.ingest(by_hand())
    line.land(MONDAY, seed=9, rows=250)
    seen = Arrival(model=MODEL, key=MONDAY, digest="d2", kind=Kind.CORRECTED, seen_at=datetime.now(UTC))
    line.arrivals.note([seen])

    taken = line.ingest(woken_by(MONDAY, run_id="run-2"))

    assert (taken["partition"], taken["rows"], taken["intent"]) == (NEXT_MONDAY, 490, "new_data")


def test_nobody_learns_from_a_label_before_it_has_matured(line: Line) -> None:
    """Half of a week's labels are known when it ends, the other half a week later."""
    line.say(source={**SPEC["source"], "known_since": {"columns": ["settled"], "format": "%d.%m.%Y"}})
    settled = ["11.01.2026" if row % 2 else "12.01.2026" for row in range(240)]
    line.land(MONDAY, settled=settled)
    line.land(NEXT_MONDAY, seed=6, settled="01.03.2027")

    one, two = run_of("scheduled", at=MONDAY), run_of("scheduled", at=NEXT_MONDAY, run_id="run-2")
    first, second = (line.check(run, line.ingest(run)) for run in (one, two))

    assert (first["rows"], second["rows"]) == (120, 240)
    assert {at for frame in learnt_from(line, first) for at in frame["settled"]} == {"11.01.2026"}
    assert {at for frame in learnt_from(line, second) for at in frame["settled"]} == {"11.01.2026", "12.01.2026"}


def test_an_interval_whose_labels_have_not_matured_is_skipped(line: Line) -> None:
    """There is nothing to learn from yet, and the log says so."""
    line.say(source={**SPEC["source"], "known_since": {"columns": ["settled"]}})
    line.land(MONDAY, settled="2026-02-04")

    with pytest.raises(AirflowSkipException, match="became known later"):
        line.ingest(run_of("scheduled", at=MONDAY))
