"""World: the data tells the story that the tour tells."""

from __future__ import annotations

from itertools import islice
from pathlib import Path

import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss, roc_auc_score
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from demo.world import BROKEN, ENTITY, FIRST, HISTORY, SECOND, TARGET, World, features, records
from flightworthy.dataset import Split, split_of


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(landing=tmp_path)


def side(frame: pd.DataFrame, *sides: Split) -> pd.DataFrame:
    return frame[[split_of(entity, holdout=0.2, validation=0.2) in sides for entity in frame[ENTITY]]]


def fitted(frame: pd.DataFrame) -> Pipeline:
    seen = side(frame, Split.TRAIN)
    model = make_pipeline(StandardScaler(), LogisticRegression(C=1.0, max_iter=500))
    return model.fit(seen[features()], seen[TARGET])


def scores(model: Pipeline, frame: pd.DataFrame) -> tuple[float, float]:
    held = side(frame, Split.HOLDOUT)
    chances = model.predict_proba(held[features()])[:, 1]
    return roc_auc_score(held[TARGET], chances), log_loss(held[TARGET], chances)


def test_no_record_arrives_twice(world: World) -> None:
    """Over all partitions, also those of the history, a record id is there once."""
    paths = [world.first(), world.second(), world.mended(), *world.history()]

    ids = pd.concat([pd.read_csv(path) for path in paths])[ENTITY]

    assert ids.is_unique
    assert set(pd.read_csv(world.revision())[ENTITY]).isdisjoint(set(ids) - set(pd.read_csv(world.second())[ENTITY]))


def test_partitions_land_whole_under_their_mondays(world: World, tmp_path: Path) -> None:
    """Nothing but the finished files is left in the landing folder."""
    world.first(), world.second(), world.broken(), world.history()

    names = sorted(path.stem for path in (tmp_path / "diagnosis").iterdir())

    assert names == sorted([*HISTORY, FIRST, SECOND, BROKEN])
    assert all(pd.Timestamp(name).day_name() == "Monday" for name in names)
    assert max(HISTORY) < FIRST < SECOND < BROKEN


def test_the_second_model_beats_the_first_on_the_same_holdout(world: World) -> None:
    """More records, a better model, by the measures that the gates look at."""
    first = pd.read_csv(world.first())
    both = pd.concat([first, pd.read_csv(world.second())])

    before, after = scores(fitted(first), both), scores(fitted(both), both)

    assert scores(fitted(first), first)[0] >= 0.9
    assert after[0] >= before[0]
    assert after[1] < before[1] - 0.03


def test_drift_ruins_the_second_model_and_the_third_has_learnt_it(world: World) -> None:
    """The retrain that the drift asks for is worth it."""
    first, second = pd.read_csv(world.first()), pd.read_csv(world.second())
    newest = pd.concat([first, pd.read_csv(world.revision())])

    stale, learnt = scores(fitted(pd.concat([first, second])), newest), scores(fitted(newest), newest)

    assert stale[1] > 0.5
    assert learnt[0] >= 0.97
    assert learnt[1] < 0.2


def test_the_revision_keeps_every_row_of_the_second_partition(world: World) -> None:
    """A revision corrects or adds; what was known stays known."""
    second, revised = pd.read_csv(world.second()), pd.read_csv(world.revision())

    pd.testing.assert_frame_equal(revised.head(len(second)), second)
    assert len(revised) > len(second)


def test_the_broken_partition_is_broken_in_three_ways(world: World) -> None:
    """A column missing, one of the wrong type, one without a value."""
    broken = pd.read_csv(world.broken())

    assert set(records().columns) - set(broken.columns) == {"mean_area"}
    assert not pd.api.types.is_numeric_dtype(broken["mean_texture"])
    assert broken["worst_radius"].isna().all()


def test_drifted_requests_differ_in_more_than_a_third_of_the_features(world: World) -> None:
    """Enough for the model's ``drifted_share`` of 30 %, while the others stay as they were."""
    plain, other = next(world.requests()), next(world.requests(drifted=True))

    moved = {name for name in features() if other[name] != plain[name]}

    assert len(moved) == 12
    assert plain[ENTITY] == other[ENTITY]
    assert TARGET not in plain


def test_requests_never_end(world: World) -> None:
    """They begin again with the first record."""
    asked = list(islice(world.requests(), 600))

    assert asked[569] == asked[0]


def test_malignant_is_one(world: World) -> None:
    """Scikit-learn counts the benign; a diagnosis counts the malignant, of which the file has 212."""
    assert records()[TARGET].sum() == 212
