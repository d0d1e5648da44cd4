"""What came late or corrected, from the command line."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pyarrow as pa

from flightworthy.adapters.dataset_files import DatasetFiles
from flightworthy.dataset import version_of
from flightworthy.release import Cause, draft, promoted, propose
from tests.flightworthy.cli.conftest import NOW, Call, House, release_of


def written(house: House, key: str, *rows: int, days: int = 0) -> None:
    files = DatasetFiles(root=house.home / "datasets")
    at = NOW + timedelta(days=days)
    files.write("diagnosis", key, pa.table({"id": list(rows)}), sources=[f"{key}.csv"], now=at)


def test_a_correction_and_a_late_partition_are_shown_with_what_the_champion_missed(call: Call, house: House) -> None:
    """It learnt from two partitions; one was corrected since, and one between them came late."""
    written(house, "2026-01-05", 1)
    written(house, "2026-01-19", 2)
    files = DatasetFiles(root=house.home / "datasets")
    version = version_of("diagnosis", "2026-01-19", files.current("diagnosis").values(), window=9)
    files.record(version)
    release = replace(release_of("diagnosis", 1), bundle={"dataset_digest": version.digest})
    row = propose(house.store, release, actor="a test", reason="first", now=NOW)
    after = promoted(row, NOW)
    house.store.swap(row, after, draft(row, after, "promoted", Cause(actor="deployer", reason="first", at=NOW)))
    assert call("revisions", "diagnosis").out == "no partition of diagnosis was revised or came late\n"

    written(house, "2026-01-12", 3, days=1)
    written(house, "2026-01-05", 1, 4, days=2)
    told = call("revisions", "diagnosis", "--json").document

    assert [(each["key"], each["kind"], each["rows"], each["files"]) for each in told["revisions"]] == [
        ("2026-01-05", "revision", 2, ["2026-01-05.csv"]),
        ("2026-01-12", "late", 1, ["2026-01-12.csv"]),
    ]
    assert told["unlearnt"] == ["2026-01-05", "2026-01-12"]
    assert [each["unlearnt"] for each in told["revisions"]] == [True, True]
    assert told["revisions"][1]["seen_at"].startswith("2026-01-06T12:00")
    said = call("revisions", "diagnosis").out
    assert f"{release.id} has not learnt from what came since for 2026-01-05, 2026-01-12" in said


def test_a_revision_that_was_revised_is_not_the_current_one(call: Call, house: House) -> None:
    """Both are shown. A model that was never released has nothing to miss."""
    for days, row in enumerate((1, 2, 3)):
        written(house, "2026-01-05", row, days=days)
    (house.models / "diagnosis").mkdir()
    told = call("revisions", "diagnosis", "--json").document
    assert [each["current"] for each in told["revisions"]] == [False, True]
    assert (told["champion"], told["unlearnt"]) == (None, [])
    assert "revision, since revised" in call("revisions", "diagnosis").out
