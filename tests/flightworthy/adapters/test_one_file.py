"""The digests of partitions that share one file: of their own rows, and of nothing else."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow as pa
import pytest
from pyarrow import csv as arrow_csv
from pyarrow import parquet

from flightworthy.adapters.partition_files import PartitionFiles, csv_text, json_lines
from flightworthy.adapters.partition_files.listing import Landing
from flightworthy.spec import EventTime, Source
from tests.resident import growth, only_where_peaks_are_told

Row = tuple[str, str | None]
DAYS = EventTime(columns=("day",), format="%Y-%m-%d")
JANUARY: list[Row] = [(f"2026-01-{1 + row % 28:02d}", None if row % 50 else "x") for row in range(200)]
FEBRUARY: list[Row] = [(f"2026-02-{1 + row % 28:02d}", "y") for row in range(300)]
TURNED: list[Row] = [row for pair in zip(FEBRUARY, JANUARY, strict=False) for row in pair] + FEBRUARY[len(JANUARY) :]


def digests(path: Path) -> dict[str, str | None]:
    source = Source(uri=str(path), partition="%Y-%m", event_time=DAYS)
    (file,) = Landing.of(source).files()
    return {each.key: each.digest for each in PartitionFiles(source=source, types={}).partitions(file)}


def written(path: Path, rows: list[Row]) -> dict[str, str | None]:
    """The digests of a file of these rows."""
    table = pa.table({"day": [day for day, _ in rows], "note": pa.array([note for _, note in rows], pa.string())})
    if path.suffix == ".parquet":
        parquet.write_table(table, path, row_group_size=7)
    elif path.suffix == ".jsonl":
        path.write_text("".join(json.dumps(row) + "\n" for row in table.to_pylist()))
    else:
        arrow_csv.write_csv(table, path)
    return digests(path)


@pytest.mark.parametrize("kind", ["csv", "jsonl", "parquet"])
def test_a_partitions_digest_is_of_its_own_rows_wherever_they_lie_in_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    """Neither the rows of others count nor where batches begin, though a column is empty in many of them."""
    path = tmp_path / f"all.{kind}"
    whole = written(path, JANUARY + FEBRUARY)
    assert written(path, TURNED) == whole
    monkeypatch.setattr(csv_text, "BLOCK", 512)
    monkeypatch.setattr(json_lines, "_ROWS", 10)
    assert written(path, JANUARY + FEBRUARY) == whole

    changed = written(path, [*JANUARY[:-1], ("2026-01-28", "z"), *FEBRUARY])
    assert {key for key in whole if changed[key] != whole[key]} == {"2026-01"}


def test_what_a_column_holds_in_other_partitions_is_nothing_to_one_where_it_is_empty(tmp_path: Path) -> None:
    """JSON says of a value whether it is text or a number; of a missing one it says nothing."""
    path = tmp_path / "all.jsonl"
    alone = written(path, [("2026-01-01", None)])
    assert written(path, [("2026-01-01", None), ("2026-02-01", "y")])["2026-01"] == alone["2026-01"]


@pytest.mark.slow
@only_where_peaks_are_told
def test_a_file_is_never_in_memory_as_a_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither while it is sorted nor while a digest is counted, though one partition is nearly all of it."""
    monkeypatch.setattr(csv_text, "BLOCK", 2**16)
    small, large = tmp_path / "small.csv", tmp_path / "large.csv"
    for path, rows in ((small, 2000), (large, 400_000)):
        lines = "".join(f"2026-01-{1 + row % 28:02d},{row},{'x' * 150}\n" for row in range(rows))
        path.write_text(f"day,number,note\n2026-02-01,0,y\n{lines}")
    digests(small)  # what is imported and allocated once
    with growth() as grown:
        assert list(digests(large)) == ["2026-01", "2026-02"]
    assert grown() < large.stat().st_size / 2


@pytest.mark.parametrize(
    "one, other",
    [
        ('{"day": "2026-01-01", "a": "1"}', '{"day": "2026-01-01", "a": 1}'),
        ('{"day": "2026-01-01", "a": ""}', '{"day": "2026-01-01", "a": null}'),
        ('{"day": "2026-01-01", "a": "x"}', '{"day": "2026-01-01", "b": "x"}'),
        ('{"day": "2026-01-01", "a": "x", "b": "y"}', '{"day": "2026-01-01", "b": "x", "a": "y"}'),
        ('{"day": "2026-01-01", "a": "x,y", "b": "z"}', '{"day": "2026-01-01", "a": "x", "b": "y,z"}'),
    ],
    ids=["a number", "missing", "another name", "names turned", "a comma"],
)
def test_other_content_has_another_digest(tmp_path: Path, one: str, other: str) -> None:
    """Also where the cells look alike."""
    found = []
    for text in (one, other):
        (tmp_path / "all.jsonl").write_text(text + "\n")
        found.append(digests(tmp_path / "all.jsonl")["2026-01"])
    assert found[0] != found[1]
