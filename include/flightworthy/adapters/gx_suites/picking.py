"""Which rows do not meet an expectation: the condition that Great Expectations counts by, asked for places instead.

Its own lists of unexpected rows need a key column on databases, and stop at a limit.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from great_expectations.exceptions.exceptions import GreatExpectationsError
from great_expectations.validator.metric_configuration import MetricConfiguration
from pyarrow import parquet

from flightworthy.adapters.gx_suites.duckdb_engine import POSITION, DuckdbExecutionEngine

__all__ = ["places_of"]

_log = logging.getLogger(__name__)


def places_of(expectation: Any, validator: Any, files: Sequence[object]) -> list[int]:
    """Counted from 0 in the order of ``files``, growing; ``expectation`` is one about single rows.

    None at all where it cannot be evaluated: then it fails whatever is taken away.
    """
    try:
        return _places_of(expectation, validator, files)
    except (GreatExpectationsError, sa.exc.DBAPIError, KeyError) as error:
        # A metric that could not be computed is missing from the library's answer: a KeyError.
        _log.warning("cannot tell which rows do not meet %s: %s", expectation.expectation_type, type(error).__name__)
        return []


def _places_of(expectation: Any, validator: Any, files: Sequence[object]) -> list[int]:
    counted = _counted(expectation, validator.execution_engine)
    domain, values = dict(counted.metric_domain_kwargs), dict(counted.metric_value_kwargs)
    if isinstance(validator.execution_engine, DuckdbExecutionEngine):
        query = _query(expectation, validator, domain, values)
        return _numbered(validator.execution_engine.execute_query(query).fetchall(), files)
    condition = MetricConfiguration(f"{expectation.map_metric}.condition", domain, values)
    unmet, *_ = validator.get_metric(condition)
    # A condition leaves out the rows that it says nothing of; the others keep their labels, which are places.
    return sorted(int(place) for place in unmet.index[unmet.fillna(False).astype(bool)])


def _counted(expectation: Any, engine: Any) -> Any:
    """What the library would count the expectation's unexpected rows by."""
    needed = expectation.get_validation_dependencies(
        execution_engine=engine, runtime_configuration={"result_format": {"result_format": "BOOLEAN_ONLY"}}
    )
    return needed.get_metric_configuration(f"{expectation.map_metric}.unexpected_count")


def _query(expectation: Any, validator: Any, domain: dict[str, Any], values: dict[str, Any]) -> Any:
    place: list[Any] = [sa.literal_column(f"{POSITION}.{part}").label(part) for part in ("file", "row")]
    rows = _as_table(validator.execution_engine.get_domain_records(domain_kwargs=domain))
    unique = _unique_columns(expectation, domain)
    if unique:
        # The library's own condition is about a query of its own, which knows no places.
        times = sa.func.count().over(partition_by=unique).label("times")
        counted = sa.select(*place, times, *unique).select_from(rows).subquery()
        twice = sa.select(counted.c.file, counted.c.row).where(counted.c.times > 1)
        return twice.where(counted.c[unique[0].name].is_not(None)) if len(unique) == 1 else twice
    unmet, *_ = validator.get_metric(MetricConfiguration(f"{expectation.map_metric}.condition", domain, values))
    return sa.select(*place).select_from(rows).where(unmet)


def _unique_columns(expectation: Any, domain: dict[str, Any]) -> list[Any]:
    if expectation.map_metric == "column_values.unique":
        return [sa.column(domain["column"])]
    if expectation.map_metric == "compound_columns.unique":
        return [sa.column(name) for name in domain["column_list"]]
    return []


def _as_table(records: Any) -> Any:
    return records.subquery() if isinstance(records, sa.Select) else records


def _numbered(found: Sequence[Any], files: Sequence[object]) -> list[int]:
    begins, before = {}, 0
    for file in files:
        begins[str(Path(str(file)).absolute())] = before
        before += parquet.read_metadata(Path(str(file))).num_rows
    return sorted(begins[file] + row for file, row in found)
