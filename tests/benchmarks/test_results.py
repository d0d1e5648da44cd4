"""What ``make bench`` leaves behind: one form for every result, and a page that says what the results say."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from benchmarks import result as results
from benchmarks.__main__ import BENCHMARKS
from benchmarks.result import Result, machine, row, table

SCHEMA = {
    "type": "object",
    "additionalProperties": False,
    "required": ["name", "machine", "rows", "notes"],
    "properties": {
        "name": {"type": "string"},
        "machine": {"type": "string"},
        "notes": {"type": "array", "items": {"type": "string"}},
        "rows": {
            "type": "array",
            "minItems": 1,
            "items": {
                "type": "object",
                "additionalProperties": False,
                "required": ["what", "value", "unit", "reach", "met"],
                "properties": {
                    "what": {"type": "string"},
                    "value": {"type": "number"},
                    "unit": {"type": "string"},
                    "reach": {"type": ["string", "null"]},
                    "met": {"type": ["boolean", "null"]},
                },
            },
        },
    },
}
FILES = sorted(results.RESULTS.glob("*.json"))


def read(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return found


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_every_result_has_the_one_form(path: Path) -> None:
    """Whoever reads one result can read them all."""
    jsonschema.validate(read(path), SCHEMA)

    assert read(path)["name"] == path.stem


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_what_is_met_follows_from_value_and_reach(path: Path) -> None:
    """Nobody is told that a figure was reached which was not."""
    for each in read(path)["rows"]:
        if each["reach"] is None:
            assert each["met"] is None
        else:
            bound, limit = re.fullmatch(r"([≤≥]) ([\d.]+)", each["reach"]).groups()  # type: ignore[union-attr]
            value = each["value"]
            assert each["met"] == (value <= float(limit) if bound == "≤" else value >= float(limit))


def test_every_benchmark_left_its_result_and_nothing_else_did() -> None:
    """One file per headline, under the benchmark's own name."""
    assert {path.stem for path in FILES} == set(BENCHMARKS)
    assert all((results.RESULTS.parent / f"{name}.py").is_file() for name in BENCHMARKS)


def test_the_page_says_what_the_results_say() -> None:
    """docs/benchmarks.md is written from the results files; by hand it is not."""
    assert results.section() in results.DOCS.read_text(encoding="utf-8")


def test_a_published_result_is_in_the_file_and_on_the_page(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Publishing writes the file, prints the table, and replaces what stood between the page's markers."""
    page = tmp_path / "benchmarks.md"
    page.write_text(
        f"# Above\n\n{results._BEGIN.format('results')}\n\nstale\n\n{results._END.format('results')}\n\n## Below\n"
    )
    monkeypatch.setattr(results, "RESULTS", tmp_path / "results")
    monkeypatch.setattr(results, "DOCS", page)

    published = Result(
        name="speed",
        machine="2 cores",
        rows=(row("a run", 1.2345, "s"), row("ratio", 2.5, "times", at_most=2)),
        notes=("n",),
    )
    published.publish()

    jsonschema.validate(read(tmp_path / "results" / "speed.json"), SCHEMA)
    assert Result.read(tmp_path / "results" / "speed.json").rows == published.rows
    assert "| speed | a run | 1.23 s |" in capsys.readouterr().out
    text = page.read_text()
    assert "| speed | ratio | 2.5 times | ≤ 2 | **no** |" in text
    assert "stale" not in text
    assert text.startswith("# Above")
    assert text.endswith("## Below\n")


def test_a_figure_is_judged_before_it_is_rounded() -> None:
    """2.004 is shown as 2, and is more than 2 all the same."""
    assert row("ratio", 2.004, "times", at_most=2).met is False
    assert row("ratio", 2.0, "times", at_most=2).met is True
    assert row("found", 84.9996, "%", at_least=85).met is False
    assert row("found", 85.0, "%", at_least=85).met is True


def test_a_figure_that_is_no_number_meets_nothing() -> None:
    """Missing evidence is a no."""
    assert row("ratio", float("nan"), "times", at_most=2).met is False
    assert row("found", float("nan"), "%", at_least=2).met is False


def test_a_machine_is_described_and_not_identified() -> None:
    """Cores, memory, processor, Python; no host, no user, no path."""
    import getpass
    import socket

    said = machine()

    assert "cores" in said
    assert "Python 3." in said
    assert socket.gethostname() not in said
    assert not re.search(rf"\b{re.escape(getpass.getuser())}\b|/", said)


def test_the_table_names_each_row_with_its_benchmark() -> None:
    """A reader finds the file that made a figure."""
    rows = (row("a run", 3, "s"),)

    assert table([Result(name="x", machine="m", rows=rows, notes=())]).splitlines()[-1] == "| x | a run | 3 s |  |  |"
