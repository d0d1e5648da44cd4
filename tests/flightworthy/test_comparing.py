from __future__ import annotations

import math
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from flightworthy.expectations import COMPARISONS, Counts, Times, compare, times_of

STILL = Times(ahead=-1.0, gap=1.0)
SOUND = Counts(
    rows=400,
    reference_rows=4000,
    reference_partitions=10,
    labels={"": (24, 400), "Sex=Male": (20, 320), "Sex=Female": (4, 80)},
    reference_labels={"": (240, 4000), "Sex=Male": (200, 3200), "Sex=Female": (40, 800)},
    bins={"age": ([20] * 20, [200] * 20)},
    ranks={"age": (0.6, 100, 300)},
    duplicates=2,
    repeats=0,
)


def objections(counts: Counts, times: Times = STILL) -> list[str]:
    return [each.told for each in compare(counts, times, COMPARISONS)]


def test_a_partition_like_those_before_it_stands_every_comparison():
    """And one without a reference, of which nothing can be said, too."""
    assert objections(SOUND) == []
    first = replace(SOUND, reference_rows=0, reference_partitions=0, reference_labels={}, bins={}, repeats=0)
    assert objections(first, Times(ahead=-1.0, gap=None)) == []


@pytest.mark.parametrize(
    "changed, told",
    [
        ({"bins": {"age": ([0] * 19 + [400], [200] * 20)}}, "age: distribution: 95% of the 400 rows lie elsewhere"),
        ({"labels": {"": (80, 400)}}, "label rate: 20.0% of 400 labels are positive, of the 4000 before them 6.0%"),
        ({"ranks": {"paid": (0.995, 100, 300)}}, "paid: leak: tells the label alone, with a ROC AUC of 0.995"),
        ({"ranks": {"paid": (0.005, 100, 300)}}, "paid: leak: tells the label alone, with a ROC AUC of 0.995"),
        ({"ranks": {"paid": (math.nan, 100, 300)}}, "paid: leak: tells the label alone, with a ROC AUC of nan"),
        ({"duplicates": 21}, "duplicates: 21 of 400 rows repeat another row in every column"),
        ({"repeats": 399}, "repeats: 399 of 400 rows stand in an earlier partition already"),
    ],
)
def test_what_is_wrong_is_said_with_its_numbers(changed, told):
    """Each rule alone."""
    (objection,) = objections(replace(SOUND, **changed))
    assert told in objection


def test_labels_flipped_in_one_group_are_told_from_a_month_that_is_worse_for_all():
    """A group is held beside the rest of its own partition, so a shift of all labels is no slice's fault."""
    poisoned = replace(SOUND, labels={"": (52, 400), "Sex=Male": (48, 320), "Sex=Female": (4, 80)})
    assert not [told for told in objections(poisoned) if "slice label rate" in told]  # 28 flips: within chance
    poisoned = replace(SOUND, labels={"": (40, 400), "Sex=Male": (20, 320), "Sex=Female": (20, 80)})
    told = [each for each in objections(poisoned) if "slice label rate" in each]
    assert "Sex: slice label rate: where Sex=Female, 25.0% of 80 labels are positive, before 5.0% of 800" in " ".join(
        told
    )
    worse = replace(SOUND, labels={"": (96, 400), "Sex=Male": (80, 320), "Sex=Female": (16, 80)})
    assert not [told for told in objections(worse) if "slice" in told]


def test_a_perfect_rank_on_a_handful_is_no_leak():
    """Of thirty rows one feature in thirty ranks two positives first by chance."""
    assert objections(replace(SOUND, ranks={"paid": (1.0, 29, 300)})) == []


def test_a_partition_with_a_fraction_of_the_usual_rows_is_refused():
    """Fault 5: cut short at a few percent. A tenth may be a holiday, and of two partitions nothing is usual."""
    cut = replace(SOUND, rows=12, labels={}, bins={}, ranks={}, duplicates=0)
    assert objections(cut) == ["volume: 12 rows, and the 10 partitions before have 400 each"]
    assert objections(replace(cut, rows=40)) == []
    assert objections(replace(cut, reference_rows=800, reference_partitions=2)) == []


def test_a_partition_that_begins_tomorrow_is_refused_and_a_gap_is_reported():
    """A clock that is wrong, or a time in another unit; a delivery that was missed."""
    keys = ["2026-01-01", "2026-01-02", "2026-01-03"]
    now = datetime(2026, 1, 10, tzinfo=UTC)
    late = times_of("2026-01-09", keys, pattern="%Y-%m-%d", now=now)
    assert (late.gap, late.ahead) == (6.0, -1.0)
    assert objections(SOUND, late) == [
        "freshness: the partition before it is 6.0 times as old as is usual in its window"
    ]
    early = times_of("2026-01-11", [], pattern="%Y-%m-%d", now=now)
    assert objections(SOUND, early) == ["future: it begins 1.0 days from now"]
