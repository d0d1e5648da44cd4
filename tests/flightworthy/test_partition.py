from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flightworthy.errors import SpecError
from flightworthy.partition import SourceFile, arrivals, check_pattern, end_of, key_in, key_of, start_of, uri_of

NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)
PATTERNS = ["%Y", "%Y-%m", "%Y-%m-%d", "%Y%m%dT%H"]
INSTANTS = st.integers(-(2**31), 2**33 - 1).map(lambda seconds: datetime.fromtimestamp(seconds, tz=UTC))


def file(key: str, *, size: int = 10, at: datetime = NOON, part: str = "") -> SourceFile:
    return SourceFile(key=key, uri=f"landing/{key}{part}.csv", size=size, modified_at=at)


@given(st.sampled_from(PATTERNS), INSTANTS, INSTANTS)
def test_the_order_of_keys_is_the_order_of_time(pattern, one, other):
    """Keys are compared as strings everywhere; that must never disagree with the clock."""
    first, second = key_of(one, pattern), key_of(other, pattern)
    if first < second:
        assert one < other
    assert start_of(first, pattern) <= one


@given(st.sampled_from(PATTERNS), INSTANTS)
def test_a_key_leads_back_to_itself_through_the_landing_uri(pattern, instant):
    """Where a partition lands says which one it is."""
    template = "s3://bucket/landing/{partition}.csv"
    key = key_of(instant, pattern)
    assert key_in(uri_of(template, key), template=template, pattern=pattern) == key


def test_a_key_is_written_in_utc():
    """Half past midnight in Berlin is the day before in UTC; a machine's own zone never decides."""
    berlin = timezone(timedelta(hours=1))
    assert key_of(datetime(2026, 1, 5, 0, 30, tzinfo=berlin), "%Y-%m-%d") == "2026-01-04"
    with pytest.raises(ValueError, match="has no time zone"):
        key_of(datetime(2026, 1, 5), "%Y-%m-%d")  # noqa: DTZ001 - the very offence


@pytest.mark.parametrize("pattern", ["%d-%m-%Y", "%b %Y", "%y-%m-%d", "week", "%Y-%m-%d %I%p", "%m"])
def test_a_pattern_whose_strings_sort_wrongly_is_refused(pattern):
    """Day before month, a month's name, two-digit years, twelve hours: each would make old data the newest."""
    with pytest.raises(SpecError, match="Write the larger unit first"):
        check_pattern(pattern)


@pytest.mark.parametrize("pattern", PATTERNS)
def test_a_pattern_that_sorts_is_accepted(pattern):
    """The usual ways to write a date pass."""
    check_pattern(pattern)


@pytest.mark.parametrize(
    "uri", ["a/2026-1-5.csv", "a/notes.csv", "a/2026-01-05.csv.part", "b/2026-01-05.csv", "a/2026-02-30.csv"]
)
def test_a_file_that_is_not_a_partition_has_no_key(uri):
    """Neither a lenient date, nor a file in the making, nor somebody's notes."""
    assert key_in(uri, template="a/{partition}.csv", pattern="%Y-%m-%d") is None


def test_the_parts_of_a_folder_belong_to_one_partition():
    """Several Parquet files below one key; those being written begin with a dot or an underscore."""
    template = "a/{partition}/*.parquet"
    assert key_in("a/2026-01/part-1.parquet", template=template, pattern="%Y-%m") == "2026-01"
    assert key_in("a/2026-01/_temporary.parquet", template=template, pattern="%Y-%m") is None
    assert key_in("a/2026-01/deeper/part-1.parquet", template=template, pattern="%Y-%m") is None


def test_a_settled_newer_partition_wakes_a_deployment_once():
    """Seen twice unchanged and newer than all known: fresh; remembered, it is not fresh again."""
    files = [file("2026-01-05")]
    seen = arrivals(files, before=files, known={})
    assert seen.fresh == ("2026-01-05",)
    assert arrivals(files, before=files, known=seen.known).fresh == ()


def test_a_file_that_still_grows_wakes_nobody():
    """An upload is told by two looks that differ, not by clocks."""
    before, now = [file("2026-01-05", size=10)], [file("2026-01-05", size=20)]
    seen = arrivals(now, before=before, known={})
    assert (seen.fresh, seen.unsettled) == ((), ("2026-01-05",))
    assert arrivals(now, before=[], known={}).unsettled == ("2026-01-05",)


def test_a_part_that_arrives_later_unsettles_its_partition():
    """A folder of parts is complete once nothing in it changes."""
    one, two = file("2026-01", part="/1"), file("2026-01", part="/2")
    assert arrivals([one, two], before=[one], known={}).unsettled == ("2026-01",)
    assert arrivals([one, two], before=[two, one], known={}).fresh == ("2026-01",)


def test_late_data_and_revisions_wake_nobody():
    """An older key, and another content of a known key, are noted and left to a backfill or the next run."""
    first = [file("2026-01-05"), file("2026-01-12")]
    known = arrivals(first, before=first, known={}).known
    later = [file("2025-12-29"), file("2026-01-05", at=NOON + timedelta(days=9)), file("2026-01-12")]
    seen = arrivals(later, before=later, known=known)
    assert (seen.fresh, seen.late, seen.revised) == ((), ("2025-12-29",), ("2026-01-05",))
    assert arrivals(later, before=later, known=seen.known).revised == ()


def test_several_new_partitions_come_in_time_order():
    """So that one event for the last of them is enough."""
    files = [file("2026-01-12"), file("2026-01-05")]
    assert arrivals(files, before=files, known={}).fresh == ("2026-01-05", "2026-01-12")


@pytest.mark.parametrize(
    "key, pattern, ends",
    [
        ("2024-02", "%Y-%m", "2024-03-01T00:00"),
        ("2025-12-31", "%Y-%m-%d", "2026-01-01T00:00"),
        ("2026-01-05T23", "%Y-%m-%dT%H", "2026-01-06T00:00"),
        ("2026-01-05T10-59", "%Y-%m-%dT%H-%M", "2026-01-05T11:00"),
        ("2024", "%Y", "2025-01-01T00:00"),
        ("2024-366", "%Y-%j", "2025-01-01T00:00"),
    ],
)
def test_a_key_ends_where_the_next_one_begins(key, pattern, ends):
    """Whatever the length of its month or year."""
    end = end_of(key, pattern)
    assert end == datetime.fromisoformat(ends).replace(tzinfo=UTC)
    assert key < key_of(end, pattern)
