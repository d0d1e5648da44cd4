"""The DAG files as Airflow reads them: four DAGs for each model, the line in its order, and words on all of it."""

from __future__ import annotations

import itertools
import os
import shutil
from pathlib import Path
from typing import Any

import pytest
from airflow.dag_processing.dagbag import DagBag
from airflow.sdk import DAG, Asset, AssetOrTimeSchedule
from airflow.serialization.serialized_objects import DagSerialization

from flightworthy_airflow.models import specs

ROOT = Path(__file__).parents[2]
LINE = ["ingest", "check_expectations", "train", "evaluate", "register", "containerize", "promote"]
MODELS = ["claims", "diagnosis", "readmission", "repurchase"]


def parsed(**environ: str | None) -> DagBag:
    """The folder ``dags`` in that environment."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in environ.items():
            patch.setenv(name, value) if value is not None else patch.delenv(name, raising=False)
        return DagBag(ROOT / "dags", bundle_path=ROOT / "dags", bundle_name="dags-folder")


@pytest.fixture(scope="module")
def dags(tmp_path_factory: pytest.TempPathFactory) -> dict[str, DAG]:
    """As they are read where the claims file is there."""
    folder = tmp_path_factory.mktemp("claims")
    (folder / "vehicle_claims.csv").write_text("Year,Month\n")
    bag = parsed(FLIGHTWORTHY_MODELS=str(ROOT / "include" / "models"), FLIGHTWORTHY_DATA_DIR=str(folder))
    assert not bag.import_errors
    return bag.dags


def test_each_model_has_four_dags_and_nothing_else_is_there(dags: dict[str, DAG]) -> None:
    """Deploy, drill, monitor and rollback."""
    assert sorted(dags) == [
        f"{model}.{verb}" for model in MODELS for verb in ("deploy", "drill", "monitor", "rollback")
    ]


@pytest.mark.parametrize("model", MODELS)
def test_the_graph_reads_as_the_line(dags: dict[str, DAG], model: str) -> None:
    """Seven tasks under their names, each followed by the next; training is mapped over its trials."""
    deploy = dags[f"{model}.deploy"]

    assert [task.task_id for task in deploy.topological_sort()] == LINE
    for before, after in itertools.pairwise(LINE):
        assert after in deploy.get_task(before).downstream_task_ids
    assert deploy.get_task("train").is_mapped


@pytest.mark.parametrize("model", MODELS)
def test_monitoring_and_going_back_are_lines_of_their_own(dags: dict[str, DAG], model: str) -> None:
    """The monitor's second task raises the event; going back is one task."""
    monitor, rollback = dags[f"{model}.monitor"], dags[f"{model}.rollback"]

    assert [task.task_id for task in monitor.topological_sort()] == ["monitor_drift", "retrain"]
    assert [outlet.name for outlet in monitor.get_task("retrain").outlets] == [f"{model}.drift"]
    assert [task.task_id for task in rollback.tasks] == ["rollback"]
    assert [task.task_id for task in dags[f"{model}.drill"].tasks] == ["drill"]


def test_a_model_that_asks_for_approval_has_a_task_for_it_and_a_way_around_it_with_a_reason(tmp_path: Path) -> None:
    """Before promote and after all else; the other models have neither."""
    for model in MODELS:
        shutil.copytree(ROOT / "include" / "models" / model, tmp_path / model)
    file = tmp_path / "diagnosis" / "model.yaml"
    file.write_text(file.read_text().replace("release:\n", "release:\n  approval: {of: [ada, grace], at_least: 2}\n"))

    bag = parsed(FLIGHTWORTHY_MODELS=str(tmp_path))

    assert not bag.import_errors
    deploy, other = bag.dags["diagnosis.deploy"], bag.dags["claims.deploy"]
    assert [task.task_id for task in deploy.topological_sort()] == [*LINE[:-1], "approve", "promote"]
    assert deploy.get_task("approve").upstream_task_ids == {"register", "containerize"}
    assert "approve" in deploy.get_task("promote").upstream_task_ids
    assert deploy.get_task("approve").doc_md
    assert "approve → promote" in str(deploy.doc_md)
    assert dict(items(deploy))["emergency"].schema["type"] == ["null", "string"]
    assert list(deploy.get_task("approve").params) == ["note"]
    assert not other.has_task("approve")
    assert "emergency" not in dict(items(other))
    DagSerialization.deserialize_dag(DagSerialization.serialize_dag(deploy))


def test_a_drill_runs_when_the_spec_says_so_and_else_when_somebody_asks(tmp_path: Path, dags: dict[str, DAG]) -> None:
    """The shipped models name no time."""
    shutil.copytree(ROOT / "include" / "models" / "diagnosis", tmp_path / "diagnosis")
    written = (tmp_path / "diagnosis" / "model.yaml").read_text()
    (tmp_path / "diagnosis" / "model.yaml").write_text(
        written.replace("release:\n", 'release:\n  drill: "0 3 * * 1"\n')
    )

    bag = parsed(FLIGHTWORTHY_MODELS=str(tmp_path))

    assert dags["diagnosis.drill"].schedule is None
    assert not bag.import_errors
    assert bag.dags["diagnosis.drill"].schedule == "0 3 * * 1"


def test_every_dag_says_what_it_is_and_runs_once_at_a_time(dags: dict[str, DAG]) -> None:
    """A page of docs, a sentence, the model's tag, and no second release beside the first."""
    for dag_id, dag in dags.items():
        model = dag_id.split(".")[0]
        assert model in str(dag.doc_md), dag_id
        assert dag.description, dag_id
        assert {"flightworthy", model} <= set(dag.tags), dag_id
        assert dag.max_active_runs == 1, dag_id
        assert dag.catchup is False, dag_id


