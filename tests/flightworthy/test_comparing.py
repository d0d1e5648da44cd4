from __future__ import annotations

import math
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from flightworthy.expectations import COMPARISONS, Counts, Rank, Times, compare, times_of


def rank(
    area: float, positives: int, negatives: int, *, values: int = 0, partitions: int = 1, before: Rank | None = None
) -> Rank:
    return Rank(
        area=area, positives=positives, negatives=negatives, values=values, partitions=partitions, before=before
    )


STILL = Times(ahead=-1.0, gap=1.0)
SOUND = Counts(
    rows=400,
    reference_rows=4000,
    reference_partitions=10,
    labels={"": (24, 400), "Sex=Male": (20, 320), "Sex=Female": (4, 80)},
    reference_labels={"": (240, 4000), "Sex=Male": (200, 3200), "Sex=Female": (40, 800)},
    bins={"age": ([20] * 20, [200] * 20)},
    ranks={"age": [rank(0.6, 100, 300)]},
    duplicates=2,
    repeats=0,
    retimed=0,
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
        (
            {"ranks": {"paid": [rank(0.995, 100, 300)]}},
            "paid: leak: tells the label alone, with a ROC AUC of 0.995",
        ),
        (
            {"ranks": {"paid": [rank(0.005, 100, 300)]}},
            "paid: leak: tells the label alone, with a ROC AUC of 0.995",
        ),
        (
            {"ranks": {"paid": [rank(math.nan, 100, 300)]}},
            "paid: leak: tells the label alone, with a ROC AUC of nan",
        ),
        ({"duplicates": 21}, "duplicates: 21 of 400 rows repeat another row in every column"),
        ({"retimed": 201}, "retimed: 201 of 400 rows stand in an earlier partition already, but for their time"),
        ({"repeats": 399}, "repeats: 399 of 400 rows stand in an earlier partition already"),
    ],
)
def test_what_is_wrong_is_said_with_its_numbers(changed, told):
    """Each rule alone."""
    (objection,) = objections(replace(SOUND, **changed))
    assert told in objection


def test_rows_that_differ_in_their_time_alone_are_told_and_refuse_nothing():
    """A snapshot of customers repeats, month after month, whoever stayed the same; half of the rows may in silence."""
    (failure,) = compare(replace(SOUND, retimed=400), STILL, COMPARISONS)
    assert (failure.expectation, failure.severity) == ("retimed", "warning")
    assert objections(replace(SOUND, retimed=200)) == []
    strict = {"retimed": replace(COMPARISONS["retimed"], severity="critical")}
    assert [each.severity for each in compare(replace(SOUND, retimed=400), STILL, strict)] == ["critical"]


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


@pytest.mark.parametrize(
    "paid, told",
    [
        # Of thirty rows one feature in thirty ranks two positives first by chance.
        ([rank(1.0, 29, 300)], None),
        ([rank(1.0, 29, 300), rank(0.7, 58, 600, partitions=2)], None),
        # Rare events leak in all the window: it is seen as soon as the window has thirty.
        (
            [rank(1.0, 1, 400), rank(1.0, 9, 1200, partitions=3), rank(0.99, 31, 2800, partitions=7)],
            "0.990 on 2831 rows of the latest 7 partitions, 31 of them positive",
        ),
        # It begins now: the window knows nothing of it, and chance does not explain it.
        (
            [rank(1.0, 26, 374, before=rank(0.55, 500, 7500)), rank(0.78, 51, 749, partitions=2)],
            "1.000 on 400 rows, 26 of them positive; in the partitions before, 0.550",
        ),
        (
            [rank(0.0, 26, 374, before=rank(0.55, 500, 7500)), rank(0.22, 51, 749, partitions=2)],
            "1.000 on 400 rows, 26 of them positive; in the partitions before, 0.550",
        ),
        # It began three partitions ago, with too few in each to say so.
        (
            [
                rank(1.0, 4, 400, before=rank(0.6, 80, 8000)),
                rank(1.0, 12, 1200, partitions=3, before=rank(0.6, 80, 7000)),
            ],
            "1.000 on 1212 rows of the latest 3 partitions, 12 of them positive; in the partitions before, 0.600",
        ),
        # Four rank first by chance; so do ten of a feature that always ranked well; so do any beside one positive.
        ([rank(1.0, 4, 400, before=rank(0.6, 80, 8000))], None),
        ([rank(1.0, 10, 400, before=rank(0.93, 80, 8000))], None),
        ([rank(1.0, 10, 400, before=rank(0.0, 1, 8000))], None),
        ([rank(0.97, 26, 374, before=rank(0.55, 500, 7500))], None),
    ],
)
def test_a_leak_is_told_as_soon_as_the_evidence_allows(paid, told):
    """Fault 9, in models of rare events too; a perfect rank on a handful is no leak."""
    found = objections(replace(SOUND, ranks={"paid": paid}))
    assert found == ([] if told is None else [f"paid: leak: tells the label alone, with a ROC AUC of {told}"])


@pytest.mark.parametrize("before", [None, rank(0.6, 400, 8000, values=60)])
def test_a_category_of_more_values_than_rows_of_a_class_tells_nothing(before):
    """Each value stands for itself: in its own rows it ranks whatever label they have."""
    assert objections(replace(SOUND, ranks={"shop": [rank(1.0, 50, 60, values=60, before=before)]})) == []
    (told,) = objections(replace(SOUND, ranks={"shop": [rank(1.0, 60, 60, values=60)]}))
    assert "tells the label alone" in told


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
