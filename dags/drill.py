"""<model>.drill: would a rollback work today? The previous release is started and asked, and given no traffic."""

from __future__ import annotations

from airflow.sdk import DAG

from flightworthy_airflow.models import drill_arguments, specs
from flightworthy_airflow.operators.drill import DrillOperator

for spec in specs().loaded:
    with DAG(**drill_arguments(spec)):
        DrillOperator(task_id="drill", model=spec.model)
