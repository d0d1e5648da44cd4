"""What all pages share: a frame, how a figure gets into it, and that a page is there whole or not at all."""

from __future__ import annotations

import base64
import io
import uuid
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from matplotlib.figure import Figure

__all__ = ["figure_source", "write_page"]


def write_page(path: Path, template: str, **told: Any) -> Path:
    """Write the page to ``path``, all of it or nothing. All text is escaped, whoever it comes from."""
    environment = Environment(
        loader=PackageLoader("flightworthy.adapters.reports", "."),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    page = environment.get_template(template).render(**told)
    path.parent.mkdir(parents=True, exist_ok=True)
    scratch = path.with_name(f".{path.name}.{uuid.uuid4().hex}.new")
    scratch.write_text(page, encoding="utf-8")
    scratch.replace(path)
    return path


def figure_source(figure: Figure) -> str:
    """As a PNG image in a data URI: nothing is fetched when the page is opened."""
    image = io.BytesIO()
    figure.savefig(image, format="png", metadata={"Software": None})
    return "data:image/png;base64," + base64.b64encode(image.getvalue()).decode()
