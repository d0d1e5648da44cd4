"""All that ``benchmarks.serving`` measured of every server: a CSV file, and the tables of docs/benchmarks.md."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from benchmarks.serving_cells import Cell, Figures

CONNECTIONS = (1, 16, 64)
ROWS = (1, 1_000)


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One server in one cell. Memory (of all its processes) and first answer are those of that model's server."""

    model: str
    server: str
    rows: int
    connections: int
    per_second: float
    p50_ms: float
    p99_ms: float
    cpu_us: float
    memory_mb: float
    first_answer_s: float

    @classmethod
    def of(cls, cell: Cell, server: str, figures: Figures, *, memory_mb: float, first_answer_s: float) -> Line:
        """The figures of a cell, to four digits, which is more than they are good for."""
        measured = {**asdict(figures), "memory_mb": memory_mb, "first_answer_s": first_answer_s}
        rounded = {name: float(f"{value:.4g}") for name, value in measured.items()}
        return cls(model=cell.model, server=server, rows=cell.rows, connections=cell.connections, **rounded)


def write(path: Path, lines: Iterable[Line]) -> None:
    """Write the CSV file."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, [each.name for each in fields(Line)], lineterminator="\n")
        writer.writeheader()
        writer.writerows(asdict(line) for line in lines)


def read(path: Path) -> list[Line]:
    """What ``write`` wrote."""
    texts, whole = {"model": str, "server": str}, {"rows": int, "connections": int}
    kinds = {each.name: {**texts, **whole}.get(each.name, float) for each in fields(Line)}
    with path.open(encoding="utf-8", newline="") as file:
        return [Line(**{name: kinds[name](value) for name, value in found.items()}) for found in csv.DictReader(file)]


def tables(lines: Sequence[Line]) -> str:
    """A table for each number of rows, in Markdown; three values in a cell are those of 1, 16 and 64 connections."""
    return "\n\n".join(_table(lines, rows) for rows in ROWS if any(line.rows == rows for line in lines))


def _table(lines: Sequence[Line], rows: int) -> str:
    asked = "One row" if rows == 1 else f"{rows:,} rows"
    three = " / ".join(str(each) for each in CONNECTIONS)
    text = [
        f"{asked} a request; where there are three values, at {three} connections:",
        "",
        "| model | server | requests/s | p50 ms | p99 ms | CPU µs a request | memory MB | first answer s |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for model, server in dict.fromkeys((line.model, line.server) for line in lines if line.rows == rows):
        found = {
            line.connections: line for line in lines if (line.model, line.server, line.rows) == (model, server, rows)
        }
        cells = [
            " / ".join(_digits(getattr(found[each], name)) if each in found else "-" for each in CONNECTIONS)
            for name in ("per_second", "p50_ms", "p99_ms", "cpu_us")
        ]
        any_of_them = next(iter(found.values()))
        cells += [_digits(any_of_them.memory_mb), _digits(any_of_them.first_answer_s)]
        text.append(f"| {model} | {server} | {' | '.join(cells)} |")
    return "\n".join(text)


def _digits(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.2g}" if abs(value) < 10 else f"{value:.3g}"
