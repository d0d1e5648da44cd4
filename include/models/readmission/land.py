"""Lands the hospital file as quarters: ``python include/models/readmission/land.py [LANDING]``.

The preparation that a warehouse would do, in the open. Two things in it are declared and not known:

* **Time.** The file has no dates. It covers 1999 to 2008, and ``encounter_id`` grows with time; so the encounters, in
  the order of their ids, are dealt out over the forty quarters of those years, equally many to each. A quarter here is
  the fortieth part of the order, and nothing finer can be read from it.
* **Who counts.** An encounter that ended in death or in a hospice cannot be followed by another one: there is no label
  to learn, and the row would teach that dying prevents readmission. It is left out, as are the three encounters whose
  gender is unknown.

Whether somebody came back is known thirty days after they left. Within this order of ids that cannot be told apart from
the end of the quarter; with dates, land a quarter thirty days after its end.
"""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd

from flightworthy.adapters.landing import main

MODEL: Final = Path(__file__).parent.name
FILE: Final = "diabetes_130_hospitals.zip"
MEMBER: Final = "dataset_diabetes/diabetic_data.csv"
QUARTERS: Final = tuple(f"{year}-{month:02d}" for year in range(1999, 2009) for month in (1, 4, 7, 10))

_CANNOT_RETURN: Final = frozenset({"11", "13", "14", "19", "20", "21"})
"""Discharge dispositions: expired, hospice."""
_UNKNOWN: Final = frozenset({"Unknown/Invalid"})
_YOUNG: Final = frozenset({"[0-10)", "[10-20)", "[20-30)"})
"""Too few apart to be measured as groups."""
_HOME: Final = frozenset({"1", "6", "8"})
_COUNTS: Final = (
    "time_in_hospital", "num_lab_procedures", "num_procedures", "num_medications", "number_outpatient",
    "number_emergency", "number_inpatient", "number_diagnoses",
)  # fmt: skip
_KEPT: Final = (
    "race", "gender", "medical_specialty", "max_glu_serum", "A1Cresult", "metformin", "glipizide",
    "glyburide", "pioglitazone", "rosiglitazone", "insulin", "change", "diabetesMed",
)  # fmt: skip
_CHAPTERS: Final = (
    (1, 139, "infections"), (140, 239, "neoplasms"), (250, 250, "diabetes"), (240, 279, "endocrine"),
    (280, 289, "blood"), (290, 319, "mental"), (320, 389, "nervous"), (390, 459, "circulatory"),
    (785, 785, "circulatory"), (460, 519, "respiratory"), (786, 786, "respiratory"), (520, 579, "digestive"),
    (787, 787, "digestive"), (580, 629, "genitourinary"), (788, 788, "genitourinary"), (630, 679, "childbirth"),
    (680, 709, "skin"), (710, 739, "musculoskeletal"), (740, 759, "congenital"), (780, 799, "symptoms"),
    (800, 999, "injury"),
)  # fmt: skip
"""Of the ICD-9 codes, first match first: seven hundred codes are too many to be learnt from."""


def prepared(file: Path) -> pd.DataFrame:
    """The encounters that can be learnt from, in the order of their ids, each with its ``quarter``."""
    with zipfile.ZipFile(file).open(MEMBER) as member:
        raw = pd.read_csv(member, dtype="str", keep_default_na=False)
    counts = ~raw["discharge_disposition_id"].isin(_CANNOT_RETURN) & ~raw["gender"].isin(_UNKNOWN)
    raw = raw[counts].assign(encounter_id=raw["encounter_id"].astype("int64")).sort_values("encounter_id")
    raw = raw.reset_index(drop=True)
    told = pd.DataFrame({"encounter_id": raw["encounter_id"], "patient_nbr": raw["patient_nbr"].astype("int64")})
    for name in _COUNTS:
        told[name] = raw[name].astype("int64")
    for name in _KEPT:
        told[name] = raw[name].where(raw[name] != "?", None)
    told["age"] = raw["age"].where(~raw["age"].isin(_YOUNG), "[0-30)")
    told["admission_type"] = "type " + raw["admission_type_id"]
    told["admission_source"] = "source " + raw["admission_source_id"]
    told["discharged_to"] = "place " + raw["discharge_disposition_id"]
    told["discharged_home"] = raw["discharge_disposition_id"].isin(_HOME)
    for name in ("diag_1", "diag_2", "diag_3"):
        told[name] = raw[name].map(_chapter)
    told["readmitted_soon"] = (raw["readmitted"] == "<30").astype("int64")
    told["quarter"] = np.asarray(QUARTERS)[np.arange(len(told)) * len(QUARTERS) // len(told)]
    return told


def partitions(told: pd.DataFrame) -> Iterator[tuple[str, pd.DataFrame]]:
    """Each quarter's key and rows."""
    for quarter, rows in told.groupby("quarter", sort=True):
        yield str(quarter), rows.drop(columns="quarter").reset_index(drop=True)


def _chapter(code: str) -> str | None:
    if code == "?":
        return None
    if not code[0].isdigit():
        return "external"
    number = int(float(code))
    return next((name for low, high, name in _CHAPTERS if low <= number <= high), "other")


if __name__ == "__main__":
    main(MODEL, FILE, lambda file: partitions(prepared(file)))
