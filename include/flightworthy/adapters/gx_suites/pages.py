"""The Data Docs of a model: a site in a folder that stays, in which every result keeps its page.

``<reports>/<model>/data_docs/validations/<model>/<key>/<time>/partition-rows.html``. The site's index is ours: Great
Expectations' removes the page of every result that its own context does not hold.
"""

from __future__ import annotations

import html
import logging
import os
import shutil
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote, unquote

# Read once, while Great Expectations is imported: no telemetry from a task.
os.environ.setdefault("GX_ANALYTICS_ENABLED", "false")

import great_expectations as gx
from great_expectations.data_context.types.resource_identifiers import ExpectationSuiteIdentifier

from flightworthy.expectations import SuiteResult

__all__ = ["add_ours", "context_of", "links_of", "write_page"]

_SITE: Final = "flightworthy"
_OURS, _END = "<!-- Flightworthy -->", "<!-- end of Flightworthy -->"
_log = logging.getLogger(__name__)


def write_page(context: Any, identifier: Any, *, site: Path, model: str) -> Path | None:
    """Build the page of one result and list it; None where the library built none."""
    context.build_data_docs([_SITE], [identifier, ExpectationSuiteIdentifier(name=model)], build_index=False)
    _write_index(site, model)
    return _page(context, identifier, site)


def links_of(context: Any, identifier: Any) -> dict[Any, dict[str, str]]:
    """Where the page of a result is read, by the name of its site."""
    urls = context.get_docs_sites_urls(resource_identifier=identifier, site_name=_SITE)
    return {identifier: {each["site_name"]: each["site_url"] for each in urls if each["site_url"]}}


def add_ours(page: Path, result: SuiteResult) -> None:
    """Put what is ours below the library's own results, in the place of what was put there before."""
    written = page.read_text(encoding="utf-8")
    if _OURS in written:
        before, _, rest = written.partition(_OURS)
        rest = rest.partition(_END)[2]
    else:
        before, body, rest = written.rpartition("</body>")
        rest = body + rest
    making = page.with_name(f".{page.name}.{os.getpid()}")
    making.write_text(f"{before}{_OURS}{_ours(result)}{_END}{rest}", encoding="utf-8")
    making.replace(page)


def _ours(result: SuiteResult) -> str:
    """The rows that wait or could not, the comparisons, and the actions; what there is of them."""
    told = ""
    if waiting := result.set_aside or result.parting:
        title = "Rows set aside: this page is of the rest" if result.set_aside else "No row was set aside"
        told += f'<div class="container-fluid p-4"><h4>{title}</h4><p>{html.escape(waiting)}</p></div>'
    if result.besides:
        failures = {name: [each for each in result.failures if each.expectation == name] for name in result.besides}
        rows = (
            (name.removeprefix("expect_").replace("_", " "), verdict, said)
            for name, failed in failures.items()
            for verdict, said in ([(each.severity, each.told) for each in failed] or [("met", "")])
        )
        told += _table(
            "Beside the partitions before it, and of the times of its rows", ("asked", "verdict", "what was seen"), rows
        )
    if result.actions:
        taken = ((each.name, each.outcome, each.why or "") for each in result.actions)
        told += _table("Actions", ("action", "outcome", "why"), taken)
    return told


def _table(title: str, columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    head = "".join(f"<th>{html.escape(name)}</th>" for name in columns)
    body = "".join("<tr>" + "".join(f"<td>{html.escape(cell)}</td>" for cell in row) + "</tr>" for row in rows)
    return (
        f'<div class="container-fluid p-4"><h4>{html.escape(title)}</h4><table class="table table-bordered">'
        f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>"
    )


def context_of(site: Path, address: str | None = None) -> Any:
    """An ephemeral context that knows the site, which is read at ``address``, and nothing else."""
    context: Any = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = {"globally": False, "metric_calculations": False}
    backend = {"class_name": "TupleFilesystemStoreBackend", "base_directory": str(site.absolute())}
    if address is not None:
        backend["base_public_path"] = f"{address}/"
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


def _page(context: Any, identifier: Any, site: Path) -> Path | None:
    found = links_of(context, identifier)[identifier].get(_SITE, "")
    below = found.rpartition("/validations/")[2]
    path = site.absolute() / "validations" / (unquote(below) if found.startswith("file:") else below)
    if not below or not path.is_file():
        _log.warning("Data Docs have no page for this result; the result itself stands")
        return None
    return path
