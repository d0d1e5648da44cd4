"""What tasks would otherwise import for seconds, each for itself.

Name this module in ``[scheduler] mp_forkserver_preload`` and every task of a LocalExecutor is forked from a process
that has done so already. Nothing here opens a connection or starts a thread.
"""

import flightworthy.adapters.array_metrics
import flightworthy.adapters.backtest_files
import flightworthy.adapters.dataset_files
import flightworthy.adapters.docker_images
import flightworthy.adapters.drift_scores
import flightworthy.adapters.evidently_drift
import flightworthy.adapters.gx_suites
import flightworthy.adapters.mlflow_presence
import flightworthy.adapters.mlflow_tracking.registry
import flightworthy.adapters.mlflow_tracking.runs
import flightworthy.adapters.model_code
import flightworthy.adapters.onnx_models.writer
import flightworthy.adapters.partition_files
import flightworthy.adapters.prediction_files
import flightworthy.adapters.reports
import flightworthy.adapters.single_feature
import flightworthy.adapters.skops_models.writer
import flightworthy.adapters.sql_releases  # noqa: F401
import flightworthy_airflow.operators.check_expectations
import flightworthy_airflow.operators.containerize
import flightworthy_airflow.operators.evaluate
import flightworthy_airflow.operators.ingest
import flightworthy_airflow.operators.monitor_drift
import flightworthy_airflow.operators.promote
import flightworthy_airflow.operators.register
import flightworthy_airflow.operators.retrain
import flightworthy_airflow.operators.rollback
import flightworthy_airflow.operators.train
import flightworthy_airflow.triggers.new_partition  # noqa: F401

__all__: list[str] = []
