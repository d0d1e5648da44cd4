from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as sklearn_metrics

from flightworthy.adapters import array_metrics
from flightworthy.adapters.array_metrics import ArrayMetrics

ROWS = st.lists(st.tuples(st.integers(0, 1), st.sampled_from([0.0, 0.1, 0.25, 0.5, 0.5, 0.7, 1.0])), min_size=2)


def by_sklearn(labels: list[int], predictions: list[float], threshold: float) -> dict[str, float]:
    said = [int(value >= threshold) for value in predictions]
    return {
        "roc_auc": sklearn_metrics.roc_auc_score(labels, predictions),
        "average_precision": sklearn_metrics.average_precision_score(labels, predictions),
        "log_loss": sklearn_metrics.log_loss(labels, predictions, labels=[0, 1]),
        "brier": sklearn_metrics.brier_score_loss(labels, predictions),
        "accuracy": sklearn_metrics.accuracy_score(labels, said),
        "precision": sklearn_metrics.precision_score(labels, said, zero_division=0),
        "recall": sklearn_metrics.recall_score(labels, said),
        "f1": sklearn_metrics.f1_score(labels, said),
    }


@settings(deadline=None, max_examples=60)
@given(ROWS, st.sampled_from([0.1, 0.5, 0.9]))
def test_every_metric_is_what_scikit_learn_computes(rows: list[tuple[int, float]], threshold: float) -> None:
    """With ties, with certain predictions, and with nobody called positive."""
    labels, predictions = [row[0] for row in rows], [row[1] for row in rows]
    if len(set(labels)) < 2:
        return
    assert ArrayMetrics().measure(labels, predictions, threshold=threshold) == pytest.approx(
        by_sklearn(labels, predictions, threshold)
    )


def test_a_resample_is_measured_as_if_its_rows_were_written_out() -> None:
    """Weights are the same as repeated rows."""
    generator = np.random.default_rng(1)
    labels = generator.integers(0, 2, 80)
    predictions = generator.random(80).round(1)
    weights = next(array_metrics._draw(labels, 5, 9))
    drawn = ArrayMetrics().bootstrap(labels.tolist(), predictions.tolist(), threshold=0.5, resamples=5, seed=9)
    for resample, counts in enumerate(weights.astype(int)):
        rows = np.repeat(np.arange(80), counts)
        expected = by_sklearn(labels[rows].tolist(), predictions[rows].tolist(), 0.5)
        assert {name: values[resample] for name, values in drawn.items()} == pytest.approx(expected)


def test_no_resample_loses_a_class() -> None:
    """One positive among a hundred rows is in every resample, once."""
    labels = [1] + [0] * 99
    drawn = ArrayMetrics().bootstrap(labels, [0.9] + [0.1] * 99, threshold=0.5, resamples=300, seed=1)
    assert all(math.isfinite(value) for value in drawn["roc_auc"])


def test_resamples_of_two_models_are_the_same_rows() -> None:
    """The same seed and labels: a model against itself differs in none."""
    labels, predictions = [0, 1] * 30, np.random.default_rng(2).random(60).tolist()
    first, second = (
        ArrayMetrics().bootstrap(labels, predictions, threshold=0.5, resamples=50, seed=4) for _ in range(2)
    )
    assert first == second


def test_many_rows_are_resampled_in_blocks_without_changing_the_draw(monkeypatch: pytest.MonkeyPatch) -> None:
    """Memory is bounded; a million rows times hundreds of resamples are never held at once."""
    labels, predictions = [0, 1] * 30, np.random.default_rng(2).random(60).tolist()
    whole = ArrayMetrics().bootstrap(labels, predictions, threshold=0.5, resamples=7, seed=4)
    monkeypatch.setattr(array_metrics, "_BLOCK", 120)
    blocks = ArrayMetrics().bootstrap(labels, predictions, threshold=0.5, resamples=7, seed=4)
    assert {name: len(values) for name, values in blocks.items()} == dict.fromkeys(whole, 7)


def test_a_metric_that_is_not_defined_is_nan() -> None:
    """One class has no ROC curve; everything else that has a value has it."""
    found = ArrayMetrics().measure([0, 0, 0], [0.1, 0.2, 0.9], threshold=0.5)
    assert math.isnan(found["roc_auc"])
    assert math.isnan(found["recall"])
    assert found["accuracy"] == pytest.approx(2 / 3)
