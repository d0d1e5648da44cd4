"""Which rows are known, in whatever form a source writes its times."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone

import pyarrow as pa
import pytest

from flightworthy.adapters.dataset_files.cutoff import is_known
from flightworthy.known import KnownSince

MIDNIGHT = datetime(2026, 2, 1, tzinfo=UTC)
IN_BERLIN = timezone(timedelta(hours=1))


@pytest.mark.parametrize(
    "column, written",
    [
        (["2026-01-31", "2026-02-01", None], None),
        (["2026-01-31T23:59:59Z", "2026-02-01T00:00:00+00:00", ""], None),
        (["2026-02-01T00:59:00+01:00", "2026-02-01T01:00:00+01:00", "x"], None),
        (["2026-01-31T00:00Z", "9999-12-31T23:59-05:00", "0001-01-01T00:00+01:00"], None),
        (["31.01.2026", "01.02.2026", "2026-01-01"], "%d.%m.%Y"),
        ([date(2026, 1, 31), date(2026, 2, 1), None], None),
        (pa.array([datetime(2026, 1, 31, 23), datetime(2026, 2, 1), None], pa.timestamp("ns")), None),  # noqa: DTZ001 - as Parquet often has it
        ([datetime(2026, 2, 1, 0, 59, tzinfo=IN_BERLIN), datetime(2026, 2, 1, 1, tzinfo=IN_BERLIN), None], None),
        ([20260131, 20260201, None], "%Y%m%d"),
    ],
)
def test_a_row_is_known_before_the_end_of_the_interval_and_not_at_it(column, written):
    """A day counts from its midnight; what names no zone is UTC; what cannot be read is not known."""
    since = KnownSince(columns=("at",), written=written)
    assert is_known(pa.table({"at": column}), since, MIDNIGHT).to_pylist() == [True, False, False]


def test_several_columns_are_one_time():
    """As the source writes them; one of them missing is no time."""
    since = KnownSince(columns=("day", "hour"), written="%Y-%m-%d %H")
    table = pa.table({"day": ["2026-01-31", "2026-02-01", None], "hour": [23, 0, 1]})
    assert is_known(table, since, MIDNIGHT).to_pylist() == [True, False, False]


def test_rows_without_the_column_are_not_known():
    """An older partition that was written before there was one."""
    since = KnownSince(columns=("at",), written=None)
    assert is_known(pa.table({"id": [1, 2]}), since, MIDNIGHT).to_pylist() == [False, False]
