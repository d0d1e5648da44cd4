"""Registers everything that DuckDB says otherwise than SQL elsewhere; importing it is all there is to do."""

from flightworthy.adapters.gx_suites import (  # noqa: F401 # registered
    duckdb_metrics,
    duckdb_order,
    duckdb_python,
    duckdb_several,
)
from flightworthy.adapters.gx_suites.counted_first import ask_only_where_some_were_counted
from flightworthy.adapters.gx_suites.duckdb_engine import DuckdbExecutionEngine

__all__: list[str] = []

# The last of all: it stands before what the others registered.
ask_only_where_some_were_counted(DuckdbExecutionEngine)
