"""A table that a real Spark has written is a source of files: a folder for each day."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from flightworthy.adapters.partition_files import PartitionFiles
from flightworthy.partition import fingerprints
from flightworthy.spec import Source
from tests.spark import running_spark

# PySpark leaves the socket of an answer to the garbage collector.
pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning")]
MONDAY, NEXT_MONDAY = "2026-01-05", "2026-01-12"


@pytest.fixture(scope="module")
def spark() -> Iterator[Any]:
    with running_spark():
        from pyspark.sql import SparkSession

        yield SparkSession.builder.master("local[1]").config("spark.ui.enabled", "false").getOrCreate()


def test_a_partitioned_table_is_read_day_by_day_and_a_day_that_is_written_again_is_revised(
    spark: Any, tmp_path: Path
) -> None:
    """The day is in the folder's name; what Spark writes beside the parts is none of them."""
    table = tmp_path / "visits"

    def write(mode: str, *rows: tuple[int, str, str]) -> None:
        frame = spark.createDataFrame(rows, "customer long, country string, day string").repartition(2)
        writer = frame.write.partitionBy("day").option("partitionOverwriteMode", "dynamic")
        writer.mode(mode).parquet(str(table))

    write("append", (2**53 + 1, "NA", MONDAY), (2, None, MONDAY), (3, "DE", NEXT_MONDAY))
    source = Source(uri=f"{table}/day={{partition}}/*.parquet", partition="%Y-%m-%d")
    files = PartitionFiles(source=source, types={"customer": "integer", "country": "category"})
    before = fingerprints(files.files())
    (rows,) = [pa.Table.from_batches(list(each)) for each in files.read([MONDAY])[MONDAY].attempts()]

    assert (table / "_SUCCESS").exists()
    assert sorted(before) == [MONDAY, NEXT_MONDAY]
    assert sorted(rows.to_pylist(), key=lambda row: row["customer"]) == [
        {"customer": 2, "country": None}, {"customer": 2**53 + 1, "country": "NA"},
    ]  # fmt: skip

    write("overwrite", (4, "FR", NEXT_MONDAY))
    after = fingerprints(files.files())
    assert (after[MONDAY] == before[MONDAY], after[NEXT_MONDAY] == before[NEXT_MONDAY]) == (True, False)
    (rows,) = [pa.Table.from_batches(list(each)) for each in files.read([NEXT_MONDAY])[NEXT_MONDAY].attempts()]
    assert rows.to_pylist() == [{"customer": 4, "country": "FR"}]
