"""Metrics of a binary classifier, for one set of row weights or for hundreds at once: numpy, no loop over resamples.

Each function takes ``weights`` of shape (resamples, rows) and returns one value per resample; a bootstrap resample is
how often each row was drawn. Formulas are scikit-learn's, weighted; a test holds them against it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["ArrayMetrics"]

Floats = NDArray[np.float64]

_BLOCK = 4_000_000
"""Weights held at once (32 MB): a holdout of a million rows is resampled four draws at a time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ArrayMetrics:
    """Implements ``evaluation.Metrics``."""

    def measure(self, labels: Sequence[int], predictions: Sequence[float], *, threshold: float) -> Mapping[str, float]:
        """Each metric's value; NaN where it is not defined, for instance roc_auc of one class."""
        once = np.ones((1, len(labels)))
        return {name: float(values[0]) for name, values in _all(labels, predictions, threshold, once).items()}

    def bootstrap(
        self, labels: Sequence[int], predictions: Sequence[float], *, threshold: float, resamples: int, seed: int
    ) -> Mapping[str, Sequence[float]]:
        """Each metric on ``resamples`` resamples, stratified by label and paired by ``seed``."""
        blocks = [
            _all(labels, predictions, threshold, weights) for weights in _draw(np.asarray(labels), resamples, seed)
        ]
        return {name: np.concatenate([block[name] for block in blocks]).tolist() for name in blocks[0]}


def _draw(labels: NDArray[np.int64], resamples: int, seed: int) -> Iterator[Floats]:
    generator = np.random.default_rng(seed)
    size = max(1, _BLOCK // max(1, len(labels)))
    for start in range(0, resamples, size):
        weights = np.zeros((min(size, resamples - start), len(labels)))
        for label in (0, 1):
            rows = np.flatnonzero(labels == label)
            if len(rows):
                share = np.full(len(rows), 1.0 / len(rows))
                weights[:, rows] = generator.multinomial(len(rows), share, size=len(weights))
        yield weights


def _all(labels: Sequence[int], predictions: Sequence[float], threshold: float, weights: Floats) -> dict[str, Floats]:
    label = np.asarray(labels, dtype=np.float64)
    prediction = np.asarray(predictions, dtype=np.float64)
    with np.errstate(divide="ignore", invalid="ignore"):
        return {
            **_ranking(label, prediction, weights),
            **_probabilities(label, prediction, weights),
            **_counts(label, prediction >= threshold, weights),
        }


def _ranking(label: Floats, prediction: Floats, weights: Floats) -> dict[str, Floats]:
    """Area under the ROC curve and average precision; rows of equal prediction form one point of each curve."""
    order = np.argsort(-prediction, kind="stable")
    last_of_ties = np.append(np.flatnonzero(np.diff(prediction[order])), len(order) - 1)
    true = np.cumsum((weights * label)[:, order], axis=1)[:, last_of_ties]
    false = np.cumsum((weights * (1.0 - label))[:, order], axis=1)[:, last_of_ties]
    gained = np.diff(true, axis=1, prepend=0.0)
    added = np.diff(false, axis=1, prepend=0.0)
    # Trapezoids: of tied rows half the pairs count.
    area = np.sum(added * (true - gained / 2.0), axis=1)
    precision = np.divide(true, true + false, out=np.zeros_like(true), where=true + false > 0)
    positives, negatives = true[:, -1], false[:, -1]
    return {
        "roc_auc": area / (positives * negatives),
        "average_precision": np.sum(gained * precision, axis=1) / positives,
    }


def _probabilities(label: Floats, prediction: Floats, weights: Floats) -> dict[str, Floats]:
    tiny = np.finfo(np.float64).eps
    clipped = np.clip(prediction, tiny, 1.0 - tiny)
    losses = -(label * np.log(clipped) + (1.0 - label) * np.log1p(-clipped))
    total = weights.sum(axis=1)
    return {
        "log_loss": weights @ losses / total,
        "brier": weights @ (label - prediction) ** 2 / total,
    }


def _counts(label: Floats, says_yes: NDArray[np.bool_], weights: Floats) -> dict[str, Floats]:
    """Metrics of the yes or no at the threshold. Precision is 0 where nobody is called positive, as in scikit-learn."""
    true_yes = weights @ (label * says_yes)
    all_yes = weights @ says_yes.astype(np.float64)
    positives = weights @ label
    right = weights @ (label == says_yes)
    return {
        "accuracy": right / weights.sum(axis=1),
        "precision": np.where(all_yes > 0, true_yes / all_yes, 0.0),
        "recall": true_yes / positives,
        "f1": 2.0 * true_yes / (all_yes + positives),
    }
