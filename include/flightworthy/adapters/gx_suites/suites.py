"""A validation definition, a checkpoint and a page of Data Docs per result, on the engine that the suite names.

The context is ephemeral, so that nothing has to be set up.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import great_expectations as gx
import pandas as pd
from great_expectations.checkpoint.checkpoint import CheckpointResult
from great_expectations.core.expectation_validation_result import ExpectationValidationResult
from great_expectations.core.run_identifier import RunIdentifier

from flightworthy.adapters.gx_suites.actions import Surroundings, take
from flightworthy.adapters.gx_suites.completed import completed, refused
from flightworthy.adapters.gx_suites.configured import configured
from flightworthy.adapters.gx_suites.disagreements import disagreement
from flightworthy.adapters.gx_suites.pages import add_ours, context_of, links_of, write_page
from flightworthy.adapters.gx_suites.parquet_columns import Column, columns_of
from flightworthy.adapters.gx_suites.results import absent, failure, untold
from flightworthy.errors import Refused
from flightworthy.expectations import (
    Action,
    Connection,
    Connections,
    Engine,
    Expectation,
    FailedExpectation,
    StoredRows,
    SuiteResult,
)

__all__ = ["GxSuites"]

_SHOWN: Final = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class _Ran:
    """What the library keeps of a run, until its page is written."""

    context: Any
    result: CheckpointResult
    unasked: tuple[ExpectationValidationResult, ...]


def _nowhere(conn_id: str) -> Connection:
    raise Refused(f"connection {conn_id} is known inside Airflow only", conn_id=conn_id)


@dataclass(frozen=True, slots=True, kw_only=True)
class GxSuites:
    """A `flightworthy.expectations.Validator`; Data Docs go below the folder ``reports``."""

    reports: Path
    spark_master: str | None = None
    """Where Spark is, for suites that ask for it."""
    address: str | None = None
    """Where the folder of reports is read, for the links in messages; None: its pages are named as files."""
    connections: Connections = _nowhere
    seconds_of_an_action: float = 30.0

    def validate(
        self,
        rows: StoredRows,
        expectations: Sequence[Expectation],
        *,
        engine: Engine,
        model: str,
        key: str,
        now: datetime,
    ) -> SuiteResult:
        """Check every expectation on ``rows``.

        One that looks at a column which is not there has failed; Great Expectations would show a traceback instead.
        """
        columns = {each.name: each for each in columns_of([Path(file) for file in rows.files])}
        asked = [(each, _unasked(each, columns)) for each in expectations]
        address = None if self.address is None else f"{self.address}/{model}/data_docs"
        context = context_of(self._site(model), address)
        able = [configured(each, engine) for each, failed in asked if failed is None]
        definition, parameters = self._batch(context, rows, engine)
        ran = _checkpoint(context, definition, able, model=model, key=key).run(
            batch_parameters=parameters, run_id=RunIdentifier(run_name=key, run_time=now)
        )
        (result,) = ran.run_results.values()
        failures = [failure(each.to_json_dict()) for each in result.results if not each.success]
        failures += [failed for _, failed in asked if failed is not None]
        order = [each.type for each in expectations]
        unasked = tuple(refused(failed, each.kwargs) for each, failed in asked if failed is not None)
        return SuiteResult(
            model=model,
            key=key,
            checked=len(expectations),
            failures=tuple(sorted(failures, key=lambda each: order.index(each.expectation))),
            docs=None,
            evidence=_Ran(context=context, result=ran, unasked=unasked),
        )

    def publish(self, result: SuiteResult, actions: Sequence[Action]) -> SuiteResult:
        """Write the page of ``result``, take the actions, and note on the page what became of them."""
        ran: _Ran = result.evidence
        whole = completed(ran.result, ran.unasked, met=0)
        ((identifier, shown),) = whole.run_results.items()
        ran.context.validation_results_store.set(identifier, shown)
        page = write_page(ran.context, identifier, site=self._site(result.model), model=result.model)
        docs = None if page is None else page.relative_to(self.reports.absolute()).as_posix()
        published = replace(result, docs=docs, evidence=None)
        if page is not None:
            add_ours(page, published)
        if actions:
            around = Surroundings(
                context=ran.context,
                connections=self.connections,
                links=links_of(ran.context, identifier),
                seconds=self.seconds_of_an_action,
            )
            published = replace(published, actions=take(actions, _with_besides(whole, result), around))
            if page is not None:
                add_ours(page, published)
        return published

    def _site(self, model: str) -> Path:
        return self.reports / model / "data_docs"

    def pick(self, rows: StoredRows, expectations: Sequence[Expectation], *, engine: Engine) -> list[list[int]]:
        """Of each expectation the places of the rows that do not meet it, by the library's own conditions."""
        from flightworthy.adapters.gx_suites.picking import places_of

        # What Spark refused DuckDB finds in the same files: they say the same of every row.
        by: Engine = "duckdb" if engine == "spark" else engine
        with tempfile.TemporaryDirectory(prefix="flightworthy-picking-") as site:
            context = context_of(Path(site))
            definition, parameters = self._batch(context, rows, by)
            validator = context.get_validator(
                batch_request=definition.build_batch_request(parameters or None),
                expectation_suite=gx.ExpectationSuite(name="picking"),
            )
            return [places_of(configured(each, by), validator, rows.files) for each in expectations]

    def _batch(self, context: Any, rows: StoredRows, engine: Engine) -> tuple[Any, dict[str, Any]]:
        if engine == "spark":
            return _in_spark(context, rows, self.spark_master)
        return (_in_duckdb if engine == "duckdb" else _in_pandas)(context, rows)


