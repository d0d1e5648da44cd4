"""Somebody's own DAG: wait for the week's partition, check it, train one model, register it. Nothing is released.

Flightworthy's operators need none of its DAG files: each takes a model's name and the output of the one before.
"""

from __future__ import annotations

import os
from datetime import UTC, datetime

from airflow.sdk import DAG, CronDataIntervalTimetable, Param

from flightworthy_airflow.operators.check_expectations import CheckExpectationsOperator
from flightworthy_airflow.operators.evaluate import EvaluateOperator
from flightworthy_airflow.operators.ingest import IngestOperator
from flightworthy_airflow.operators.register import RegisterOperator
from flightworthy_airflow.operators.train import TrainOperator
from flightworthy_airflow.sensors.new_partition import NewPartitionSensor

MODEL = "diagnosis"
LANDING = os.environ.get("FLIGHTWORTHY_LANDING", ".flightworthy/landing")

with DAG(
    dag_id="by_hand",
    schedule=CronDataIntervalTimetable("0 0 * * 1", timezone="UTC"),
    start_date=datetime(2025, 1, 6, tzinfo=UTC),
    catchup=False,
    params={"partition": Param(None, type=["null", "string"], description="For a run by hand: which week.")},
    doc_md=__doc__,
):
    landed = NewPartitionSensor(
        task_id="landed", source={"uri": f"{LANDING}/{MODEL}/{{partition}}.csv", "partition": "%Y-%m-%d"}
    )
    ingest = IngestOperator(task_id="ingest", model=MODEL)
    check = CheckExpectationsOperator(task_id="check_expectations", model=MODEL, dataset=ingest.output)
    train = TrainOperator(task_id="train", model=MODEL, dataset=check.output, trial={"C": 0.1, "max_iter": 200})
    evaluate = EvaluateOperator(task_id="evaluate", model=MODEL, dataset=check.output, runs=train.output)
    register = RegisterOperator(task_id="register", model=MODEL, evaluation=evaluate.output)
    landed >> ingest  # the others follow from what they are handed
