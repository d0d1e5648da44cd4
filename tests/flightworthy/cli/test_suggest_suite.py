"""A first suite from real partitions: it passes them, and refuses what typically goes wrong."""

from __future__ import annotations

import os
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import yaml

from flightworthy.adapters.dataset_files import DatasetFiles
from flightworthy.adapters.gx_suites import GxSuites
from flightworthy.adapters.spec_files import load
from flightworthy.adapters.spec_files.suites import load_suite
from flightworthy.expectations import Suite, SuiteResult, standing_expectations
from flightworthy.spec import Spec
from tests.flightworthy.cli.conftest import Call, House
from tests.training_material import make_frame, make_spec

NOW = datetime(2026, 1, 5, tzinfo=UTC)
SHIPPED = Path(__file__).parents[3] / "include" / "models"
CLAIMS = Path(os.environ.get("FLIGHTWORTHY_DATA_DIR", "data")) / "vehicle_claims.csv"
KEYS = [f"2026-01-{day:02}" for day in range(1, 7)]


@pytest.fixture
def shop(house: House) -> DatasetFiles:
    """Six days of a shop, taken in already; a tenth of the incomes is missing."""
    folder = house.models / "shop"
    folder.mkdir()
    said = make_spec().model_dump(mode="json", exclude_unset=True, exclude={"folder"})
    (folder / "model.yaml").write_text(yaml.safe_dump(said))
    store = DatasetFiles(root=house.home / "datasets")
    for seed, key in enumerate(KEYS):
        frame = make_frame(400, seed=seed)
        frame.loc[np.random.default_rng(seed).random(400) < 0.1, "income"] = np.nan
        store.write("shop", key, pa.Table.from_pandas(frame, preserve_index=False), sources=[], now=NOW)
    return store


def verdict(store: DatasetFiles, spec: Spec, suite: Suite, frame: pd.DataFrame, *, reports: Path) -> SuiteResult:
    """What the suggested suite says of rows, with what model.yaml says anyway."""
    content = pa.Table.from_pandas(frame, preserve_index=False)
    rows = store.rows(store.write("looked-at", "k", content, sources=[], now=NOW))
    expectations = (*standing_expectations(spec, suite), *suite.expectations)
    return GxSuites(reports=reports).validate(
        rows, expectations, engine=suite.engine, model=spec.model, key="k", now=NOW
    )


def test_the_suite_passes_what_it_was_made_from_and_refuses_the_typical_faults(
    call: Call, house: House, shop: DatasetFiles, tmp_path: Path
) -> None:
    """Another unit, an empty column, a truncated upload, a category that nobody knows, one customer all over."""
    folder = house.models / "shop"
    told = call("suggest-suite", "shop", "--output", str(folder / "suite.yaml"))
    assert (told.code, told.err) == (0, "")
    spec, suite = load(folder, {}), load_suite(folder, {})
    assert {each.severity for each in suite.expectations} == {"critical"}

    def refusals(frame: pd.DataFrame) -> tuple[str, ...]:
        return verdict(shop, spec, suite, frame, reports=tmp_path).objections

    for partition in shop.current("shop").values():
        assert refusals(shop.read(partition)) == (), partition.key
    good = make_frame(400, seed=99)
    assert refusals(good) == ()
    faults: dict[str, pd.DataFrame] = {
        "age: mean": good.assign(age=good["age"] * 100),
        "income: mean": good.assign(income=good["income"] * 100),
        "income: values to not be null": good.assign(income=good["income"].where(good.index % 2 == 0)),
        "colour: values to be in set": good.assign(colour=good["colour"].where(good.index % 4 > 0, "mauve")),
        "table row count": good[:60],
        "customer: proportion of unique": good.assign(customer=7),
    }
    for objection, frame in faults.items():
        assert any(each.startswith(objection) for each in refusals(frame)), objection


