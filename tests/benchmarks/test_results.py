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
                    "value": {"type": ["number", "null"]},
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
            way, limit = re.fullmatch(r"([≤≥]) ([\d.]+)", each["reach"]).groups()  # type: ignore[union-attr]
            value = each["value"]
            reached = value is not None and (value <= float(limit) if way == "≤" else value >= float(limit))
            assert each["met"] == reached


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


def test_a_figure_may_have_to_be_large() -> None:
    """What is to be reached from below is judged from below."""
    assert row("ratio", 99.999, "times", at_least=100).met is False
    assert row("ratio", 100.0, "times", at_least=100).met is True
    assert row("ratio", float("nan"), "times", at_least=100).met is False
    assert row("ratio", 1.0, "times", at_least=100).reach == "≥ 100"


def test_a_figure_that_could_not_be_measured_meets_nothing_and_says_so() -> None:
    """It keeps its row, so that what is claimed of it is not forgotten."""
    missing = row("ratio", None, "times", at_most=2)

    assert missing.met is False
    assert "| x | ratio | not measured | ≤ 2 | **no** |" in table(
        [Result(name="x", machine="m", rows=[missing], notes=())]
    )


def test_a_page_without_a_place_for_a_table_is_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is appended where nobody would look for it, and what is there is not lost."""
    page = tmp_path / "benchmarks.md"
    page.write_text("# A page\n")
    monkeypatch.setattr(results, "DOCS", page)

    with pytest.raises(ValueError, match="no place for serving"):
        results.put("serving", "table")

    assert page.read_text() == "# A page\n"


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
