"""What a backfill knows of the past: whether an interval was done already, asked without anything slow to import."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flightworthy_airflow.hooks.opponents import champion_at
from flightworthy_airflow.hooks.workshop import lineage_of

if TYPE_CHECKING:
    from flightworthy.backtest import Point
    from flightworthy.known import Ask
    from flightworthy.spec import Spec
    from flightworthy_airflow.hooks.flightworthy import FlightworthyHook
    from flightworthy_airflow.hooks.mlflow import MlflowHook
    from flightworthy_airflow.references import DatasetReference
    from flightworthy_airflow.runs import Run

__all__ = ["backtest_page", "done_before", "keep_point", "work_key"]


def done_before(hook: FlightworthyHook, mlflow: MlflowHook, spec: Spec, ask: Ask, run: Run) -> Point | None:
    """The point of this interval, if what would be done is what was done, and its version still stands.

    What was known at an interval's end does not change, so the answer that the ask got before stands, unless somebody
    was erased from it: the source is not read.
    """
    from flightworthy_airflow.references import DatasetReference

    key = ask.key or ""
    points = hook.backtests().points(spec.model, key)
    known = hook.datasets().answered(ask, key) if points else None
    if known is None:
        return None
    dataset = DatasetReference(
        model=spec.model, partition=key, partition_digest="", dataset_digest=known.digest, rows=0, intent=run.intent
    )
    work = work_key(hook, spec, dataset, run)
    done = next((point for point in reversed(points) if point.measured.work == work), None)
    return done if done is not None and mlflow.presence().has(spec.model, done.version) else None


def keep_point(hook: FlightworthyHook, model: str, version: int, measured: Mapping[str, Any]) -> str:
    """Keep what a version was worth, packed as ``evaluate`` handed it on, and write the backtest's page; its path."""
    from flightworthy.adapters.reports import write_backtest
    from flightworthy.backtest import Measured, Point

    store = hook.backtests()
    store.keep(Point(model=model, version=version, measured=Measured.unpack(measured)))
    write_backtest(_page(hook, model), spec=hook.spec(model), store=store)
    return backtest_page(hook, model)


def backtest_page(hook: FlightworthyHook, model: str) -> str:
    """Where the page is, as a link names it."""
    return hook.report_path(_page(hook, model))


def _page(hook: FlightworthyHook, model: str) -> Path:
    return hook.reports(model) / "backtest.html"


def work_key(hook: FlightworthyHook, spec: Spec, dataset: DatasetReference, run: Run) -> str:
    """The key of all that a backfill of this interval does, here and with the code of now."""
    from flightworthy.adapters.model_code import ModelFolders
    from flightworthy.backtest import work_of
    from flightworthy.training import TrainingOrder

    code = ModelFolders(models=hook.places.models).digest(spec.model)
    lineage = lineage_of(hook, spec, dataset, run, code_digest=code)
    orders = (
        TrainingOrder(spec=spec, params={**trial, **run.parameters}, lineage=lineage) for trial in spec.training.trials
    )
    then = run.interval_end
    return work_of(
        (order.key for order in orders),
        config_digest=spec.config_digest,
        champion=None if then is None else champion_at(hook, spec.model, then),
    )
