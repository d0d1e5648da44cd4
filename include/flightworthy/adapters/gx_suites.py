"""Runs expectations with Great Expectations: a validation definition, a checkpoint, and a page of Data Docs per result.

The context is ephemeral, so that nothing has to be set up. The Data Docs site is a folder that stays, and in it every
result keeps its page: ``<reports>/<model>/data_docs/validations/<model>/<key>/<time>/partition-rows.html``. The site's
index is ours: Great Expectations' removes the page of every result that its own context does not hold.
"""

from __future__ import annotations

import html
import logging
import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote, unquote, urlsplit

# Read once, while Great Expectations is imported: no telemetry from a task.
os.environ.setdefault("GX_ANALYTICS_ENABLED", "false")

import great_expectations as gx
import pandas as pd
from great_expectations.core.run_identifier import RunIdentifier
from great_expectations.data_context.types.resource_identifiers import ExpectationSuiteIdentifier
from great_expectations.expectations.expectation_configuration import ExpectationConfiguration
from great_expectations.expectations.metadata_types import FailureSeverity

from flightworthy.errors import SpecError
from flightworthy.expectations import Expectation, FailedExpectation, SuiteResult

__all__ = ["GxSuites"]

_SITE: Final = "flightworthy"
_SHOWN: Final = 5
_LONGEST: Final = 160
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class GxSuites:
    """A `flightworthy.expectations.Validator`; Data Docs go below the folder ``reports``."""

    reports: Path

    def validate(
        self, frame: pd.DataFrame, expectations: Sequence[Expectation], *, model: str, key: str, now: datetime
    ) -> SuiteResult:
        """Check every expectation on ``frame``.

        One that looks at a column which is not there has failed; Great Expectations would show a traceback instead.
        """
        present = {str(name) for name in frame.columns}
        able = [each for each in expectations if present.issuperset(each.columns)]
        unable = [each for each in expectations if not present.issuperset(each.columns)]
        site = self.reports / model / "data_docs"
        results, page = _run(frame, [_configured(each) for each in able], model=model, key=key, now=now, site=site)
        failures = [_failure(result.to_json_dict()) for result in results if not result.success]
        failures += [_absent(each, present) for each in unable]
        order = [each.type for each in expectations]
        return SuiteResult(
            model=model,
            key=key,
            checked=len(expectations),
            failures=tuple(sorted(failures, key=lambda each: order.index(each.expectation))),
            docs=None if page is None else page.relative_to(self.reports.absolute()).as_posix(),
        )


def _run(
    frame: pd.DataFrame, expectations: Sequence[Any], *, model: str, key: str, now: datetime, site: Path
) -> tuple[Sequence[Any], Path | None]:
    context = _context(site)
    suite = context.suites.add(gx.ExpectationSuite(name=model, expectations=list(expectations)))
    rows = context.data_sources.add_pandas("partition").add_dataframe_asset("rows")
    definition = gx.ValidationDefinition(
        name=model, data=rows.add_batch_definition_whole_dataframe("whole"), suite=suite
    )
    checkpoint = context.checkpoints.add(
        gx.Checkpoint(
            name=model,
            validation_definitions=[context.validation_definitions.add(definition)],
            actions=[],
            result_format={"result_format": "BASIC", "partial_unexpected_count": _SHOWN},
        )
    )
    ran = checkpoint.run(
        batch_parameters={"dataframe": _with_plain_text(frame)}, run_id=RunIdentifier(run_name=key, run_time=now)
    )
    ((identifier, result),) = ran.run_results.items()
    context.build_data_docs([_SITE], [identifier, ExpectationSuiteIdentifier(name=model)], build_index=False)
    _write_index(site, model)
    return result.results, _page(context, identifier)


def _context(site: Path) -> Any:
    context: Any = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = {"globally": False, "metric_calculations": False}
    backend = {"class_name": "TupleFilesystemStoreBackend", "base_directory": str(site.absolute())}
    index = {"class_name": "DefaultSiteIndexBuilder"}
    for name, config in list(context.variables.data_docs_sites.items()):
        # A temporary folder that it made for a site which nobody asked for.
        shutil.rmtree(config["store_backend"]["base_directory"], ignore_errors=True)
        context.delete_data_docs_site(name)
    context.add_data_docs_site(
        site_name=_SITE,
        site_config={
            "class_name": "SiteBuilder",
            "store_backend": backend,
            "site_index_builder": index,
            "show_how_to_buttons": False,
        },
    )
    return context


