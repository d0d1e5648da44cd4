"""Evidently over a release's reference and its requests: a score per column, and a page that a person reads.

Scores are Evidently's own distances, one test per column chosen here rather than by sample size, so that scores of
different days can be compared. Evidently draws each column's page slowly and measures it quickly: ``measure`` alone
costs milliseconds, ``Drift.report`` about 0.1 s a column.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

# Evidently sends statistics about its use unless told not to before it is imported.
os.environ.setdefault("DO_NOT_TRACK", "1")

import numpy as np
import pandas as pd
from evidently import DataDefinition, Dataset, Report
from evidently.legacy.calculations.stattests.registry import get_registered_stattest
from evidently.legacy.core import ColumnType
from evidently.metrics import ValueDrift
from pandas.api.types import is_bool_dtype, is_numeric_dtype
from scipy import stats

from flightworthy.drift import ColumnDrift, DriftReport

__all__ = ["EvidentlyDrift", "Measured", "measure"]

PREDICTION = "prediction"
MIN_VALUES = 30
"""Fewer values of a column than this, on either side, say nothing about it."""
MAX_ROWS = 50_000
"""More rows than this are sampled, always the same way: Evidently needs memory in proportion."""
MAX_CATEGORIES = 20
"""Rarer categories are counted together."""
MAX_DRAWN = 20
"""The columns that moved most are drawn; drawing costs 0.1 s a column, and nobody reads the thirtieth calm one."""
_THRESHOLD = 0.1
_METHODS = {"number": "wasserstein", "category": "jensenshannon"}
_WORDS = {
    "number": "Wasserstein distance in standard deviations of the reference",
    "category": "Jensen-Shannon distance",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """Columns compared, and both sides as they were compared."""

    columns: tuple[ColumnDrift, ...]
    unmeasured: Mapping[str, str]
    reference: pd.DataFrame
    current: pd.DataFrame


class EvidentlyDrift:
    """Writes its pages into ``folder``, such as ``reports/<model>/drift``, and keeps the newest ``keep`` of them."""

    def __init__(self, folder: Path, *, keep: int = 30) -> None:
        self.folder = folder
        self.keep = keep

    def report(
        self,
        reference: Path,
        current: pd.DataFrame,
        *,
        model: str,
        release: str,
        started_at: datetime,
        ended_at: datetime,
    ) -> DriftReport:
        """Compare ``current`` with the Parquet file ``reference``: features and the column ``prediction``.

        A reference that is not there, and columns that cannot be compared, are said in ``unmeasured``. The page is
        named by ``ended_at``; the same look again writes the same page.
        """
        if reference.is_file():
            found = measure(pd.read_parquet(reference), current)
        else:
            missing = {"reference": f"{release} was registered without reference.parquet"}
            found = Measured(columns=(), unmeasured=missing, reference=pd.DataFrame(), current=current)
        unmeasured = {column: why for column, why in found.unmeasured.items() if column != PREDICTION}
        return DriftReport(
            model=model,
            release=release,
            started_at=started_at,
            ended_at=ended_at,
            requests=len(current),
            reference_rows=len(found.reference),
            columns=tuple(each for each in found.columns if each.column != PREDICTION),
            prediction=next((each for each in found.columns if each.column == PREDICTION), None),
            unmeasured=unmeasured,
            page=self._page(found, ended_at) if found.columns else "",
        )

    def _page(self, found: Measured, ended_at: datetime) -> str:
        self.folder.mkdir(parents=True, exist_ok=True)
        kinds = {each.column: each.kind for each in found.columns}
        definition = DataDefinition(
            numerical_columns=[column for column, kind in kinds.items() if kind == "number"],
            categorical_columns=[column for column, kind in kinds.items() if kind == "category"],
        )
        worst_first = sorted(found.columns, key=lambda each: each.score, reverse=True)[:MAX_DRAWN]
        report = Report(
            [ValueDrift(column=e.column, method=_METHODS[e.kind], threshold=e.threshold) for e in worst_first]
        )
        snapshot = report.run(
            Dataset.from_pandas(found.current, data_definition=definition),
            Dataset.from_pandas(found.reference, data_definition=definition),
        )
        name = f"{ended_at:%Y%m%dT%H%M%S}.html"
        half_written = self.folder / f".{name}.part"
        snapshot.save_html(str(half_written))
        half_written.replace(self.folder / name)
        for old in sorted(self.folder.glob("2*T*.html"))[: -self.keep]:
            old.unlink(missing_ok=True)
        return name


def measure(reference: pd.DataFrame, current: pd.DataFrame) -> Measured:
    """Score every column of ``reference`` that both sides have values of. Draws nothing."""
    before, after = _sampled(reference), _sampled(current)
    compared: dict[str, tuple[pd.Series[Any], pd.Series[Any]]] = {}
    columns: list[ColumnDrift] = []
    unmeasured: dict[str, str] = {}
    for column in before.columns:
        if column not in after.columns:
            unmeasured[column] = "not in the prediction log" if len(after) else "no requests"
            continue
        kind: Literal["number", "category"] = "number" if _is_number(before[column]) else "category"
        why = _too_few(before[column], after[column], kind)
        if why:
            unmeasured[column] = why
            continue
        compared[column] = _PREPARE[kind](before[column], after[column])
        columns.append(_compare(column, kind, *compared[column]))
    return Measured(
        columns=tuple(columns),
        unmeasured=unmeasured,
        reference=pd.DataFrame({column: pair[0] for column, pair in compared.items()}),
        current=pd.DataFrame({column: pair[1] for column, pair in compared.items()}),
    )


def _compare(
    column: str, kind: Literal["number", "category"], before: pd.Series[Any], after: pd.Series[Any]
) -> ColumnDrift:
    feature_type = ColumnType.Numerical if kind == "number" else ColumnType.Categorical
    before, after = before.dropna(), after.dropna()
    scored = get_registered_stattest(_METHODS[kind], feature_type)(before, after, feature_type, _THRESHOLD)
    return ColumnDrift(
        column=column,
        kind=kind,
        method=_WORDS[kind],
        score=float(scored.drift_score),
        threshold=_THRESHOLD,
        p_value=_chance(before, after) if kind == "number" else _chance_of_counts(before, after),
    )


def _chance(before: pd.Series[Any], after: pd.Series[Any]) -> float:
    """Two-sided Kolmogorov-Smirnov; cautious where values repeat."""
    return float(stats.ks_2samp(before, after, method="asymp").pvalue)


def _chance_of_counts(before: pd.Series[Any], after: pd.Series[Any]) -> float:
    """Chi-squared of two samples. Evidently's own takes the reference for the truth, and cries wolf if it is small."""
    counts = pd.concat([before.value_counts(), after.value_counts()], axis=1).fillna(0.0).to_numpy()
    expected = counts.sum(axis=1) / counts.sum() * counts.sum(axis=0).min()
    rare = expected < 5
    table = np.vstack([counts[~rare], counts[rare].sum(axis=0)[None, :]]) if rare.any() else counts
    table = table[table.sum(axis=1) > 0]
    return float(stats.chi2_contingency(table).pvalue) if len(table) > 1 else 1.0


