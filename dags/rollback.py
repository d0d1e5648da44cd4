"""<model>.rollback: back to a release that served before, from the form in the UI."""

from __future__ import annotations

from airflow.sdk import DAG

from flightworthy_airflow.models import rollback_arguments, rollback_form, specs
from flightworthy_airflow.operators.rollback import RollbackOperator

for spec in specs().loaded:
    with DAG(**rollback_arguments(spec)) as dag:
        RollbackOperator(task_id="rollback", model=spec.model, to="{{ params.to }}", reason="{{ params.reason }}")
    dag.params = rollback_form()
