"""A model, a suite that sets rows aside, and a source of its partitions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa

from flightworthy.adapters.dataset_files import DatasetFiles
from flightworthy.adapters.gx_suites import GxSuites
from flightworthy.adapters.partition_counts import DuckdbCounts
from flightworthy.dataset import Ingested, ingest
from flightworthy.errors import PartitionRefused
from flightworthy.expectations import Checked, Expectation, Instruments, Suite, check_expectations
from flightworthy.known import Ask
from flightworthy.partition import SourceFile
from tests.training_material import make_spec

NOW = datetime(2026, 1, 5, 12, tzinfo=UTC)
SPEC = make_spec(features={"age": {"type": "integer", "minimum": 0}}, dataset={"window": 3})
MODEL = SPEC.model


def suite_of(**said: Any) -> Suite:
    """Ages up to 100; rows beyond wait alone, as long as four of five are left."""
    in_range = Expectation(
        type="expect_column_values_to_be_between", kwargs={"column": "age", "max_value": 100}, severity="critical",
        meta={}, line=1, on_rows="quarantine",
    )  # fmt: skip
    usual: dict[str, Any] = {
        "engine": "duckdb", "minimum_rows": 1, "maximum_rows": None, "other_columns": (), "comparisons": {},
        "expectations": (in_range,), "keep_at_least": 0.8, "out_of_spec": "quarantine",
    }  # fmt: skip
    return Suite(**{**usual, **said})


def rows_of(*ages: int | None, first: int = 0) -> pa.Table:
    """Rows with these ages; customers are counted, and every other one bought."""
    return pa.table(
        {
            "customer": list(range(first, first + len(ages))),
            "age": pa.array(ages, pa.int64()),
            "bought": [place % 2 for place in range(len(ages))],
        }
    )


@dataclass
class Landed:
    """A source that holds what was landed."""

    tables: dict[str, pa.Table] = field(default_factory=dict)
    landed_at: datetime = NOW

    def files(self) -> Sequence[SourceFile]:
        return [
            SourceFile(key=key, uri=f"{key}.csv", size=1, modified_at=self.landed_at) for key in sorted(self.tables)
        ]

    def read(self, keys: Sequence[str]) -> Mapping[str, Any]:
        return {key: self.tables[key] for key in keys}

    def unplaced(self) -> Sequence[PartitionRefused]:
        return []


@dataclass
class House:
    """A store under a folder, and the first two tasks of a line on it."""

    folder: Path
    source: Landed = field(default_factory=Landed)
    now: datetime = NOW

    @property
    def store(self) -> DatasetFiles:
        return DatasetFiles(root=self.folder / "datasets")

    def ingest(self, key: str | None = None) -> Ingested:
        ask = Ask(model=MODEL, key=key, window=SPEC.dataset.window, as_of=None, known_since=None)
        return ingest(self.source, self.store, ask, now=self.now)

    def check(self, taken: Ingested, suite: Suite | None = None) -> Checked:
        return check_expectations(
            self.store,
            Instruments(validator=GxSuites(reports=self.folder / "reports"), counter=DuckdbCounts()),
            version=taken.version,
            spec=SPEC,
            suite=suite or suite_of(),
            now=self.now,
        )

    def line(self, key: str | None = None, suite: Suite | None = None) -> Checked:
        return self.check(self.ingest(key), suite)
