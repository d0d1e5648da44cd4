"""Registers everything that Spark says otherwise than pandas; importing it is all there is to do."""

from flightworthy.adapters.gx_suites import (  # noqa: F401 # registered
    spark_metrics,
    spark_order,
    spark_python,
    spark_quantiles,
    spark_several,
)
from flightworthy.adapters.gx_suites.counted_first import ask_only_where_some_were_counted
from flightworthy.adapters.gx_suites.spark_engine import SparkFilesExecutionEngine

__all__: list[str] = []

# The last of all: it stands before what the others registered.
ask_only_where_some_were_counted(SparkFilesExecutionEngine)
