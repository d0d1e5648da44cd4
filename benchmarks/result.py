"""The one form of a result: rows with a value, its unit and what it should reach; written as JSON, shown as a table."""

from __future__ import annotations

import json
import os
import platform
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import psutil  # type: ignore[import-untyped]

__all__ = ["DOCS", "RESULTS", "Result", "Row", "machine", "put", "rewrite_docs", "row", "table", "typical"]

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "benchmarks" / "results"
DOCS = ROOT / "docs" / "benchmarks.md"
_BEGIN, _END = "<!-- {}: written by `make bench` -->", "<!-- end of {} -->"


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One figure. ``reach`` says what it should be, such as ``≤ 2``; it and ``met`` are None where nothing is set.

    ``value`` is None for what could not be measured; such a row meets nothing, and a note says why.
    """

    what: str
    value: float | None
    unit: str
    reach: str | None
    met: bool | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What one benchmark found, on which kind of machine, and what a reader must know to judge it."""

    name: str
    machine: str
    rows: Sequence[Row]
    notes: Sequence[str]

    def publish(self) -> None:
        """Write ``benchmarks/results/<name>.json``, print the table, and put it into docs/benchmarks.md."""
        RESULTS.mkdir(exist_ok=True)
        text = json.dumps(asdict(self), indent=2, ensure_ascii=False) + "\n"
        (RESULTS / f"{self.name}.json").write_text(text, encoding="utf-8")
        print(f"\n{table([self])}\n")
        for note in self.notes:
            print(f"  {note}")
        rewrite_docs()

    @classmethod
    def read(cls, path: Path) -> Result:
        """The result in a file. Raises TypeError where it has another form."""
        found = json.loads(path.read_text(encoding="utf-8"))
        return cls(**{**found, "rows": tuple(Row(**each) for each in found["rows"])})


def row(
    what: str, value: float | None, unit: str, *, at_most: float | None = None, at_least: float | None = None
) -> Row:
    """A figure; ``at_most`` or ``at_least`` is what it should reach, judged before it is rounded for the eye."""
    # Written so that NaN, which compares false with everything, is out of reach.
    if at_most is not None:
        reach, met = f"≤ {at_most:g}", value is not None and value <= at_most
    elif at_least is not None:
        reach, met = f"≥ {at_least:g}", value is not None and value >= at_least
    else:
        reach, met = None, None
    return Row(what=what, value=None if value is None else float(f"{value:.6g}"), unit=unit, reach=reach, met=met)


def typical(values: Iterable[float]) -> float:
    """The median."""
    return statistics.median(values)


def machine() -> str:
    """Cores, memory, processor and Python; nothing that tells whose machine it is."""
    memory = round(psutil.virtual_memory().total / 2**30)
    return f"{os.cpu_count()} cores, {memory} GiB, {_processor()}, Python {platform.python_version()}"


def table(results: Sequence[Result]) -> str:
    """The rows of results, as Markdown."""
    lines = ["| benchmark | what | value | reach | met |", "|---|---|---|---|---|"]
    for result in results:
        for each in result.rows:
            met = {None: "", True: "yes", False: "**no**"}[each.met]
            lines.append(f"| {result.name} | {each.what} | {shown(each)} | {each.reach or ''} | {met} |")
    return "\n".join(lines)


def shown(each: Row) -> str:
    """A row's value for the eye: three digits, more only before the point."""
    if each.value is None:
        return "not measured"
    return f"{each.value:,.0f} {each.unit}" if abs(each.value) >= 1000 else f"{each.value:.3g} {each.unit}"


def section() -> str:
    """All the results there are, as docs/benchmarks.md shows them: the table, then each one's machine and notes."""
    results = [Result.read(path) for path in sorted(RESULTS.glob("*.json"))]
    notes = "\n".join(
        f"\n**{result.name}** — {result.machine}.\n\n" + "\n".join(f"* {note}" for note in result.notes)
        for result in results
    )
    return f"{table(results)}\n{notes}"


def rewrite_docs() -> None:
    """Put what the results files say between the markers of docs/benchmarks.md."""
    put("results", section())


def put(name: str, text: str) -> None:
    """Put ``text`` between the markers of that name in docs/benchmarks.md. Raises ValueError where there are none."""
    begin, end = _BEGIN.format(name), _END.format(name)
    page = DOCS.read_text(encoding="utf-8")
    if begin not in page or end not in page:
        raise ValueError(f"{DOCS.name} has no place for {name}: no lines {begin} and {end}")
    before, _, rest = page.partition(begin)
    _, _, after = rest.partition(end)
    DOCS.write_text(f"{before}{begin}\n\n{text}\n\n{end}{after}", encoding="utf-8")


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    named = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(named, platform.machine())
