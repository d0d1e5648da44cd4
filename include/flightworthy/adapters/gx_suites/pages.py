"""The Data Docs of a model: a site in a folder that stays, in which every result keeps its page.

``<reports>/<model>/data_docs/validations/<model>/<key>/<time>/partition-rows.html``. The site's index is ours: Great
Expectations' removes the page of every result that its own context does not hold.
"""

from __future__ import annotations

import html
import logging
import os
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote, unquote, urlsplit

# Read once, while Great Expectations is imported: no telemetry from a task.
os.environ.setdefault("GX_ANALYTICS_ENABLED", "false")

import great_expectations as gx
from great_expectations.data_context.types.resource_identifiers import ExpectationSuiteIdentifier

from flightworthy.expectations import FailedExpectation

__all__ = ["add_comparisons", "context_of", "write_page"]

_SITE: Final = "flightworthy"
_COMPARED, _END = "<!-- comparisons -->", "<!-- end of comparisons -->"
_log = logging.getLogger(__name__)


def write_page(context: Any, identifier: Any, *, site: Path, model: str) -> Path | None:
    """Build the page of one result and list it; None where the library built none."""
    context.build_data_docs([_SITE], [identifier, ExpectationSuiteIdentifier(name=model)], build_index=False)
    _write_index(site, model)
    return _page(context, identifier)


def add_comparisons(page: Path, compared: Mapping[str, Sequence[FailedExpectation]]) -> None:
    """Put what the comparisons said below the library's own results, in the place of what was put there before."""
    written = page.read_text(encoding="utf-8")
    if _COMPARED in written:
        before, _, rest = written.partition(_COMPARED)
        rest = rest.partition(_END)[2]
    else:
        before, body, rest = written.rpartition("</body>")
        rest = body + rest
    making = page.with_name(f".{page.name}.{os.getpid()}")
    making.write_text(f"{before}{_COMPARED}{_section(compared)}{_END}{rest}", encoding="utf-8")
    making.replace(page)


def _section(compared: Mapping[str, Sequence[FailedExpectation]]) -> str:
    rows = "".join(
        "<tr>" + "".join(f"<td>{html.escape(cell)}</td>" for cell in (_words(name), verdict, said)) + "</tr>"
        for name, failures in compared.items()
        for verdict, said in ([(each.severity, each.told) for each in failures] or [("met", "")])
    )
    return (
        '<div class="container-fluid p-4"><h4>Beside the partitions before it, and of the times of its rows</h4>'
        '<table class="table table-bordered"><thead><tr><th>asked</th><th>verdict</th><th>what was seen</th></tr>'
        f"</thead><tbody>{rows}</tbody></table></div>"
    )


def _words(name: str) -> str:
    return name.removeprefix("expect_").replace("_", " ")


def context_of(site: Path) -> Any:
    """An ephemeral context that knows the site and nothing else."""
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
