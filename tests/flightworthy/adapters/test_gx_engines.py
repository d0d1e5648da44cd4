"""The same suite, the same verdict: every expectation that the project documents, on DuckDB, on pandas and on Spark."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import parquet

from flightworthy.adapters.dataset_files import DatasetFiles
from flightworthy.adapters.gx_suites import GxSuites
from flightworthy.expectations import EXPECTATIONS, Engine, Expectation, FailedExpectation
from tests.flightworthy.adapters.awkward_cases import AWKWARD, AWKWARD_CASES
from tests.flightworthy.adapters.engine_cases import CASES, ROWS
from tests.spark import running_spark

NOW = datetime(2026, 1, 5, tzinfo=UTC)
ENGINES: tuple[Engine, ...] = ("pandas", "duckdb", "spark")
ALL = [*((pa.table(ROWS), each) for each in CASES), *((AWKWARD, each) for each in AWKWARD_CASES)]
Told = dict[int, FailedExpectation | None]
# PySpark leaves the socket of an answer to the garbage collector.
pytestmark = pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning")


@pytest.fixture(scope="module")
def spark_master() -> Iterator[str]:
    """A driver here and two executors in processes of their own."""
    with running_spark() as master:
        yield master


@pytest.fixture(scope="module")
def told(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Callable[[Engine], Told]:
    """What became of each case on an engine, asked once."""
    known: dict[str, Told] = {}

    def told(engine: Engine) -> Told:
        if engine not in known:
            master = request.getfixturevalue("spark_master") if engine == "spark" else None
            known[engine] = asked(tmp_path_factory.mktemp(engine), engine, master)
        return known[engine]

    return told


def asked(folder: Path, engine: Engine, master: str | None) -> Told:
    store, suites = DatasetFiles(root=folder), GxSuites(reports=folder, spark_master=master)
    found: Told = {}
    for number, places in enumerate(rounds()):
        table = ALL[places[0]][0]
        rows = store.rows(store.write("all", f"{number:03}", table, sources=[], now=NOW))
        wanted = [expectation(*ALL[place][1][:2]) for place in places]
        result = suites.validate(rows, wanted, engine=engine, model="all", key=str(number), now=NOW)
        failed = {(each.expectation, each.column): each for each in result.failures}
        found |= {place: failed.get(known_by(place)[1:]) for place in places}
    return found


def expectation(name: str, kwargs: dict[str, Any]) -> Expectation:
    return Expectation(type=name, kwargs=kwargs, severity="critical", meta={}, line=1)


def known_by(place: int) -> tuple[int, str, str | None]:
    """By what its failure is known again in a suite's result."""
    table, (name, kwargs, _) = ALL[place]
    return id(table) if table is AWKWARD else 0, name, kwargs.get("column") or kwargs.get("column_A")


def rounds() -> list[Sequence[int]]:
    """The places of the cases, such that each is known again by its failure."""
    seen: Counter[Any] = Counter()
    dealt: defaultdict[Any, list[int]] = defaultdict(list)
    for place in range(len(ALL)):
        known = known_by(place)
        dealt[known[0], seen[known]].append(place)
        seen[known] += 1
    return list(dealt.values())


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize(
    "place", range(len(ALL)), ids=[f"{name}-{json.dumps(said, default=str)[:60]}" for _, (name, said, _) in ALL]
)
def test_an_expectation_gives_the_same_verdict_on_each_engine(told, engine, place):
    """The one that it should; and what cannot be evaluated in one case spoils no other of its suite."""
    _, (_, kwargs, passes) = ALL[place]
    failed = told(engine)[place]
    assert (failed is None) is passes, (kwargs, failed)


def test_quantiles_on_spark_are_exact_though_few_values_leave_the_executors(spark_master, tmp_path):
    """Of more different values than may come to the driver, and of few with many ties."""
    from flightworthy.adapters.gx_suites.spark_quantiles import quantiles_of
    from flightworthy.adapters.gx_suites.spark_session import session_of

    random = np.random.default_rng(7)
    columns = {"smooth": random.normal(size=50_001), "tied": random.integers(0, 5, size=50_001).astype(float)}
    parquet.write_table(pa.table(columns), tmp_path / "rows.parquet")
    rows = session_of(spark_master).read.parquet(str(tmp_path / "rows.parquet"))
    for name, values in columns.items():
        assert quantiles_of(rows, rows[name], [0.25, 0.5, 0.9]) == np.quantile(values, [0.25, 0.5, 0.9]).tolist()
    assert quantiles_of(rows.where("tied > 9"), rows["tied"], [0.5]) is None


def test_spark_reads_files_in_order_whatever_their_folder_is_called(spark_master, tmp_path):
    """Names of partitions come from elsewhere; what looks like a pattern, or a partition of Hive's, is none."""
    folder = tmp_path / "key=2026-01 [a] {b}*" / "x:y"
    folder.mkdir(parents=True)
    files = []
    for number in range(2):
        files.append(folder / f"part-{number}.parquet")
        parquet.write_table(pa.table({"n": range(number * 5, number * 5 + 5)}), files[-1])
    rows = StoredFiles(files=tuple(files))
    asked_for = [
        expectation("expect_column_values_to_be_increasing", {"column": "n", "strictly": True}),
        expectation("expect_table_row_count_to_equal", {"value": 10}),
        expectation("expect_table_columns_to_match_set", {"column_set": ["n"]}),
    ]
    suites = GxSuites(reports=tmp_path, spark_master=spark_master)
    result = suites.validate(rows, asked_for, engine="spark", model="all", key="1", now=NOW)
    assert result.failures == ()


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredFiles:
    """A `flightworthy.expectations.StoredRows` of files that lie anywhere."""

    files: tuple[Path, ...]
    columns: tuple[str, ...] = ("n",)

    def frame(self) -> Any:
        raise AssertionError("Spark is to read the files itself")


def test_every_documented_expectation_is_tried_on_sound_and_on_broken_data():
    """So a new one cannot be documented without a case."""
    assert {name for name, _, passes in CASES if passes} == EXPECTATIONS
    assert {name for name, _, passes in CASES if not passes} == EXPECTATIONS
