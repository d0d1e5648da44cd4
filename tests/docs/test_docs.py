"""The docs name everything that there is, and nothing in them leads nowhere."""

from __future__ import annotations

import ast
import os
import re
import runpy
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from flightworthy.cli.main import COMMANDS
from flightworthy.errors import FlightworthyError

ROOT = Path(__file__).resolve().parents[2]
_OTHERS = {".venv", ".git", ".flightworthy", "node_modules", "build", "dist"}
_SHELL = ROOT / "plugins" / "flightworthy_airflow"


def _files(*patterns: str) -> list[Path]:
    """The tree's own files, neither generated nor somebody else's."""
    found: list[Path] = []
    for folder, folders, names in os.walk(ROOT):
        folders[:] = [name for name in folders if name not in _OTHERS and not name.endswith(".egg-info")]
        found += [path for name in names if any((path := Path(folder, name)).match(each) for each in patterns)]
    return sorted(found)


PAGES = _files("*.md")
TEXT = {page: page.read_text(encoding="utf-8") for page in PAGES}
DOCS = "\n".join(text for page, text in TEXT.items() if page.parent.name == "docs" or page.name == "README.md")


def _classes(folder: Path) -> Iterator[str]:
    for file in sorted(folder.glob("*.py")):
        for node in ast.parse(file.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                yield node.name


def _named(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


@pytest.mark.parametrize("kind", ["operators", "sensors"])
def test_every_operator_and_sensor_is_in_the_docs(kind: str) -> None:
    """By the name of its class, so that one finds it by searching."""
    ending = {"operators": "Operator", "sensors": "Sensor"}[kind]
    names = [name for name in _classes(_SHELL / kind) if name.endswith(ending)]
    assert names
    assert [name for name in names if name not in DOCS] == []


def test_every_trigger_is_in_the_docs() -> None:
    """Who reads the triggerer's log wants to know what it is."""
    names = [name for name in _classes(_SHELL / "triggers") if name.endswith("Trigger")]
    assert names
    assert [name for name in names if name not in DOCS] == []


def test_every_task_of_a_dag_is_in_the_readme_and_in_the_docs() -> None:
    """The names that one sees in Airflow are the names that one reads."""
    tasks = {
        task
        for file in (ROOT / "dags").glob("*.py")
        for task in re.findall(r'task_id="(\w+)"', file.read_text("utf-8"))
    }
    assert len(tasks) >= 10
    assert sorted(task for task in tasks if task not in TEXT[ROOT / "README.md"]) == []
    assert sorted(task for task in tasks if f"`{task}`" not in DOCS) == []


def test_every_command_is_in_the_docs() -> None:
    """As one would type it."""
    page = TEXT[ROOT / "docs" / "command-line.md"]
    assert [name for name in COMMANDS if f"`flightworthy {name}" not in page] == []


def test_every_variable_of_ours_is_in_the_runbook() -> None:
    """Wherever code, compose file or a model reads it."""
    named = re.compile(r"(?<![A-Z_])FLIGHTWORTHY_[A-Z_]+[A-Z]")
    read = {
        name
        for file in _files("*.py", "*.yaml", "*.sh", "*.txt", ".env.example", "Makefile", "*.Dockerfile")
        if "tests" not in file.relative_to(ROOT).parts
        for name in named.findall(file.read_text(encoding="utf-8"))
    }
    assert {"FLIGHTWORTHY_HOME", "FLIGHTWORTHY_ROUTER_PORT"} <= read
    assert sorted(name for name in read if f"`{name}`" not in TEXT[ROOT / "docs" / "operations.md"]) == []


def test_every_setting_of_airflow_that_the_stack_makes_for_speed_is_explained() -> None:
    """With its section, so that it can be looked up."""
    written = (ROOT / "demo" / "settings.py").read_text(encoding="utf-8")
    settings = re.findall(r'"((?:SCHEDULER|WORKERS|DAG_PROCESSOR)__[A-Z_]+)"', written)
    assert len(settings) >= 5
    page = TEXT[ROOT / "docs" / "operations.md"]
    spoken = ["[{}] {}".format(*each.lower().split("__")) for each in settings]
    assert [each for each in spoken if f"`{each}`" not in page] == []


def test_both_connections_are_in_the_runbook() -> None:
    """With the form in which an environment variable holds them."""
    page = TEXT[ROOT / "docs" / "operations.md"]
    for name in ("flightworthy_default", "mlflow_default"):
        assert f"`{name}`" in page
        assert f"AIRFLOW_CONN_{name.upper()}=" in page


def test_the_walk_through_the_house_passes_every_room() -> None:
    """Each module of the core, each adapter, each package of the shell."""
    page = TEXT[ROOT / "docs" / "architecture.md"]
    core = ROOT / "include" / "flightworthy"
    rooms = [path.stem for folder in (core, core / "adapters", _SHELL) for path in folder.iterdir() if _is_room(path)]
    assert len(rooms) > 40
    assert sorted(room for room in rooms if not re.search(rf"\b{room}\b", page)) == []


def _is_room(path: Path) -> bool:
    return (path.suffix == ".py" or (path / "__init__.py").exists()) and not path.name.startswith("_")


def test_every_table_and_column_of_the_database_is_in_the_architecture() -> None:
    """The row's columns by name: people will look at it with a shell."""
    from flightworthy.adapters.sql_releases.tables import deployments, metadata

    page = TEXT[ROOT / "docs" / "architecture.md"]
    assert [name for name in metadata.tables if f"`{name}`" not in page] == []
    assert [column.name for column in deployments.columns if column.name not in page] == []


def test_every_phase_and_every_ledger_action_is_in_the_architecture() -> None:
    """The life of a release has no state that is not told."""
    from typing import get_args

    from flightworthy.ledger import Action
    from flightworthy.release import Phase

    page = TEXT[ROOT / "docs" / "architecture.md"]
    assert [word for word in (*map(str, Phase), *get_args(Action)) if f"`{word}`" not in page] == []


def test_messages_that_the_runbook_quotes_are_what_the_code_says() -> None:
    """A runbook is searched by the line that one sees; each of these begins an entry of it."""
    code = " ".join(
        " ".join(re.sub(r'"\s*\n\s*f?"', "", file.read_text(encoding="utf-8")).split())
        for folder in ("include/flightworthy", "plugins/flightworthy_airflow")
        for file in (ROOT / folder).rglob("*.py")
    )
    page = " ".join(TEXT[ROOT / "docs" / "operations.md"].split())
    quoted = [
        "waits in quarantine with this very content since",
        "was refused and nothing was changed:",
        "there is no connection",
        "no answer within",
        "did not answer, after retries:",
        "does not let this connection in",
        "is left to go to",
        "was changed after it was written",
        "did not answer: ",
        "it was deleted or replaced",
        "Nothing was changed; try again.",
        "is not healthy; it is being started again",
        "the ledger does not hold:",
        "attempts failed",
        "ms at the median, ",
        "requests took longer than ",
        "of the answers are positive, of the champion's ",
        "more than allowed, but it may be chance",
        "the router gave no counts",
        "its server ended while it had",
        "its server ended while it was a shadow",
        "entities are answered otherwise than by the champion",
        " entities were answered by both",
        "are needed to say anything",
        "pass_failed",
        "pass_broke",
        "errand_failed",
        "engine_unavailable reason=",
        "server_starting release=",
        "router_started pid=",
        "router_ended failures=",
    ]
    assert [line for line in quoted if line not in page] == []
    assert [line for line in quoted if line not in code] == []


def test_the_tutorial_quotes_the_example_dag_word_for_word() -> None:
    """What is shown is what the tests run."""
    example = (ROOT / "docs" / "examples" / "by_hand.py").read_text(encoding="utf-8")
    assert f"```python\n{example}```" in TEXT[ROOT / "docs" / "tutorial.md"]


@pytest.mark.parametrize("page", PAGES, ids=_named)
def test_links_lead_somewhere(page: Path) -> None:
    """To a file of the tree, and to a heading in it where they name one."""
    for target in re.findall(r"\]\(([^)\s]+)\)", _prose(TEXT[page])):
        if "://" in target or target.startswith("mailto:"):
            continue
        path, _, anchor = target.partition("#")
        file = (page.parent / path).resolve() if path else page
        assert file.exists(), f"{_named(page)} links to {target}"
        if anchor:
            assert anchor in _anchors(file.read_text(encoding="utf-8")), f"{_named(page)} links to {target}"


def _prose(text: str) -> str:
    return re.sub(r"```.*?```", "", text, flags=re.DOTALL)


def _anchors(text: str) -> set[str]:
    headings = re.findall(r"^#+ (.+)$", _prose(text), flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=_named)
def test_no_page_knows_the_machine_it_was_written_on(page: Path) -> None:
    """Paths of a home, of a checkout or of scratch lead nowhere elsewhere."""
    assert re.findall(r"(?<![\w.])/(?:home|root|Users|work|tmp|mnt)/\S*", TEXT[page]) == []
    assert str(ROOT) not in TEXT[page]


def test_what_the_docs_ask_of_make_it_can_do() -> None:
    """README, CONTRIBUTING and the rest name only targets that exist."""
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), flags=re.MULTILINE))
    quoted = re.compile(r"(?:^|`)make ([a-z]+)", flags=re.MULTILINE)
    asked = {(_named(page), target) for page, text in TEXT.items() for target in quoted.findall(text)}
    assert {"demo", "test", "up", "down", "check", "fmt"} <= {target for _, target in asked}
    assert sorted(each for each in asked if each[1] not in targets) == []


