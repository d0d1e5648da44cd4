"""<model>.deploy with its first task alone: what an arrival starts, hundreds of times in minutes."""

from __future__ import annotations

from airflow.sdk import DAG

from flightworthy_airflow.models import deploy_arguments, specs
from flightworthy_airflow.operators.ingest import IngestOperator

for spec in specs().loaded:
    with DAG(**deploy_arguments(spec)) as dag:
        IngestOperator(task_id="ingest", model=spec.model)
