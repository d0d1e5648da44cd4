from __future__ import annotations

import itertools
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flightworthy.adapters.array_metrics import ArrayMetrics
from flightworthy.adapters.model_code import ModelFolders
from flightworthy.errors import ModelCodeError, Refused
from flightworthy.packaging import model_artifacts
from flightworthy.testing import MemoryRuns
from flightworthy.training import (
    Frames,
    TrainingRun,
    Workshop,
    choose,
    content_key,
    contract_of,
    train,
)
from tests.training_material import NUMBERS, make_frames, make_model_folder, make_order, make_spec

BASIS: dict[str, Any] = {
    "dataset_digest": "d",
    "code_digest": "c",
    "params": {"C": 1.0, "depth": 3},
    "seed": 7,
    "lock_digest": "l",
    "config": {"threshold": 0.5},
}


def make_run(number: int, **metrics: float) -> TrainingRun:
    order = make_order(params={"number": number})
    return TrainingRun(
        model="shop",
        run_id=f"run-{number}",
        key=order.key,
        params=order.params,
        seed=7,
        runtime={},
        metrics=metrics,
        lineage=order.lineage,
        artifact_uri="",
        artifact_digest="",
    )


def test_the_same_work_has_the_same_key_whatever_the_order_of_its_parts() -> None:
    """A key can be computed anywhere, again and again."""
    turned = {**BASIS, "params": dict(reversed(BASIS["params"].items()))}
    assert content_key(**BASIS) == content_key(**turned)


@pytest.mark.parametrize(
    "part, other",
    [
        ("dataset_digest", "x"),
        ("code_digest", "x"),
        ("params", {"C": 1.0}),
        ("seed", 8),
        ("lock_digest", "x"),
        ("config", {"threshold": 0.6}),
    ],
)
def test_any_other_content_has_another_key(part: str, other: Any) -> None:
    """Nothing that changes the result is left out of the key."""
    assert content_key(**BASIS) != content_key(**{**BASIS, part: other})


@pytest.mark.parametrize("part", ["partition_key", "code_commit", "intent", "airflow_run_id", "config_digest"])
def test_who_asked_is_not_part_of_the_key(part: str) -> None:
    """A backfill and a schedule over the same data find each other's work."""
    assert make_order(**{part: "other"}).key == make_order().key


def test_what_the_spec_says_about_the_model_is_part_of_the_key_and_release_steps_are_not() -> None:
    """A new gate or bake time does not train anything again; a new split or threshold does."""
    key = make_order().key
    assert make_order(make_spec(release={"steps": [1, 100]})).key == key
    assert make_order(make_spec(evaluation={"threshold": 0.3})).key != key
    assert make_order(make_spec(dataset={"holdout": "30%"})).key != key
    assert make_order(make_spec(features=NUMBERS)).key != key


def test_the_best_trial_is_chosen_whichever_way_its_metric_points() -> None:
    """log_loss is better lower, roc_auc higher."""
    runs = [make_run(1, log_loss=0.5, roc_auc=0.9), make_run(2, log_loss=0.4, roc_auc=0.8)]
    assert choose(runs, "log_loss").run_id == "run-2"
    assert choose(runs, "roc_auc").run_id == "run-1"


@given(st.lists(st.sampled_from([0.2, 0.3, math.nan, math.inf, None]), min_size=1, max_size=5))
def test_a_trial_without_a_number_never_wins_and_order_does_not_matter(losses: list[float | None]) -> None:
    """Ties are broken by content, so that a retry chooses the same run."""
    runs = [make_run(n, **({} if loss is None else {"log_loss": loss})) for n, loss in enumerate(losses)]
    finite = [loss for loss in losses if loss is not None and math.isfinite(loss)]
    if not finite:
        with pytest.raises(Refused, match="none can be chosen"):
            choose(runs, "log_loss")
        return
    chosen = {choose(list(order), "log_loss").run_id for order in itertools.permutations(runs)}
    assert len(chosen) == 1
    assert choose(runs, "log_loss").metrics["log_loss"] == min(finite)


def test_choosing_from_nothing_is_refused() -> None:
    """No trial, no choice."""
    with pytest.raises(Refused, match="None of 0 trials"):
        choose([], "log_loss")


def test_a_training_run_survives_the_way_between_processes() -> None:
    """Packed and unpacked it is equal, and packed it is made of JSON types."""
    run = make_run(1, log_loss=0.5)
    assert TrainingRun.unpack(run.pack()) == run


def test_the_contract_names_the_features_in_order_and_how_to_read_the_answer() -> None:
    """A server needs nothing else."""
    contract = contract_of(make_spec(features={"b": {"type": "category", "values": ["x"]}, "a": "number"}))
    assert contract["features"] == [
        {"name": "b", "type": "category", "nullable": False, "values": ["x"]},
        {"name": "a", "type": "number", "nullable": False},
    ]
    assert contract["output"] == {"kind": "probability", "positive": 1, "threshold": 0.5}


@pytest.fixture
def workshop(tmp_path: Path) -> Workshop:
    make_model_folder(tmp_path / "models")
    return Workshop(
        code=ModelFolders(models=tmp_path / "models"),
        artifacts=model_artifacts(),
        metrics=ArrayMetrics(),
        runs=MemoryRuns(folder=tmp_path / "runs"),
    )


def test_a_trial_is_trained_measured_on_the_validation_rows_and_recorded(workshop: Workshop, tmp_path: Path) -> None:
    """What was recorded predicts what was measured."""
    spec = make_spec(features=NUMBERS)
    frames = make_frames()
    run = train(make_order(spec), frames, workshop)
    folder = workshop.runs.download(run, tmp_path / "again")
    scored = model_artifacts().score(folder, spec, frames.validation)
    again = ArrayMetrics().measure(scored.labels, scored.predictions, threshold=0.5)
    assert run.metrics == again
    assert run.metrics["roc_auc"] > 0.7
    assert not run.reused


def test_the_same_work_is_found_instead_of_trained(workshop: Workshop) -> None:
    """The author's code is not even called."""
    order = make_order(make_spec(features=NUMBERS))
    first = train(order, make_frames(), workshop)
    without_code = replace(workshop, code=ModelFolders(models=Path("/nowhere")))
    second = train(order, Frames(training=None, validation=None), without_code)
    assert second.reused
    assert second == first


def test_validation_rows_of_one_class_are_refused_before_anything_is_recorded(workshop: Workshop) -> None:
    """A trial that cannot be measured cannot be chosen."""
    frames = make_frames()
    one_class = replace(frames, validation=frames.validation[frames.validation["bought"] == 0])
    order = make_order(make_spec(features=NUMBERS, training={"select": "roc_auc"}))
    with pytest.raises(ModelCodeError, match=r"roc_auc on \d+ validation rows is not a number"):
        train(order, one_class, workshop)
    assert workshop.runs.find("shop", order.key) is None
