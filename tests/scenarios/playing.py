"""One run of a DAG from its first task to its last, in this process, on Airflow's real tables.

``dag.test()`` plays manual runs only. What the scheduler creates for a backfill or for an asset's event differs in the
run's type, its interval and its events, and nothing else; those are set on the run before its first task begins.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from airflow.dag_processing.bundles.manager import DagBundlesManager
from airflow.dag_processing.dagbag import BundleDagBag, sync_bag_to_db
from airflow.models import dagrun as runs
from airflow.models.asset import AssetEvent, AssetModel
from airflow.sdk import DAG
from airflow.utils.types import DagRunType
from sqlalchemy import select

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True, slots=True, kw_only=True)
class Played:
    """How a run went: its state, each task's, and what the tasks handed on."""

    run_id: str
    state: str
    tasks: Mapping[str, str | None]
    handed_on: Mapping[str, Any]


def dag_of(file: str, dag_id: str) -> DAG:
    """The DAG in a file of the checkout, known to Airflow's tables."""
    path = ROOT / file
    bag = BundleDagBag(path, bundle_path=path.parent, bundle_name="dags-folder")
    assert not bag.import_errors, bag.import_errors
    DagBundlesManager().sync_bundles_to_db()
    sync_bag_to_db(bag, "dags-folder", None)
    return bag.dags[dag_id]


def play(
    dag: DAG, *, conf: Mapping[str, Any] | None = None, arrived: str | None = None, backfilled: str | None = None
) -> Played:
    """A manual run with ``conf``; or the run of a partition that ``arrived``; or that of a ``backfilled`` interval."""
    created = runs.get_or_create_dagrun

    def create(**asked: Any) -> Any:
        run = created(**asked)
        if arrived is not None:
            _as_arrival(run, dag, arrived, asked["session"])
        if backfilled is not None:
            _as_backfill(run, backfilled)
        asked["session"].commit()
        return run

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(runs, "get_or_create_dagrun", create)
        return _seen(dag.test(run_conf=dict(conf or {})))


def _as_backfill(run: Any, day: str) -> None:
    run.run_type = DagRunType.BACKFILL_JOB
    run.data_interval_start = datetime.fromisoformat(day).replace(tzinfo=UTC)
    run.data_interval_end = run.data_interval_start + timedelta(days=7)


def _as_arrival(run: Any, dag: DAG, partition: str, session: Any) -> None:
    model = dag.dag_id.split(".")[0]
    asset = session.scalar(select(AssetModel).where(AssetModel.name == f"{model}.new_partition"))
    payload = {"model": model, "partition": partition, "with": []}
    event = AssetEvent(asset_id=asset.id, extra={"from_trigger": True, "payload": payload})
    run.run_type = DagRunType.ASSET_TRIGGERED
    run.consumed_asset_events.append(event)


def _seen(run: Any) -> Played:
    tasks = run.get_task_instances()
    named: Callable[[Any], str] = lambda ti: ti.task_id if ti.map_index < 0 else f"{ti.task_id}[{ti.map_index}]"  # noqa: E731
    return Played(
        run_id=run.run_id,
        state=str(run.state),
        tasks={named(task): task.state and str(task.state) for task in tasks},
        handed_on={named(task): task.xcom_pull(task_ids=task.task_id, map_indexes=task.map_index) for task in tasks},
    )
