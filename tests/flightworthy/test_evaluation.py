from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pytest

from flightworthy.adapters.array_metrics import ArrayMetrics
from flightworthy.comparison import Comparison, compare
from flightworthy.errors import Refused
from flightworthy.evaluation import MINIMUM_SLICE_ROWS, Evaluation, Method, Scored, evaluate, percentile

METHOD = Method(metrics=ArrayMetrics(), threshold=0.5, resamples=200, seed=7)


def make_scored(rows: int = 300, *, noise: float = 1.0, seed: int = 3, slices: Sequence[str] | None = None) -> Scored:
    generator = np.random.default_rng(11)
    labels = (generator.random(rows) < 0.4).astype(int)
    score = 2.0 * labels - 1.0 + np.random.default_rng(seed).normal(0, noise, rows)
    predictions = 1.0 / (1.0 + np.exp(-score))
    return Scored(
        labels=labels.tolist(), predictions=predictions.tolist(), slices={} if slices is None else {"sex": slices}
    )


def test_every_metric_lies_in_its_interval_and_the_interval_is_repeatable() -> None:
    """The seed decides the resamples, and nothing else does."""
    found = evaluate(make_scored(), METHOD)
    assert len(found.metrics) == 8
    for name, estimate in found.metrics.items():
        assert estimate.low <= estimate.value <= estimate.high, name
        assert estimate.low < estimate.high, name
    assert evaluate(make_scored(), METHOD) == found


def test_more_rows_make_narrower_intervals() -> None:
    """An interval tells how much is known."""
    few, many = (evaluate(make_scored(rows), METHOD).metrics["roc_auc"] for rows in (60, 3000))
    assert many.high - many.low < (few.high - few.low) / 3


@pytest.mark.parametrize("bad", [math.nan, math.inf, -0.1, 1.1])
def test_a_prediction_that_is_no_probability_is_refused(bad: float) -> None:
    """NaN would compare as neither better nor worse, and so slip through."""
    scored = make_scored()
    broken = Scored(labels=scored.labels, predictions=[*scored.predictions[:-1], bad], slices={})
    with pytest.raises(Refused, match="are not probabilities") as caught:
        evaluate(broken, METHOD)
    assert caught.value.facts["bad"] == 1


@pytest.mark.parametrize("labels", [[], [0] * 50, [1] * 50])
def test_a_holdout_of_one_class_or_none_is_refused(labels: list[int]) -> None:
    """Nothing can be measured on it."""
    with pytest.raises(Refused, match="Both classes are needed"):
        evaluate(Scored(labels=labels, predictions=[0.5] * len(labels), slices={}), METHOD)


def test_slices_are_measured_where_there_is_evidence_and_counted_where_there_is_none() -> None:
    """A value with few rows is listed with its rows and without metrics."""
    few = MINIMUM_SLICE_ROWS - 1
    found = evaluate(make_scored(slices=["f"] * few + ["m"] * (300 - few)), METHOD).slices["sex"]
    assert (found["f"].rows, found["f"].metrics) == (few, {})
    assert found["m"].rows == 300 - few
    assert set(found["m"].metrics) >= {"roc_auc", "recall"}


def test_a_slice_of_one_class_is_no_evidence() -> None:
    """However many rows it has."""
    scored = make_scored()
    found = evaluate(Scored(**{**_fields(scored), "slices": {"sex": [str(label) for label in scored.labels]}}), METHOD)
    assert all(value.metrics == {} for value in found.slices["sex"].values())


def test_calibration_covers_every_row_once_in_order_of_prediction() -> None:
    """The mean over all bins is the mean over all rows."""
    scored = make_scored()
    bins = evaluate(scored, METHOD).calibration
    assert sum(part.rows for part in bins) == 300
    assert [part.predicted for part in bins] == sorted(part.predicted for part in bins)
    mean = sum(part.observed * part.rows for part in bins) / 300
    assert mean == pytest.approx(sum(scored.labels) / 300)


def test_calibration_keeps_rows_of_equal_prediction_together() -> None:
    """A model that says 0.4 to everybody is judged on everybody, not first on the negatives."""
    bins = evaluate(Scored(labels=[0, 1, 1, 0, 0] * 20, predictions=[0.4] * 100, slices={}), METHOD).calibration
    assert [(part.rows, part.observed) for part in bins] == [(100, 0.4)]


def test_a_model_compared_with_itself_is_worse_by_nothing() -> None:
    """Paired resamples: the difference is exactly zero in each."""
    found = compare(make_scored(), make_scored(), METHOD)
    assert {(worsening.value, worsening.bound) for worsening in found.metrics.values()} == {(0.0, 0.0)}


def test_a_worse_model_is_worse_whichever_way_a_metric_points_and_the_bound_lies_above() -> None:
    """Worsening is positive for log_loss that rose and for roc_auc that fell."""
    found = compare(make_scored(noise=3.0), make_scored(noise=0.5), METHOD)
    for name in ("roc_auc", "log_loss", "brier", "accuracy", "average_precision"):
        assert 0 < found.metrics[name].value < found.metrics[name].bound, name
    better = compare(make_scored(noise=0.5), make_scored(noise=3.0), METHOD)
    assert better.metrics["log_loss"].value == pytest.approx(-found.metrics["log_loss"].value)


def test_pairing_makes_the_bound_tighter_than_two_intervals_would() -> None:
    """Two nearly equal models are told apart on the rows they share."""
    champion = make_scored(noise=1.5)
    challenger = Scored(**{**_fields(champion), "predictions": [0.98 * value + 0.01 for value in champion.predictions]})
    interval = evaluate(champion, METHOD).metrics["log_loss"]
    worsening = compare(challenger, champion, METHOD).metrics["log_loss"]
    assert worsening.bound - worsening.value < (interval.high - interval.low) / 4


def test_models_scored_on_different_rows_are_not_compared() -> None:
    """The same number of rows is not the same rows."""
    with pytest.raises(Refused, match="different holdout rows"):
        compare(make_scored(100), make_scored(101), METHOD)


def test_an_evaluation_and_a_comparison_survive_the_way_between_processes() -> None:
    """Packed and unpacked they are equal."""
    scored = make_scored(slices=["f", "m"] * 150)
    found, compared = evaluate(scored, METHOD), compare(scored, scored, METHOD)
    assert Evaluation.unpack(found.pack()) == found
    assert Comparison.unpack(compared.pack()) == compared


def test_percentiles_are_numpys() -> None:
    """Linear interpolation between ranks; one NaN makes the answer NaN."""
    values = [3.0, 1.0, 4.0, 1.5, 9.0]
    for percent in (0, 2.5, 50, 95, 100):
        assert percentile(values, percent) == pytest.approx(np.percentile(values, percent))
    assert math.isnan(percentile([1.0, math.nan], 50))
    assert math.isnan(percentile([], 50))


def _fields(scored: Scored) -> dict[str, object]:
    return {"labels": scored.labels, "predictions": scored.predictions, "slices": scored.slices}
