"""``readmission``: the hospital file as it is, landed in quarters, and a model that beats what one column knows."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

import pandas as pd
import pytest

from flightworthy.adapters.spec_files import load
from flightworthy.dataset import Split
from tests.models.landing import DATA, MODELS, lander, reviewed, sides_of

pytestmark = pytest.mark.skipif(
    not (DATA / "diabetes_130_hospitals.zip").exists(),
    reason=f"no diabetes_130_hospitals.zip in FLIGHTWORTHY_DATA_DIR ({DATA})",
)


@pytest.fixture(scope="module")
def land() -> ModuleType:
    return lander("readmission")


@pytest.fixture(scope="module")
def told(land: ModuleType) -> pd.DataFrame:
    frame: pd.DataFrame = land.prepared(DATA / land.FILE)
    return frame


def test_quarters_are_equal_parts_of_the_order_of_the_ids(told: pd.DataFrame) -> None:
    """The declared time axis: forty of them, none reaching into the next."""
    by = told.groupby("quarter", sort=True)["encounter_id"].agg(["min", "max", "size"])

    assert len(by) == 40
    assert (by.index[0], by.index[-1]) == ("1999-01", "2008-10")
    assert by["size"].max() - by["size"].min() <= 1
    assert (by["max"].to_numpy()[:-1] < by["min"].to_numpy()[1:]).all()


def test_who_cannot_come_back_is_left_out(told: pd.DataFrame) -> None:
    """2,423 stays that ended in death or hospice, and three patients of unknown gender."""
    assert len(told) == 101_766 - 2_423 - 3
    assert not set(told["discharged_to"]) & {f"place {code}" for code in (11, 13, 14, 19, 20, 21)}
    assert set(told["gender"]) == {"Female", "Male"}


def test_a_patient_with_many_stays_is_on_one_side(told: pd.DataFrame) -> None:
    """A random split of stays would have most of them on both."""
    spec = load(MODELS / "readmission", {})
    often = told[told.groupby("patient_nbr")["patient_nbr"].transform("size") > 1]
    sides = sides_of(spec, often)
    patients = {side: set(rows["patient_nbr"]) for side, rows in sides.items()}

    assert len(often) > 40_000
    assert all(patients.values())
    assert not patients[Split.TRAIN] & patients[Split.HOLDOUT]
    assert not patients[Split.TRAIN] & patients[Split.VALIDATION]
    assert not patients[Split.VALIDATION] & patients[Split.HOLDOUT]


def test_the_model_passes_its_gates_and_beats_the_best_single_column(told: pd.DataFrame, tmp_path: Path) -> None:
    """On twelve real quarters, on patients whom it never saw, as it would be served."""
    window = told[told["quarter"].between("2004-01", "2006-10")]

    found = reviewed("readmission", window, tmp_path)

    assert [str(objection) for objection in found.decision.objections] == []
    assert found.baseline.name == "number_inpatient alone"
    assert found.challenger.metrics["roc_auc"].value > 0.64
    assert found.baseline.comparison.metrics["roc_auc"].bound < -0.02
    assert set(found.challenger.slices) == {"race", "gender", "age"}
