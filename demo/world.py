"""The world that the tour plays in: partitions that arrive, and the requests of those who ask.

The records are the Wisconsin diagnostic breast-cancer data that come with scikit-learn, in their file's order, as if a
week's patients arrived each Monday. A record's place in the file, counted from one, is its ``record_id``.

The drifted world is a hospital with another microscope: lengths and areas come out larger and the picture has more
contrast, in request and in record alike. Twelve of the thirty measurements are touched.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from sklearn.datasets import load_breast_cancer

ENTITY = "record_id"
TARGET = "malignant"

FIRST = "2025-03-03"
SECOND = "2025-03-10"
BROKEN = "2025-03-17"
HISTORY = ("2025-02-03", "2025-02-10", "2025-02-17", "2025-02-24")
"""The Mondays of the tour. The four of the history are older than the first and arrive late, for the backfill."""

_ROWS = {
    FIRST: slice(0, 80),
    SECOND: slice(80, 300),
    BROKEN: slice(300, 360),
    "2025-02-03": slice(360, 390),
    "2025-02-10": slice(390, 420),
    "2025-02-17": slice(420, 450),
    "2025-02-24": slice(450, 480),
}
_NEWCOMERS = slice(480, 569)
"""The drifted world's labelled records, which the revision of the second partition brings."""

_POWERS = {"radius": 1, "perimeter": 1, "area": 2, "texture": 1}
"""With which power of the magnification a measurement grows; the others are ratios."""


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """What happens to the model ``diagnosis``, whose partitions land in its folder under ``landing``.

    ``magnification`` is what the other microscope multiplies lengths and contrast by; areas grow by its square.
    """

    landing: Path
    magnification: float = 1.6

    def first(self) -> Path:
        """The first partition: few records, so that there is something to learn later."""
        return self._land(FIRST, records()[_ROWS[FIRST]])

    def second(self) -> Path:
        """The second: almost three times as many."""
        return self._land(SECOND, records()[_ROWS[SECOND]])

    def broken(self) -> Path:
        """A partition as it must not be: a column missing, one of the wrong type, one that is empty."""
        frame = records()[_ROWS[BROKEN]].drop(columns="mean_area")
        frame["mean_texture"] = [f"{value:.1f} units" for value in frame["mean_texture"]]
        frame["worst_radius"] = np.nan
        return self._land(BROKEN, frame)

    def mended(self) -> Path:
        """The same partition as it should have been."""
        return self._land(BROKEN, records()[_ROWS[BROKEN]])

    def revision(self) -> Path:
        """The second partition again, now with labelled records of the drifted world."""
        newcomers = self.drifted(records()[_NEWCOMERS])
        return self._land(SECOND, pd.concat([records()[_ROWS[SECOND]], newcomers]))

    def history(self) -> Sequence[Path]:
        """Four weekly partitions from before the first."""
        return [self._land(key, records()[_ROWS[key]]) for key in HISTORY]

    def drifted(self, frame: pd.DataFrame) -> pd.DataFrame:
        """Those records as the other microscope measures them."""
        changed = frame.copy()
        for word, power in _POWERS.items():
            touched = [column for column in changed.columns if word in column]
            changed[touched] *= self.magnification**power
        return changed

    def requests(self, *, drifted: bool = False) -> Iterator[Mapping[str, float | int]]:
        """Records as one asks about them, over and over: the features by name, and the entity."""
        frame = records().drop(columns=TARGET)
        rows: list[Any] = (self.drifted(frame) if drifted else frame).to_dict(orient="records")
        while True:
            yield from rows

    def _land(self, key: str, frame: pd.DataFrame) -> Path:
        """Written beside and renamed, so that nobody reads half of it."""
        target = self.landing / "diagnosis" / f"{key}.csv"
        target.parent.mkdir(parents=True, exist_ok=True)
        part = target.with_name(f".{target.name}.{os.getpid()}.part")
        frame.to_csv(part, index=False)
        part.replace(target)
        return target


def records() -> pd.DataFrame:
    """All the records in their file's order: ``record_id``, thirty measurements, and ``malignant`` (1 is malignant)."""
    bunch = load_breast_cancer()
    columns = [str(name).replace(" ", "_") for name in bunch.feature_names]
    frame = pd.DataFrame(bunch.data, columns=columns)
    frame.insert(0, ENTITY, np.arange(1, len(frame) + 1))
    frame[TARGET] = 1 - bunch.target  # scikit-learn counts the benign
    return frame


def features() -> list[str]:
    """The names of the thirty measurements, in the file's order."""
    return [name for name in records().columns if name not in (ENTITY, TARGET)]
