"""<model>.deploy: a model's way from data to traffic, on time, on new data and on drift."""

from __future__ import annotations

from airflow.sdk import DAG, chain

from flightworthy_airflow.docs import explanation
from flightworthy_airflow.models import deploy_arguments, deploy_form, specs
from flightworthy_airflow.operators.approve import ApproveOperator
from flightworthy_airflow.operators.check_expectations import CheckExpectationsOperator
from flightworthy_airflow.operators.containerize import ContainerizeOperator
from flightworthy_airflow.operators.evaluate import EvaluateOperator
from flightworthy_airflow.operators.ingest import IngestOperator
from flightworthy_airflow.operators.promote import PromoteOperator
from flightworthy_airflow.operators.register import RegisterOperator
from flightworthy_airflow.operators.train import TrainOperator

for spec in specs().loaded:
    with DAG(**deploy_arguments(spec)) as dag:
        ingest = IngestOperator(task_id="ingest", model=spec.model)
        check_expectations = CheckExpectationsOperator(
            task_id="check_expectations", model=spec.model, dataset=ingest.output
        )
        train = TrainOperator.partial(
            task_id="train",
            model=spec.model,
            dataset=check_expectations.output,
            map_index_template="{{ task.title }}",
            doc_md=explanation(TrainOperator),
        ).expand(trial=list(spec.training.trials))
        evaluate = EvaluateOperator(
            task_id="evaluate", model=spec.model, dataset=check_expectations.output, runs=train.output
        )
        register = RegisterOperator(
            task_id="register",
            model=spec.model,
            evaluation=evaluate.output,
            release_tasks=("containerize", "approve", "promote"),
        )
        containerize = ContainerizeOperator(task_id="containerize", model=spec.model, version=register.output)
        promote = PromoteOperator(task_id="promote", model=spec.model, version=register.output)
        chain(ingest, check_expectations, train, evaluate, register, containerize, promote)
        if spec.release.approval is not None:
            approve = ApproveOperator(task_id="approve", model=spec.model, version=register.output)
            chain(containerize, approve, promote)
    dag.params = deploy_form(spec)