def _sampled(frame: pd.DataFrame) -> pd.DataFrame:
    sampled = frame.sample(MAX_ROWS, random_state=0) if len(frame) > MAX_ROWS else frame
    return sampled.reset_index(drop=True)


def _is_number(column: pd.Series[Any]) -> bool:
    return is_numeric_dtype(column) and not is_bool_dtype(column)


def _too_few(before: pd.Series[Any], after: pd.Series[Any], kind: str) -> str:
    """Why a column says nothing; empty where it does. A column without any value would raise in Evidently."""
    for side, column in (("reference", before), ("requests", after)):
        values = int((_number(column) if kind == "number" else column).notna().sum())
        if values < MIN_VALUES:
            return f"{values or 'no'} values in the {side}, {MIN_VALUES} needed"
    return ""


def _number(column: pd.Series[Any]) -> pd.Series[Any]:
    return pd.to_numeric(column, errors="coerce").astype(float).replace([np.inf, -np.inf], np.nan)


def _numbers(before: pd.Series[Any], after: pd.Series[Any]) -> tuple[pd.Series[Any], pd.Series[Any]]:
    return _number(before), _number(after)


def _categories(before: pd.Series[Any], after: pd.Series[Any]) -> tuple[pd.Series[Any], pd.Series[Any]]:
    """As text; missing is a category of its own, and the rare ones are one."""
    both = [side.astype(object).where(side.notna(), "(missing)").astype(str).astype(object) for side in (before, after)]
    frequent = pd.concat(both).value_counts().index[: MAX_CATEGORIES - 1]
    before, after = (side.where(side.isin(frequent), "(other)") for side in both)
    return before, after


_PREPARE = {"number": _numbers, "category": _categories}