def _write_index(site: Path, model: str) -> None:
    """List the pages of the site, the newest first."""
    pages = sorted((site / "validations").rglob("*.html"), key=lambda page: page.parent.name, reverse=True)
    items = "".join(
        f'<li><a href="{html.escape(quote(page.relative_to(site).as_posix()))}">'
        f"{html.escape(page.parent.parent.name)}</a> checked {html.escape(page.parent.name)}</li>"
        for page in pages
    )
    title = f"Expectations of {html.escape(model)}"
    making = site / f".index.{os.getpid()}"
    making.write_text(
        f'<!doctype html><meta charset="utf-8"><title>{title}</title><h1>{title}</h1><ul>{items}</ul>\n',
        encoding="utf-8",
    )
    making.replace(site / "index.html")


def _page(context: Any, identifier: Any) -> Path | None:
    urls = context.get_docs_sites_urls(resource_identifier=identifier, site_name=_SITE)
    path = Path(unquote(urlsplit(urls[0]["site_url"] or "").path)) if urls else None
    if path is None or not path.is_file():
        _log.warning("Data Docs have no page for this result; the result itself stands")
        return None
    return path


def _with_plain_text(frame: pd.DataFrame) -> pd.DataFrame:
    """Text as Python strings: Great Expectations takes the type of each value, and does not know pandas 3's ``str``."""
    text = [name for name in frame.columns if isinstance(frame[name].dtype, pd.StringDtype)]
    return frame.astype(dict.fromkeys(text, object)) if text else frame


def _configured(expectation: Expectation) -> Any:
    configuration = ExpectationConfiguration(
        type=expectation.type,
        kwargs=dict(expectation.kwargs),
        meta=dict(expectation.meta),
        severity=FailureSeverity(expectation.severity),
    )
    try:
        return configuration.to_domain_obj()
    except (ValueError, TypeError) as error:
        place = f"suite.yaml:{expectation.line}" if expectation.line else "the spec"
        raise SpecError(
            f"{place}: {expectation.type}: Great Expectations does not take these kwargs: {_sentence(error)}",
            file="suite.yaml",
            line=expectation.line,
            key=expectation.type,
        ) from error


def _sentence(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    # pydantic begins with a count; the fields and what is wrong with them follow.
    return " ".join(lines[1:]) if len(lines) > 1 else " ".join(lines)


def _absent(expectation: Expectation, present: set[str]) -> FailedExpectation:
    missing = [name for name in expectation.columns if name not in present]
    return FailedExpectation(
        expectation=expectation.type,
        column=missing[0],
        observed="the column is not there",
        severity=expectation.severity,
    )


def _failure(result: Mapping[str, Any]) -> FailedExpectation:
    configuration = result["expectation_config"]
    kwargs = configuration["kwargs"]
    return FailedExpectation(
        expectation=configuration["type"],
        column=kwargs.get("column") or kwargs.get("column_A"),
        observed=_observed(result),
        severity=configuration.get("severity") or "critical",
    )


def _observed(result: Mapping[str, Any]) -> str:
    """What was seen, in a line; the shapes are Great Expectations', one per kind of expectation."""
    said = result["result"]
    raised = result.get("exception_info") or {}
    if raised.get("raised_exception") or not said:
        each = (
            [raised] if "raised_exception" in raised else [one for one in raised.values() if isinstance(one, Mapping)]
        )
        messages = sorted({str(one.get("exception_message")) for one in each}) or ["it gave no result"]
        return _in_a_line(f"could not be evaluated: {'; '.join(messages)}")
    if mismatched := (said.get("details") or {}).get("mismatched"):
        return "; ".join(f"{name} {', '.join(map(str, columns))}" for name, columns in sorted(mismatched.items()))
    if said.get("unexpected_count"):
        return _in_a_line(_unexpected(said))
    if said.get("observed_value") is None:
        return _in_a_line(f"expected {result['expectation_config']['kwargs'].get('value_set', 'otherwise')}")
    return _in_a_line(f"observed {said['observed_value']}")


def _unexpected(said: Mapping[str, Any]) -> str:
    examples = dict.fromkeys(_example(value) for value in said.get("partial_unexpected_list", []) if value is not None)
    counted = (
        f"{said['unexpected_count']} of {said['element_count']} are not"
        if "element_count" in said
        else "there are others"
    )
    return f"{counted}, such as {', '.join(examples)}" if examples else counted


def _example(value: Any) -> str:
    if isinstance(value, list | tuple):
        return f"({', '.join(_example(each) for each in value)})"
    return repr(value.item() if hasattr(value, "item") else value)


def _in_a_line(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _LONGEST else f"{line[: _LONGEST - 1]}…"
