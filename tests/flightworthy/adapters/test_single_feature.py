"""The baseline: the best single feature, on real arithmetic."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from flightworthy.adapters.array_metrics import ArrayMetrics
from flightworthy.adapters.single_feature import SingleFeature
from flightworthy.training import Frames
from tests.training_material import make_frame, make_spec

SPEC = make_spec()


def frames(frame: pd.DataFrame) -> tuple[Frames, pd.DataFrame]:
    thirds = np.array_split(np.arange(len(frame)), 3)
    first, second, third = (frame.iloc[places].reset_index(drop=True) for places in thirds)
    return Frames(training=first, validation=second), third


def test_the_feature_that_tells_most_is_chosen_and_named() -> None:
    """Age decides in these rows; its baseline ranks far better than chance, and has no slices."""
    known, holdout = frames(make_frame(900))

    found = SingleFeature().score(SPEC, known, holdout)

    assert found.name == "age alone"
    assert found.scored.slices == {}
    auc = ArrayMetrics().measure(found.scored.labels, found.scored.predictions, threshold=0.5)["roc_auc"]
    assert auc > 0.75


def test_where_no_feature_tells_anything_the_share_of_positives_is_predicted() -> None:
    """What holds among the training rows alone, and is wrong among the validation rows, is nothing to go by."""
    known, holdout = frames(make_frame(300))
    turned = known.validation.assign(bought=1 - known.validation["bought"])

    found = SingleFeature().score(
        make_spec(features={"age": "integer"}), Frames(training=known.training, validation=turned), holdout
    )

    assert found.name == "the share of positives"
    assert set(found.scored.predictions) == {known.training["bought"].mean()}


@pytest.mark.parametrize("name", ["age", "colour", "is_new", "income"])
def test_missing_and_unseen_values_get_a_probability(name: str) -> None:
    """A gap is a value of its own; a value that training never saw gets the share of all."""
    known, holdout = frames(make_frame(300))
    shaken = make_spec(features={name: SPEC.features[name].model_dump(mode="json", exclude_none=True)})
    if name == "colour":
        holdout = holdout.assign(colour=["ultraviolet", *holdout["colour"][1:]])
    else:
        holdout = holdout.assign(**{name: holdout[name].astype("object").where(holdout.index > 0, None)})
        if name != "is_new":
            holdout[name] = holdout[name].astype("float64")

    found = SingleFeature().score(shaken, known, holdout)

    assert all(0 < prediction < 1 for prediction in found.scored.predictions)
    assert len(found.scored.predictions) == len(holdout)


def test_the_same_rows_give_the_same_baseline() -> None:
    """Nothing in it is drawn."""
    known, holdout = frames(make_frame(300))
    assert SingleFeature().score(SPEC, known, holdout) == SingleFeature().score(SPEC, known, holdout)
