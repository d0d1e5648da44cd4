from __future__ import annotations

import json
from datetime import timedelta

from flightworthy.backtest import Measured, Other, Point, newest, predecessor_of, served_at, work_of
from flightworthy.evaluation import Estimate
from flightworthy.registry import ModelVersion
from flightworthy.release import promoted
from flightworthy.testing import MemoryReleases
from tests.flightworthy.release_makers import NOW, decided, in_canary, release


def make_point(key: str = "2026-01-05", *, version: int = 1, work: str = "a" * 64, auc: float = 0.8) -> Point:
    metrics = {"roc_auc": Estimate(value=auc, low=auc - 0.1, high=auc + 0.1)}
    baseline = Other(kind="baseline", name="age alone", metrics={"roc_auc": Estimate(value=0.6, low=0.5, high=0.7)})
    found = Measured(
        partition_key=key, work=work, dataset_digest="d" * 64, rows=40, positives=10, metrics=metrics, opponent=None,
        baseline=baseline, objections=("roc_auc at least 0.9: is 0.8",), report=f"shop/evaluations/{key}.html",
    )  # fmt: skip
    return Point(model="shop", version=version, measured=found)


def make_version(number: int, partition: str) -> ModelVersion:
    return ModelVersion(
        model="shop", version=number, key=f"{number}", run_id="", artifact_uri="", artifact_digest="",
        tags={"partition_key": partition} if partition else {},
    )  # fmt: skip


def test_a_point_survives_its_way_through_json() -> None:
    """With its opponent and without."""
    point = make_point()
    assert Point.unpack(json.loads(json.dumps(point.pack()))) == point


def test_the_key_of_an_intervals_work_is_all_that_decides_it() -> None:
    """The order of the trials is of no account; another trial, spec or champion is other work."""
    key = work_of(["a", "b"], config_digest="c", champion=None)
    assert key == work_of(["b", "a"], config_digest="c", champion=None)
    others = [
        work_of(["a"], config_digest="c", champion=None),
        work_of(["a", "b"], config_digest="d", champion=None),
        work_of(["a", "b"], config_digest="c", champion="shop-1"),
    ]
    assert key not in others
    assert len(set(others)) == 3


def test_who_served_at_the_end_of_an_interval_is_read_from_the_ledger() -> None:
    """Nobody before the first promotion; who serves now is no answer for then."""
    store = MemoryReleases()
    row = in_canary(store, 1)
    decided(store, row, promoted(row, NOW), "promoted")
    history = store.history("churn")

    assert served_at(history, NOW - timedelta(days=1)) is None
    assert served_at(history, NOW + timedelta(days=1)) == release(1).id


def test_the_predecessor_is_the_newest_version_of_the_latest_interval_before() -> None:
    """Never one of the interval itself or of a later one, and never one that tells no interval."""
    versions = [make_version(1, "2026-01-05"), make_version(2, "2026-01-12"), make_version(3, "2026-01-12")]
    versions += [make_version(4, "2026-01-19"), make_version(5, "2025-12-29"), make_version(6, "")]

    found = predecessor_of(versions, "2026-01-19")

    assert found is not None
    assert found.version == 3
    assert predecessor_of(versions, "2025-12-29") is None


def test_of_an_interval_that_was_done_twice_the_newer_version_is_shown() -> None:
    """Other code made another version; the older one's point is kept, and not drawn."""
    old, new = make_point(version=1), make_point(version=4, work="b" * 64)
    later = make_point("2026-01-12", version=2)

    assert newest([new, later, old]) == [new, later]
