"""A text/csv body: a header that names exactly the features, then one row a line; an empty cell is null."""

from __future__ import annotations

import csv
import io
import re
from dataclasses import dataclass
from typing import Any

from flightworthy.serving.contract import Contract
from flightworthy.serving.problem import Problem

__all__ = ["Table", "parse"]

# Not float() alone: that takes "nan", "1_000" and the digits of every script.
_NUMBER = re.compile(r"[-+]?(\d+(\.\d*)?|\.\d+)([eE][-+]?\d+)?", re.ASCII)
_BOOLEANS = {"true": True, "false": False}


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """Rows with their values in ``order``; a cell that is not what its feature takes is still text."""

    order: tuple[str, ...]
    rows: list[list[Any]]


def parse(body: bytes, contract: Contract) -> Table | Problem:
    """Split a CSV body into cells and read numbers and booleans; types and ranges are the contract's to check."""
    try:
        lines = [line for line in csv.reader(io.StringIO(body.decode()), strict=True) if line]
    except (UnicodeDecodeError, csv.Error) as error:
        return Problem(status=400, detail=f"The body is not CSV in UTF-8: {error}")
    if not lines:
        return Problem(status=422, detail="Expected a header and at least one row, got nothing")
    order = tuple(lines[0])
    if (flaw := contract.column_flaw(order)) is not None:
        return Problem(status=422, detail=flaw.what, field=f"csv.{flaw.name}")
    kinds = dict.fromkeys(order, "category") | {feature.name: feature.type for feature in contract.features}
    for index, line in enumerate(lines[1:]):
        if len(line) != len(order):
            return Problem(status=422, detail=f"Expected {len(order)} cells, got {len(line)}", field=f"csv[{index}]")
    rows = [[_value(kinds[name], cell) for name, cell in zip(order, line, strict=True)] for line in lines[1:]]
    return Table(order=order, rows=rows)


def _value(kind: str, cell: str) -> Any:
    if cell == "":
        return None
    if kind == "category":
        return cell
    if kind == "boolean":
        return _BOOLEANS.get(cell.lower(), cell)
    number = float(cell) if _NUMBER.fullmatch(cell) else None
    # 1e999 overflows to infinity, which is no number of the client's.
    return cell if number is None or number in {float("inf"), float("-inf")} else number
