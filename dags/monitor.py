"""<model>.monitor: does the world still look like the data the champion learnt from? If not, ask for a retrain."""

from __future__ import annotations

from airflow.sdk import DAG, chain

from flightworthy_airflow.assets import drift_asset
from flightworthy_airflow.models import monitor_arguments, specs
from flightworthy_airflow.operators.monitor_drift import MonitorDriftOperator
from flightworthy_airflow.operators.retrain import RetrainOperator

for spec in specs().loaded:
    with DAG(**monitor_arguments(spec)):
        monitor_drift = MonitorDriftOperator(task_id="monitor_drift", model=spec.model)
        retrain = RetrainOperator(
            task_id="retrain", model=spec.model, drift=monitor_drift.output, outlets=[drift_asset(spec.model)]
        )
        chain(monitor_drift, retrain)
