"""What the cost of the look for personal data is measured on."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.apart import apart
from benchmarks.ingest import KEY, write
from benchmarks.personal import WAYS, once
from flightworthy.errors import PartitionRefused


def contents(folder: Path) -> list[str]:
    """The digests by which what was kept is named."""
    return [path.parent.name for path in folder.rglob("data.parquet")]


def test_both_ways_keep_the_same(tmp_path: Path) -> None:
    """Else they would not do the same work but for the look; and nothing in the file stops it early."""
    file = write(tmp_path / "landing" / f"{KEY}.csv", 5_000)

    measured = {way: apart("benchmarks.personal", way, file, tmp_path / way) for way in WAYS}

    assert contents(tmp_path / "with") == contents(tmp_path / "without") != []
    assert all(found["seconds"] > 0 and found["processor"] > 0 for found in measured.values())


def test_one_way_looks_and_the_other_does_not(tmp_path: Path) -> None:
    """An address in the last column refuses the file where it is looked for."""
    file = tmp_path / "landing" / f"{KEY}.csv"
    file.parent.mkdir()
    file.write_text("id,note\n" + "".join(f"{number},ann{number}@example.org\n" for number in range(50)))

    with pytest.raises(PartitionRefused, match="note"):
        once("with", file, tmp_path / "with")

    assert once("without", file, tmp_path / "without")["seconds"] > 0


def test_a_way_that_breaks_says_why(tmp_path: Path) -> None:
    """Rather than to be measured as nothing."""
    with pytest.raises(RuntimeError, match=r"with broke:(?s:.*)nowhere"):
        apart("benchmarks.personal", "with", tmp_path / "nowhere.csv", tmp_path)
