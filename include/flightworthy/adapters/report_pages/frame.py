"""What every page has: its frame and style, images inside of it, and a file that is there as a whole or not at all."""

from __future__ import annotations

import base64
import io
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from matplotlib.figure import Figure

__all__ = ["Plot", "write_page"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Plot:
    """An image with its title and what a reader should look for."""

    title: str
    caption: str
    source: str

    @classmethod
    def of(cls, figure: Figure, *, title: str, caption: str) -> Plot:
        """As a PNG image in a data URI: nothing is fetched when the page is opened."""
        image = io.BytesIO()
        figure.savefig(image, format="png", metadata={"Software": None})
        source = "data:image/png;base64," + base64.b64encode(image.getvalue()).decode()
        return cls(title=title, caption=caption, source=source)


def write_page(path: Path, template: str, **given: Any) -> None:
    """Write a page, all of it or nothing. All text is escaped, whoever it comes from."""
    environment = Environment(
        loader=PackageLoader("flightworthy.adapters.report_pages", "."),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    page = environment.get_template(template).render(**given)
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{path.name}.", dir=path.parent) as folder:
        scratch = Path(folder) / path.name
        scratch.write_text(page, encoding="utf-8")
        scratch.replace(path)
