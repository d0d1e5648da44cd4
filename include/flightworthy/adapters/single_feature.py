"""The baseline over frames: for each feature the share of positives per value, or per tenth of a number's range."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from flightworthy.baseline import Baseline
from flightworthy.evaluation import Scored
from flightworthy.spec import Feature, Spec
from flightworthy.training import Frames

__all__ = ["SingleFeature"]

_BINS = 10
_PRIOR_ROWS = 10.0
"""A value's share counts as if so many rows with the share of all were added: a value seen twice says little."""
_MISSING = "(missing)"

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class SingleFeature:
    """Implements ``baseline.Baselines``."""

    def score(self, spec: Spec, frames: Frames, holdout: pd.DataFrame) -> Baseline:
        """The feature whose shares lose least on the validation rows; the share of all where none loses less."""
        training, validation = frames.training, frames.validation
        labels = _labels(spec, training)
        prior = float(labels.mean())
        best, least = None, _loss(_labels(spec, validation), np.full(len(validation), prior))
        for name, cells in _cells(spec, training):
            loss = _loss(_labels(spec, validation), _shares(cells, labels).of(_named(cells, validation[name])))
            if loss < least:
                best, least = name, loss
        predictions = np.full(len(holdout), prior)
        if best is not None:
            cells = dict(_cells(spec, training))[best]
            predictions = _shares(cells, labels).of(_named(cells, holdout[best]))
        scored = Scored(labels=_labels(spec, holdout).astype(int).tolist(), predictions=predictions.tolist(), slices={})
        return Baseline(feature=best, scored=scored)


@dataclass(frozen=True, slots=True)
class _Cells:
    """The training rows' cells of one feature; ``edges`` are those of a number's bins."""

    names: pd.Series[str]
    edges: Floats | None


@dataclass(frozen=True, slots=True)
class _Shares:
    by_name: pd.Series[float]
    prior: float

    def of(self, names: pd.Series[str]) -> Floats:
        return np.asarray(names.map(self.by_name).fillna(self.prior), dtype=np.float64)


def _cells(spec: Spec, training: pd.DataFrame) -> Iterator[tuple[str, _Cells]]:
    for name, feature in spec.features.items():
        edges = _edges(training[name]) if _is_number(feature) else None
        yield name, _Cells(_names(training[name], edges), edges)


def _is_number(feature: Feature) -> bool:
    return feature.type in {"number", "integer"}


def _edges(values: pd.Series[float]) -> Floats:
    known = values.dropna().to_numpy(dtype=np.float64)
    cuts = np.quantile(known, np.linspace(0, 1, _BINS + 1)[1:-1]) if len(known) else known
    return np.unique(np.asarray(cuts, dtype=np.float64))


def _named(cells: _Cells, values: pd.Series[float]) -> pd.Series[str]:
    return _names(values, cells.edges)


def _names(values: pd.Series[float], edges: Floats | None) -> pd.Series[str]:
    if edges is None:
        return values.astype(object).where(values.notna(), _MISSING).map(str)
    numbers = values.to_numpy(dtype=np.float64, na_value=np.nan)
    bins = np.where(np.isnan(numbers), -1, np.searchsorted(edges, numbers, side="right"))
    return pd.Series(bins).map(str)


def _shares(cells: _Cells, labels: Floats) -> _Shares:
    prior = float(labels.mean())
    counted = pd.Series(labels).groupby(cells.names.to_numpy()).agg(["sum", "count"])
    return _Shares((counted["sum"] + _PRIOR_ROWS * prior) / (counted["count"] + _PRIOR_ROWS), prior)


def _labels(spec: Spec, frame: pd.DataFrame) -> Floats:
    return np.asarray(frame[spec.target] == spec.positive, dtype=np.float64)


def _loss(labels: Floats, predictions: Floats) -> float:
    tiny = np.finfo(np.float64).eps
    clipped = np.clip(predictions, tiny, 1 - tiny)
    return float(-(labels * np.log(clipped) + (1 - labels) * np.log1p(-clipped)).mean()) if len(labels) else 0.0