@pytest.mark.parametrize("page", [page for page in PAGES if page.parent.name == "adr"], ids=_named)
def test_a_decision_says_what_it_costs_and_when_to_think_again(page: Path) -> None:
    """And its number in the title is that of its file."""
    text = TEXT[page]
    assert text.startswith(f"# {int(page.name[:4])}. ")
    for section in ("## Context", "## Decision", "## Costs", "## When to revisit"):
        assert section in text, section


def test_the_picture_stands_on_white_and_says_what_it_shows() -> None:
    """In a dark page too, and to who cannot see it."""
    svg = (ROOT / "docs" / "images" / "architecture.svg").read_text(encoding="utf-8")
    assert re.search(r'<rect width="\d+" height="\d+" fill="#ffffff"/>', svg)
    assert "<title" in svg
    assert "<desc" in svg
    assert "href=" not in svg


def test_the_sample_of_the_tutorial_makes_the_week_that_it_lands(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """``flightworthy new churn`` and the lines of the tutorial that use what it made."""
    from flightworthy.cli.main import main

    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("FLIGHTWORTHY_MODELS", "include/models")
    assert main(["new", "churn"]) == 0
    made = {path.name for path in Path("include/models/churn").iterdir()}
    assert {name for name in made if f"`{name}`" not in TEXT[ROOT / "docs" / "tutorial.md"]} == set()
    Path(".flightworthy/landing/churn").mkdir(parents=True)
    (block,) = re.findall(r"<<'PY'\n(import runpy\n.*?)\nPY\n", TEXT[ROOT / "docs" / "tutorial.md"], flags=re.DOTALL)
    before = set(sys.modules)
    Path("block.py").write_text(block, encoding="utf-8")
    runpy.run_path("block.py")
    assert Path(".flightworthy/landing/churn/2025-02-03.csv").stat().st_size > 1000
    assert not [name for name in set(sys.modules) - before if name.startswith("airflow")]


def test_every_kind_of_error_is_explained_where_errors_are() -> None:
    """The tree in ``errors.py`` is what the docs point at."""
    from flightworthy import errors

    kinds = [name for name in errors.__all__ if issubclass(getattr(errors, name), FlightworthyError)]
    assert [name for name in kinds if name not in str(errors.__doc__)] == []