def _checkpoint(context: Any, definition: Any, expectations: Sequence[Any], *, model: str, key: str) -> Any:
    """A checkpoint without actions: those are taken once it is known which result stands."""
    suite = context.suites.add(gx.ExpectationSuite(name=model, expectations=list(expectations)))
    validation = context.validation_definitions.add(gx.ValidationDefinition(name=model, data=definition, suite=suite))
    return context.checkpoints.add(
        gx.Checkpoint(
            name=f"{model} {key}",  # the title of every message
            validation_definitions=[validation],
            actions=[],
            result_format={
                "result_format": "BASIC",
                "partial_unexpected_count": _SHOWN,
                "return_unexpected_index_query": False,
            },
        )
    )


def _with_besides(ran: CheckpointResult, result: SuiteResult) -> CheckpointResult:
    """A message must not tell of a success where something else refused."""
    failed = [each for each in result.failures if each.expectation in result.besides]
    met = len(set(result.besides) - {each.expectation for each in failed})
    told = [refused(each, {} if each.column is None else {"column": each.column}) for each in failed]
    return completed(ran, told, met=met)


def _unasked(expectation: Expectation, columns: Mapping[str, Column]) -> FailedExpectation | None:
    """An expectation that has failed before any engine is asked; None for the others."""
    if not columns.keys() >= set(expectation.columns):
        return absent(expectation, set(columns))
    if why := disagreement(expectation, columns):
        return untold(expectation, why)
    return None


def _in_duckdb(context: Any, rows: StoredRows) -> tuple[Any, dict[str, Any]]:
    from flightworthy.adapters.gx_suites import duckdb_providers  # noqa: F401 # registered
    from flightworthy.adapters.gx_suites.duckdb_engine import VIEW

    files = [str(Path(file).absolute()) for file in rows.files]
    source = context.data_sources.add_flightworthy_parquet(
        "partition", connection_string="duckdb:///:memory:", files=files, create_temp_table=False
    )
    asset = source.add_query_asset("rows", query=f"SELECT * FROM {VIEW}")  # noqa: S608 # our own name
    return asset.add_batch_definition_whole_table("whole"), {}


def _in_spark(context: Any, rows: StoredRows, master: str | None) -> tuple[Any, dict[str, Any]]:
    from flightworthy.adapters.gx_suites.spark_session import session_of

    spark = session_of(master)
    from flightworthy.adapters.gx_suites import spark_providers  # noqa: F401 # registered
    from flightworthy.adapters.gx_suites.spark_engine import rows_of

    files = [str(Path(file).absolute()) for file in rows.files]
    asset = context.data_sources.add_flightworthy_spark("partition", files=files).add_dataframe_asset("rows")
    return asset.add_batch_definition_whole_dataframe("whole"), {"dataframe": rows_of(spark, files)}


def _in_pandas(context: Any, rows: StoredRows) -> tuple[Any, dict[str, Any]]:
    asset = context.data_sources.add_pandas("partition").add_dataframe_asset("rows")
    return asset.add_batch_definition_whole_dataframe("whole"), {"dataframe": _with_plain_text(rows.frame())}


def _with_plain_text(frame: pd.DataFrame) -> pd.DataFrame:
    """Text as Python strings: Great Expectations takes the type of each value, and does not know pandas 3's ``str``."""
    text = [name for name in frame.columns if isinstance(frame[name].dtype, pd.StringDtype)]
    return frame.astype(dict.fromkeys(text, object)) if text else frame
