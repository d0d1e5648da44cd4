"""Load a sealed booster and predict on plain arrays; needs only numpy and XGBoost's library, being in the server."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from flightworthy.adapters.xgboost_models.library import Booster
from flightworthy.artifact import positive_column, read_contract, verify
from flightworthy.errors import ArtifactRefused

__all__ = ["MODEL", "XgboostModel", "load_model"]

MODEL = "model.ubj"


@dataclass(frozen=True, slots=True, kw_only=True)
class XgboostModel:
    """A booster that was verified before it was loaded. ``contract`` is the parsed contract.json."""

    contract: Mapping[str, Any]
    digest: str
    booster: Booster
    positive_column: int
    absent: float = math.nan
    """What is not written in sparse rows counts as missing to XGBoost."""

    def predict(self, rows: NDArray[Any]) -> NDArray[np.float64]:
        """P(positive) of each row, which is 2-D and numbers, booleans or None; what is missing is NaN or None.

        Raises ValueError for another number of columns than the booster's, and for text.
        """
        numbers = np.ascontiguousarray(rows, dtype=np.float64)
        if numbers.shape[1] != self.booster.features:
            raise ValueError(f"{numbers.shape[1]} columns where the booster has {self.booster.features}")
        answers = self.booster.predict(numbers)
        # The complement in 32 bits, as XGBoost's own classifier takes it.
        return (answers if self.positive_column == 1 else 1.0 - answers).astype(np.float64)


def load_model(folder: Path, *, digest: str | None = None) -> XgboostModel:
    """Verify ``folder`` against its manifest (and ``digest``), then load its booster: data that is parsed, not run.

    Raises ArtifactRefused when a file was changed, added or removed, or when XGBoost cannot read the model.
    """
    found = verify(folder, digest=digest)
    contract = read_contract(folder)
    path = folder / MODEL
    try:
        booster = Booster(path)
    except ValueError as error:
        raise _refusal(path, f"cannot be read ({error})") from error
    return XgboostModel(
        contract=contract, digest=found, booster=booster, positive_column=positive_column(folder, contract)
    )


def _refusal(path: Path, why: str) -> ArtifactRefused:
    return ArtifactRefused(
        f"{path} {why}. It was not loaded; train and register the model again.",
        folder=str(path.parent),
        file=path.name,
        why=why,
    )