def test_every_task_is_explained(dags: dict[str, DAG]) -> None:
    """In the panel that the UI shows beside it: by its own words, or those of its operator."""
    unexplained = [f"{dag_id}.{task.task_id}" for dag_id, dag in dags.items() for task in dag.tasks if not task.doc_md]

    assert not unexplained


@pytest.mark.parametrize("model", MODELS)
def test_deploy_runs_on_time_and_on_events_and_can_be_backfilled(dags: dict[str, DAG], model: str) -> None:
    """Purely asset-scheduled DAGs are refused by backfill; this one carries a timetable of data intervals."""
    schedule = dags[f"{model}.deploy"].schedule

    assert isinstance(schedule, AssetOrTimeSchedule)
    timetable = DagSerialization.deserialize_dag(DagSerialization.serialize_dag(dags[f"{model}.deploy"])).timetable
    assert timetable.periodic
    assert timetable.can_be_scheduled


def wakes(dag: DAG) -> set[str]:
    """The assets whose events start it."""
    schedule: Any = dag.schedule
    found: set[str] = set()
    waiting = [schedule.asset_condition]
    while waiting:
        asset = waiting.pop()
        waiting += getattr(asset, "objects", ())
        found |= {asset.name} if isinstance(asset, Asset) else set()
    return found


def test_new_data_wakes_a_model_and_so_does_drift(tmp_path: Path, dags: dict[str, DAG]) -> None:
    """Also one whose partitions are all in one file; a source that is not to be watched is left alone."""
    assert wakes(dags["diagnosis.deploy"]) == {"diagnosis.new_partition", "diagnosis.drift"}
    assert wakes(dags["claims.deploy"]) == {"claims.new_partition", "claims.drift"}
    shutil.copytree(ROOT / "include" / "models" / "diagnosis", tmp_path / "diagnosis")
    file = tmp_path / "diagnosis" / "model.yaml"
    file.write_text(file.read_text().replace("source:\n", "source:\n  watched: false\n"))
    assert wakes(parsed(FLIGHTWORTHY_MODELS=str(tmp_path)).dags["diagnosis.deploy"]) == {"diagnosis.drift"}


def test_the_forms_are_typed_and_a_rollback_asks_for_its_reason(dags: dict[str, DAG]) -> None:
    """What a person fills in is checked before anything runs."""
    deploy, rollback = dags["diagnosis.deploy"], dags["diagnosis.rollback"]

    assert {name: param.schema["type"] for name, param in items(deploy)} == {
        "partition": ["null", "string"],
        "parameters": "object",
        "release": "boolean",
        "again": "boolean",
    }
    assert {name: param.schema["type"] for name, param in items(rollback)} == {
        "reason": "string",
        "to": ["null", "string"],
    }
    assert not dict(items(rollback))["reason"].has_value
    assert all(param.description for dag in (deploy, rollback) for _, param in items(dag))


def items(dag: DAG) -> list[tuple[str, Any]]:
    return [(name, dag.params.get_param(name)) for name in dag.params]


def test_claims_without_its_file_says_so_and_has_no_schedule(tmp_path: Path) -> None:
    """It is there to be read about; it does not fail every month."""
    bag = parsed(FLIGHTWORTHY_MODELS=str(ROOT / "include" / "models"), FLIGHTWORTHY_DATA_DIR=str(tmp_path / "empty"))

    claims = bag.dags["claims.deploy"]
    assert not bag.import_errors
    assert claims.schedule is None
    assert "This model does not run here" in str(claims.doc_md)
    assert str(tmp_path / "empty") in str(claims.doc_md)
    assert bag.dags["diagnosis.deploy"].schedule is not None


def test_a_model_that_cannot_be_read_leaves_the_others_alone(tmp_path: Path) -> None:
    """Its DAGs are not there, the others are; what is wrong stands among Airflow's import errors."""
    shutil.copytree(ROOT / "include" / "models" / "diagnosis", tmp_path / "diagnosis")
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "model.yaml").write_text("model: broken\nowner: [\n")

    bag = parsed(FLIGHTWORTHY_MODELS=str(tmp_path))

    assert sorted(bag.dags) == ["diagnosis.deploy", "diagnosis.drill", "diagnosis.monitor", "diagnosis.rollback"]
    ((file, said),) = bag.import_errors.items()
    assert file.endswith("refused.py")
    assert "broken has no DAGs until this is mended" in said
    assert "is not YAML" in said


def test_without_models_there_are_no_dags_and_no_errors(tmp_path: Path) -> None:
    """An empty folder is an installation before its first model."""
    bag = parsed(FLIGHTWORTHY_MODELS=str(tmp_path))

    assert (dict(bag.dags), dict(bag.import_errors)) == ({}, {})
    assert os.environ["FLIGHTWORTHY_MODELS"] != str(tmp_path)


def test_a_task_parses_no_model_but_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """Airflow reads the DAG file again in every task's process; two hundred models must not cost it each time."""
    monkeypatch.setenv("_AIRFLOW_PARSING_CONTEXT_DAG_ID", "claims.deploy")
    assert [spec.model for spec in specs().loaded] == ["claims"]
    monkeypatch.setenv("_AIRFLOW_PARSING_CONTEXT_DAG_ID", "somebodys_own")
    assert [spec.model for spec in specs().loaded] == MODELS