def test_each_bound_says_what_it_rests_on(call: Call, shop: DatasetFiles) -> None:
    """A comment beside each; the file is read as YAML by people and by us."""
    text = call("suggest-suite", "shop", "--partitions", "4").out
    assert text.startswith("# Suggested from 4 partitions with 1600 rows.")
    assert "rows: {minimum: 200, maximum: 800}  # 400 to 400 in 4 partitions, 2026-01-03 to 2026-01-06" in text
    assert re.search(r"# colour: 3 values in 1\d\d\d rows, so that others are rarer than 1 in \d\d\d\n", text)
    assert "# income: means were " in text
    assert "value_set: [blue, green, red]" in text
    document = call("suggest-suite", "shop", "--partitions", "4", "--json").document
    assert (document["partitions"], document["rows"]) == (KEYS[2:], 1600)
    assert document["suite"] == text
    assert yaml.safe_load(text)["rows"] == {"minimum": 200, "maximum": 800}


def test_thin_data_only_warn(call: Call, shop: DatasetFiles) -> None:
    """Two partitions cannot tell what is usual."""
    suite = yaml.safe_load(call("suggest-suite", "shop", "--partitions", "2").out)
    assert {each.get("severity") for each in suite["expectations"]} == {"warning"}


def test_values_that_name_a_person_are_not_listed(call: Call, house: House, shop: DatasetFiles) -> None:
    """A suite lies in a repository; the target is not personal."""
    said = yaml.safe_load((house.models / "shop" / "model.yaml").read_text())
    said["personal"] = {"columns": {"colour": "pseudonym"}}
    (house.models / "shop" / "model.yaml").write_text(yaml.safe_dump(said))
    text = call("suggest-suite", "shop").out
    assert "green" not in text
    assert "nothing is said of them: colour" in text


def test_a_model_that_is_not_there_is_said_to_be_none(call: Call, shop: DatasetFiles) -> None:
    """In the words of the other commands, with the nearest that there is."""
    told = call("suggest-suite", "shopp")
    assert told.code == 1
    assert "there is no model 'shopp': " in told.err
    assert "has no such folder; did you mean shop?" in told.err


def test_a_file_that_is_there_is_left_alone(call: Call, house: House, shop: DatasetFiles, tmp_path: Path) -> None:
    """Somebody may have edited it."""
    (tmp_path / "suite.yaml").write_text("mine")
    told = call("suggest-suite", "shop", "--output", str(tmp_path / "suite.yaml"))
    assert (told.code, "is there already, and was left alone" in told.err) == (1, True)
    assert (tmp_path / "suite.yaml").read_text() == "mine"


def test_a_source_that_only_airflow_can_open_must_have_been_taken_in(call: Call, house: House) -> None:
    """The command line asks no connections; it says what to do instead."""
    (house.models / "shop").mkdir()
    source = {"uri": "s3://bucket/{partition}.csv", "partition": "%Y-%m-%d", "conn_id": "lake"}
    said = make_spec(source=source).model_dump(mode="json", exclude_unset=True, exclude={"folder"})
    (house.models / "shop" / "model.yaml").write_text(yaml.safe_dump(said))
    told = call("suggest-suite", "shop")
    assert (told.code, "the Airflow connection lake alone" in told.err) == (1, True)


@pytest.mark.skipif(not CLAIMS.is_file(), reason="FLIGHTWORTHY_DATA_DIR has no vehicle_claims.csv")
def test_real_claims_that_nobody_took_in_yet_are_read_from_their_source(
    call: Call, house: House, tmp_path: Path
) -> None:
    """Six months of them; each passes the suite, also beside those before it, and nothing is left in the store."""
    (house.models / "claims").mkdir()
    (house.models / "claims" / "model.yaml").write_text((SHIPPED / "claims" / "model.yaml").read_text())
    told: Any = call(
        "suggest-suite", "claims", "--partitions", "6", "--json", environ={"FLIGHTWORTHY_DATA_DIR": str(CLAIMS.parent)}
    ).document
    assert told["partitions"] == [f"1996-{month:02}" for month in range(7, 13)]
    said = yaml.safe_load(told["suite"])
    assert said["other_columns"] == ["RepNumber"]
    assert said["comparisons"]["distribution"]["apart"] == ["MonthClaimed"]
    assert not (house.home / "datasets" / "claims").exists()
    assert all(len(line) <= 140 for line in told["suite"].splitlines())
